"""What a published day says of itself, and that it stays once its entry is over."""

import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from trader_pipeline.checks.contracts import export_breaches
from trader_pipeline.errors import BlockedByDataError
from trader_pipeline.features import PANEL
from trader_pipeline.flows import due
from trader_pipeline.flows.changes import tell_changes
from trader_pipeline.flows.explain import explain
from trader_pipeline.flows.predict import is_due, predict
from trader_pipeline.inference.content import content_sha256
from trader_pipeline.inference.export import export_paths, read_manifest
from trader_pipeline.lake import Change
from trader_pipeline.schema.outputs import DAILY
from trader_pipeline.schema.predicted import CHANGES, EXPLANATIONS, PAPER_LOG
from trader_pipeline.schema.training import CALIBRATION, RUNS
from trader_pipeline_tests.flows.days import FIRST, LAST, SECOND, at, close, due_day, lake_of, opens


def test_the_hash_is_of_what_is_said_and_not_of_when(lived_home):
    rows = lake_of(lived_home).snapshot().sql("select * from predictions.daily where session = ? order by all", [FIRST])
    later = DAILY.conform(rows).set_column(
        rows.column_names.index("made_at"), DAILY.arrow_schema.field("made_at"), pa.array([close(LAST)] * rows.num_rows)
    )
    assert content_sha256(later) == content_sha256(rows)
    nudged = np.nextafter(rows["p_up"].to_numpy(), 1)
    assert content_sha256(rows.set_column(rows.column_names.index("p_up"), "p_up", pa.array(nudged))) != content_sha256(rows)


def test_the_manifest_names_model_data_code_and_instant(lived_home):
    for session in (FIRST, SECOND, LAST):
        parquet, manifest = export_paths(lived_home.dataset_home / "exports", session)
        assert export_breaches(parquet, manifest) == []
        facts = json.loads(manifest.read_bytes())
        assert facts["as_of"] == close(session).isoformat()
        assert facts["code_version"].startswith("0.1.0+")


def test_a_backfill_takes_no_model_that_saw_more_than_the_session(lived):
    """A model that was trained at LAST serves LAST and nothing before it, whatever instant the backfill runs at."""
    lake = lake_of(lived)
    (run,) = lake.snapshot().read(RUNS).to_pylist()
    newer = run | {"model_id": "newer", "as_of": close(LAST), "finished_at": close(LAST)}  # trained_through says FIRST - 61 as before
    lake.publish(
        Change.append(RUNS, pa.Table.from_pylist([newer], RUNS.arrow_schema)),
        Change.append(CALIBRATION, lake.snapshot().sql("select * replace ('newer' as model_id) from training.calibration")),
    )
    for session, model in ((FIRST, run["model_id"]), (SECOND, run["model_id"]), (LAST, "newer")):
        assert predict(lake, lived, session=session, as_of=close(LAST), made_at=close(LAST), run_id="r").model_id == model


def test_what_was_published_stays_once_its_entry_is_over(lived):
    """`trader predict --session SECOND` a day later: SECOND's bars and features come back, the data version is another one."""
    lake, made = lake_of(lived), close(SECOND) + dt.timedelta(hours=1)
    at(lake, lived, SECOND)
    before = lake.snapshot().commit.id
    manifest = export_paths(lived.dataset_home / "exports", SECOND)[1]
    whole = manifest.read_bytes()
    ask = {"session": SECOND, "as_of": close(SECOND)}
    assert is_due(lake, lived, **ask, now=opens(LAST)), "it can still be entered"
    late = opens(LAST) + dt.timedelta(seconds=1)
    assert not is_due(lake, lived, **ask, now=late)
    outcome = predict(lake, lived, **ask, made_at=late, run_id="late")
    assert (outcome.kept, outcome.changed, lake.snapshot().commit.id) == (True, False, before)
    assert manifest.read_bytes() == whole
    manifest.unlink()
    assert is_due(lake, lived, **ask, now=late)
    predict(lake, lived, **ask, made_at=late, run_id="late")
    assert read_manifest(manifest.parent, SECOND)["made_at"] == made.isoformat()

    assert is_due(lake, lived, **ask, now=late, force=True)
    forced = predict(lake, lived, **ask, made_at=late, run_id="late", force=True)
    assert (forced.kept, forced.changed) == (False, True)
    assert lake.snapshot().sql("select distinct made_at from predictions.daily where session = ?", [SECOND])["made_at"].to_pylist() == [
        late
    ]


def test_what_stays_is_explained_as_before_or_left_alone_with_a_line(lived, caplog):
    lake, late = lake_of(lived), opens(LAST) + dt.timedelta(seconds=1)
    at(lake, lived, SECOND)
    stands = {"session": SECOND, "made_at": late, "run_id": "late"}
    assert (explain(lake, lived, **stands).changed, explain(lake, lived, **stands).rows > 0) == (False, True)
    assert tell_changes(lake, lived, **stands).changed is False
    assert not caplog.records
    lake.publish(*(Change.replace(table, table.empty()) for table in (CHANGES, EXPLANATIONS)))
    assert not due.explain.is_due(lake.snapshot(), SECOND), "nothing could be said, so no run is due for it"
    assert explain(lake, lived, **stands).rows == 0
    assert tell_changes(lake, lived, **stands).kinds == {}
    assert [str(SECOND) in record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [True, True]


def test_a_day_that_died_before_its_changes_its_log_or_its_report_is_due(lived):
    lake = lake_of(lived)
    assert not due_day(lived)
    for table, since in ((CHANGES, LAST), (PAPER_LOG, SECOND)):
        whole = lake.snapshot().read(table)
        lake.publish(Change.replace(table, whole.filter(pc.less(whole["session"], since))))
        assert due_day(lived), table.full_name
        lake.publish(Change.replace(table, whole))
        assert not due_day(lived)
    for file in (lived.dataset_home / "exports" / f"changes_{LAST}.json", lived.report_path(LAST)):
        whole = file.read_bytes()
        file.unlink()
        assert due_day(lived), file
        file.write_bytes(whole)
        assert not due_day(lived)


def test_no_score_is_taken_apart_on_other_data_than_it_was_made_from(lived):
    lake = lake_of(lived)
    panel = lake.snapshot().read(PANEL)
    lake.publish(Change.replace(PANEL, panel.slice(0, panel.num_rows - 1)))
    for flow in (explain, tell_changes):
        lake.publish(*(Change.replace(table, table.empty()) for table in (CHANGES, EXPLANATIONS)))
        with pytest.raises(BlockedByDataError, match=rf"changed since {LAST} was predicted.*trader predict --session {LAST}"):
            flow(lake, lived, session=LAST, made_at=close(LAST), run_id="r")
