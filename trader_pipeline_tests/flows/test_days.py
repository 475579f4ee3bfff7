"""A small market of own files lived through for some sessions: each day predicted, explained, compared, logged, rebuilt."""

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv

from trader_pipeline import calendar
from trader_pipeline.checks.contracts import export_breaches
from trader_pipeline.dashboard import queries, states
from trader_pipeline.errors import BlockedByDataError, NoModelError
from trader_pipeline.features import PANEL
from trader_pipeline.flows import due, train
from trader_pipeline.flows.accept import accept
from trader_pipeline.flows.build_features import build_features
from trader_pipeline.flows.changes import previous_session, tell_changes
from trader_pipeline.flows.check import check
from trader_pipeline.flows.decide import decide
from trader_pipeline.flows.evaluate import evaluate
from trader_pipeline.flows.explain import explain
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.market_state import market_state
from trader_pipeline.flows.paper_log import SUMMARY, keep_paper_log
from trader_pipeline.flows.predict import is_due, predict
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.flows.verify import verify
from trader_pipeline.inference.content import content_sha256
from trader_pipeline.inference.export import export_paths, read_manifest
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.core import DAILY_BARS
from trader_pipeline.schema.features import TARGETS
from trader_pipeline.schema.outputs import CALIBRATION, DAILY, RUNS
from trader_pipeline.schema.predicted import PAPER_LOG
from trader_pipeline.settings import DecisionSettings, Settings
from trader_pipeline.sources import bars_feed, feeds_of
from trader_pipeline.training import job
from trader_pipeline_tests.flows.conftest import bars

NAMES = ("AAA", "BBB", "CCC", "DDD", "EEE")
TICKERS = len(NAMES)
FIRST, SECOND, LAST = dt.date(2020, 2, 5), dt.date(2020, 2, 6), dt.date(2020, 2, 7)
EXCHANGE = "XNYS"
TODAY = dt.date(2026, 1, 5)


def settings_of(home, **changes):
    return Settings(home=home, dataset="own", own_path=home / "files", recipe="ridge", _env_file=None, **changes)


def close(session):
    return calendar.known_at(EXCHANGE, session)


def lake_of(settings):
    return Lake(settings.dataset_home / "lake", settings.dataset)


def at(lake, settings, session):
    """Bring bars and features to what was known at the session's close."""
    check(lake, as_of=close(session), settings=settings.checks, run_id=f"r{session}")
    accept(lake, as_of=close(session), run_id="r")
    market_state(lake, as_of=close(session), run_id="r")
    build_features(lake, as_of=close(session), run_id="r")


def day(lake, settings, session, *, made_at=None):
    made_at = made_at or close(session) + dt.timedelta(hours=1)
    outcome = predict(lake, settings, session=session, as_of=close(session), made_at=made_at, run_id="r")
    decide(lake, settings, session=session, made_at=made_at, run_id="r")
    explain(lake, settings, session=session, made_at=made_at, run_id="r")
    tell_changes(lake, settings, session=session, made_at=made_at, run_id="r")
    keep_paper_log(lake, as_of=close(session), logged_at=made_at, run_id="r")
    return outcome


@pytest.fixture(scope="module")
def lived_home(tmp_path_factory):
    """Trained at FIRST, predicted at all three sessions. Read only."""
    settings = settings_of(tmp_path_factory.mktemp("days") / "home")
    files = settings.home / "files"
    files.mkdir(parents=True)
    whole = bars((*NAMES, "SPY")).select(["ticker", "session", "open", "high", "low", "close", "volume_shares"])
    csv.write_csv(whole.rename_columns(["ticker", "date", "open", "high", "low", "close", "volume"]), files / "bars.csv")
    lake, feeds = lake_of(settings), feeds_of(settings)
    ingest(lake, bars_feed(settings), settings, as_of=close(LAST), fetched_at=close(LAST), run_id="r")
    standardize(lake, feeds, as_of=close(LAST), run_id="r")
    at(lake, settings, FIRST)
    request = train.prepare(lake, models_dir=settings.dataset_home / "models", recipe="ridge", seed=0, as_of=close(FIRST), run_id="r")
    job.run(request, lambda _: None)
    train.publish(lake, request, finished_at=close(FIRST))
    evaluate(lake, as_of=close(FIRST), run_id="r")
    for session in (FIRST, SECOND, LAST):
        at(lake, settings, session)
        day(lake, settings, session)
    return settings


@pytest.fixture
def lived(lived_home, tmp_path):
    settings = settings_of(tmp_path / "home")
    shutil.copytree(lived_home.home, settings.home)
    return settings


def rebuilt(settings, session=FIRST, **options):
    return verify(lake_of(settings), settings, session=session, as_of=close(session), run_id="v", today=TODAY, **options)


def test_a_past_day_is_rebuilt_to_the_same_hash_and_leaves_no_trace(lived_home):
    lake = lake_of(lived_home)
    before = lake.snapshot().commit.id
    found = rebuilt(lived_home)
    assert found.same, found.differences
    assert found.rebuilt == read_manifest(lived_home.dataset_home / "exports", FIRST)["content_sha256"]
    assert found.published_by == found.code_version
    assert lake.snapshot().commit.id == before
    assert not list(lake.root.glob(".spill-*"))


def test_a_day_that_differs_says_in_which_row_and_column(lived):
    bold = settings_of(lived.home, decisions=DecisionSettings(abstain_confidence=0.0, abstain_novelty=1.0))
    found = rebuilt(bold)
    assert not found.same
    assert found.stored == found.expected != found.rebuilt
    assert {cell["column"] for cell in found.differences} == {"abstained"}
    assert all((cell["published"], cell["rebuilt"]) == (True, False) for cell in found.differences)


def test_a_row_that_somebody_changed_in_the_table_is_not_what_was_exported(lived):
    lake = lake_of(lived)
    rows = lake.snapshot().sql("select * from predictions.daily where session = ?", [FIRST]).to_pylist()
    published = rows[0]["score"]
    rows[0]["score"] = 99.0
    lake.publish(Change.upsert(DAILY, pa.Table.from_pylist(rows, DAILY.arrow_schema), by=("session",)))
    found = rebuilt(lived)
    assert found.rebuilt == found.expected != found.stored
    (cell,) = found.differences
    key = {"ticker": rows[0]["ticker"], "horizon_sessions": rows[0]["horizon_sessions"], "column": "score"}
    assert cell == key | {"published": 99.0, "rebuilt": published}


def test_a_day_of_a_damaged_panel_is_not_the_same(lived):
    """The stamp of what it was made from still fits: nothing but a rebuild tells."""
    lake = lake_of(lived)
    panel = lake.snapshot().read(PANEL)
    here = pc.equal(panel["session"], LAST)
    for place, field in enumerate(panel.schema):
        if field.name not in PANEL.key and pa.types.is_floating(field.type):
            noise = pa.array(np.random.default_rng(place).standard_normal(panel.num_rows), field.type)
            panel = panel.set_column(place, field, pc.if_else(here, noise, panel[field.name]))
    lake.publish(Change.replace(PANEL, panel, inputs=lake.snapshot().inputs(PANEL)))
    assert day(lake, lived, LAST).changed
    found = rebuilt(lived, LAST)
    assert found.stored == found.expected != found.rebuilt
    assert "score" in {cell["column"] for cell in found.differences}


def test_a_day_of_a_bar_that_is_not_the_raw_one_is_not_the_same(lived):
    lake = lake_of(lived)
    rows = lake.snapshot().read(DAILY_BARS)
    here = pc.and_(pc.equal(rows["session"], LAST), pc.equal(rows["ticker"], NAMES[0]))
    for name in ("open", "high", "low", "close"):
        place = rows.column_names.index(name)
        rows = rows.set_column(place, rows.schema.field(name), pc.if_else(here, pc.multiply(rows[name], 1.03), rows[name]))
    lake.publish(Change.replace(DAILY_BARS, rows, inputs=lake.snapshot().inputs(DAILY_BARS)))
    assert not standardize(lake, feeds_of(lived), as_of=close(LAST), run_id="r").changed
    at(lake, lived, LAST)
    assert day(lake, lived, LAST).changed
    found = rebuilt(lived, LAST)
    assert found.stored == found.expected != found.rebuilt


def test_a_day_without_an_export_has_nothing_to_be_held_against(lived):
    export_paths(lived.dataset_home / "exports", FIRST)[1].unlink()
    with pytest.raises(NoModelError, match=rf"no whole export of {FIRST} tells the hash.*trader predict --session {FIRST}"):
        rebuilt(lived)


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


def changes_of(settings, session):
    return lake_of(settings).snapshot().sql("select * from predictions.changes where session = ? order by all", [session]).to_pylist()


def test_new_prices_alone_put_every_move_down_to_price(lived_home):
    rows = changes_of(lived_home, SECOND)
    assert len(rows) == TICKERS * 4
    assert {row["previous_session"] for row in rows} == {FIRST}
    for row in rows:
        assert (row["data_effect"], row["model_effect"]) == (0, 0)
        assert row["price_effect"] == pytest.approx(row["score"] - row["previous_score"], abs=1e-12)
        assert row["rank_move"] == row["previous_rank"] - row["rank"]
    moved = {row["cause"] for row in rows if row["kind"] in {"moved", "flipped"}}
    assert moved == {"price"}
    flips = [row for row in rows if (row["p_up"] > 0.5) != (row["previous_p_up"] > 0.5)]
    assert {row["kind"] for row in flips} <= {"flipped"}
    assert changes_of(lived_home, FIRST) == [], "nothing was predicted before"


def test_the_ranks_are_those_of_the_page(lived_home):
    snapshot = lake_of(lived_home).snapshot()
    page = {
        (row["ticker"], row["horizon_sessions"]): row["rank"]
        for h in (1, 5, 20, 60)
        for row in queries.predictions(snapshot, queries.Selection(session=LAST, horizon=h))
    }
    assert {(row["ticker"], row["horizon_sessions"]): row["rank"] for row in changes_of(lived_home, LAST)} == page


def test_the_export_has_the_changes_as_json(lived_home):
    told = json.loads((lived_home.dataset_home / "exports" / f"changes_{LAST}.json").read_bytes())
    assert (told["schema"], told["session"], told["previous"]) == ("trader.changes/1", str(LAST), str(SECOND))
    assert sum(told["kinds"].values()) == TICKERS * 4
    assert len(told["rows"]) == TICKERS * 4 - told["kinds"].get("same", 0)


def told_again(settings, session):
    return tell_changes(lake_of(settings), settings, session=session, made_at=close(LAST), run_id="r")


def test_corrected_rows_of_the_day_before_are_put_down_to_data(lived):
    lake = lake_of(lived)
    panel = lake.snapshot().read(PANEL)
    one, other = (pc.and_(pc.equal(panel["session"], SECOND), pc.equal(panel["ticker"], name)) for name in NAMES[:2])
    swapped = pc.if_else(one, NAMES[1], pc.if_else(other, NAMES[0], panel["ticker"]))  # each had the other's prices
    lake.publish(Change.replace(PANEL, panel.set_column(0, panel.schema.field(0), swapped)))
    day(lake, lived, LAST)
    by_ticker = [row for row in changes_of(lived, LAST) if row["ticker"] in NAMES[:2]]
    assert all(row["data_effect"] != 0 for row in by_ticker)
    for row in changes_of(lived, LAST):
        effects = row["data_effect"] + row["model_effect"] + row["price_effect"]
        assert effects == pytest.approx(row["score"] - row["previous_score"], abs=1e-12)
    assert "data" in {row["cause"] for row in by_ticker}


def test_another_model_is_told_from_other_prices(lived):
    """The second model is the first with its score turned round, under a name of its own."""
    lake, snapshot = lake_of(lived), lake_of(lived).snapshot()
    (run,) = snapshot.read(RUNS).to_pylist()
    folder = lived.dataset_home / "models"
    shutil.copytree(folder / run["folder"], folder / "second")
    from trader_pipeline.models import checkpoint  # noqa: PLC0415 - this test alone writes a model

    (member,) = checkpoint.load_members(folder / "second")
    checkpoint.save_members(folder / "second", [replace(member, score_PH=-member.score_PH)])
    sha256 = checkpoint.write_manifest(folder / "second", json.loads((folder / "second" / "manifest.json").read_bytes())["files"])
    second = run | {"model_id": "second", "folder": "second", "manifest_sha256": sha256, "finished_at": close(SECOND)}
    lake.publish(
        Change.append(RUNS, pa.Table.from_pylist([second], RUNS.arrow_schema)),
        Change.append(CALIBRATION, snapshot.sql("select * replace ('second' as model_id) from training.calibration")),
    )
    assert day(lake, lived, LAST).model_id == "second"
    for row in changes_of(lived, LAST):
        assert row["data_effect"] == 0
        assert row["model_effect"] == pytest.approx(-2 * row["previous_score"], abs=1e-5)
    assert "model" in {row["cause"] for row in changes_of(lived, LAST)}
    shutil.rmtree(folder / run["folder"])
    lake.publish(Change.upsert(DAILY, DAILY.conform(snapshot.sql("select * from predictions.daily where session = ?", [SECOND]))))
    at_last = lake.snapshot().sql("select * replace ('x' as data_version) from predictions.changes where session = ?", [LAST])
    lake.publish(Change.upsert(replace_table(), at_last))
    told_again(lived, LAST)
    assert {row["data_effect"] for row in changes_of(lived, LAST)} == {None}, "the earlier model is gone"


def replace_table():
    from trader_pipeline.schema.predicted import CHANGES  # noqa: PLC0415 - used once

    return CHANGES


def test_names_that_come_and_go_are_new_and_lost(lived):
    lake = lake_of(lived)
    names = sorted(set(lake.snapshot().read(DAILY)["ticker"].to_pylist()))
    daily = lake.snapshot().read(DAILY)
    gone = pc.or_(
        pc.and_(pc.equal(daily["session"], SECOND), pc.equal(daily["ticker"], names[0])),
        pc.and_(pc.equal(daily["session"], LAST), pc.equal(daily["ticker"], names[1])),
    )
    lake.publish(
        Change.replace(DAILY, daily.filter(pc.invert(gone))),
        Change.replace(replace_table(), replace_table().empty()),
    )
    outcome = told_again(lived, LAST)
    assert (outcome.kinds["new"], outcome.kinds["lost"]) == (4, 4)
    by_name = {name: [row for row in changes_of(lived, LAST) if row["ticker"] == name] for name in names[:2]}
    assert {(row["kind"], row["cause"], row["previous_rank"]) for row in by_name[names[0]]} == {("new", "data", None)}
    assert {(row["kind"], row["cause"], row["rank"]) for row in by_name[names[1]]} == {("lost", "data", None)}
    assert outcome.previous == previous_session(lake.snapshot(), LAST) == SECOND


def log_of(settings):
    return lake_of(settings).snapshot().sql("select * from predictions.paper_log order by all").to_pylist()


def test_a_prediction_is_logged_when_its_horizon_has_ended(lived_home):
    rows = log_of(lived_home)
    assert {(row["session"], row["horizon_sessions"]) for row in rows} == {(FIRST, 1), (SECOND, 1)}
    assert len(rows) == 2 * TICKERS
    snapshot = lake_of(lived_home).snapshot()
    bars = {(b["ticker"], b["session"]): b for b in snapshot.sql("select * from core.accepted_bars").to_pylist()}
    daily = {(p["ticker"], p["session"], p["horizon_sessions"]): p for p in snapshot.read(DAILY).to_pylist()}
    for row in rows:
        bar = bars[row["ticker"], row["entry_session"]]
        assert row["entry_session"] == row["exit_session"] == calendar.offset(EXCHANGE, row["session"], 1)
        assert (row["entry_price"], row["exit_price"]) == (bar["open"], bar["close"])
        assert row["realised_return"] == pytest.approx(bar["close"] / bar["open"] - 1, abs=1e-9)
        assert row["p_up"] == daily[row["ticker"], row["session"], 1]["p_up"]
        assert row["position"] == (1 if row["p_up"] > 0.5 else -1)
        assert row["cost"] == pytest.approx(2 * 0.00025)
        assert row["net_return"] == pytest.approx(row["position"] * row["realised_return"] - 0.0005)
        assert row["in_time"]
    (summary,) = snapshot.sql(SUMMARY, {"ticker": None}).to_pylist()
    assert (summary["rows"], summary["sessions"]) == (2 * TICKERS, 2)
    assert summary["net_return"] == pytest.approx(np.mean([row["net_return"] for row in rows]))


def test_what_is_logged_never_changes(lived):
    lake, before = lake_of(lived), log_of(lived)
    targets = lake.snapshot().read(TARGETS)
    place = targets.column_names.index("forward_return_1d")
    lake.publish(Change.replace(TARGETS, targets.set_column(place, targets.schema.field(place), pc.add(targets["forward_return_1d"], 0.5))))
    daily = lake.snapshot().read(DAILY)
    flipped = daily.set_column(daily.column_names.index("p_up"), daily.schema.field("p_up"), pc.subtract(1.0, daily["p_up"]))
    lake.publish(Change.replace(DAILY, flipped))
    outcome = keep_paper_log(lake, as_of=close(LAST), logged_at=close(LAST), run_id="again")
    assert outcome.added == 0
    assert log_of(lived) == before


def test_a_prediction_made_after_its_entry_is_hindsight(lived):
    lake = lake_of(lived)
    daily = lake.snapshot().read(DAILY)
    late = pa.array(
        [calendar.open_at(EXCHANGE, SECOND) + dt.timedelta(seconds=1)] * daily.num_rows, DAILY.arrow_schema.field("made_at").type
    )
    lake.publish(
        Change.replace(PAPER_LOG, PAPER_LOG.empty()),
        Change.replace(DAILY, daily.set_column(daily.column_names.index("made_at"), daily.schema.field("made_at"), late)),
    )
    keep_paper_log(lake, as_of=close(LAST), logged_at=close(LAST), run_id="r")
    assert {(row["session"], row["in_time"]) for row in log_of(lived)} == {(FIRST, False), (SECOND, True)}


def test_what_was_not_over_at_the_instant_is_not_logged(lived):
    lake = lake_of(lived)
    lake.publish(Change.replace(PAPER_LOG, PAPER_LOG.empty()))
    outcome = keep_paper_log(lake, as_of=close(SECOND), logged_at=close(LAST), run_id="r")
    assert (outcome.added, outcome.waiting) == (TICKERS, 3 * 4 * TICKERS - TICKERS)


def test_a_prediction_that_is_gone_after_it_was_logged_does_not_shorten_the_wait(lived):
    lake = lake_of(lived)
    daily = lake.snapshot().read(DAILY)
    lake.publish(Change.replace(DAILY, daily.filter(pc.greater(daily["session"], FIRST))))
    outcome = keep_paper_log(lake, as_of=close(LAST), logged_at=close(LAST), run_id="r")
    assert (outcome.added, outcome.rows, outcome.waiting) == (0, 2 * TICKERS, 2 * 4 * TICKERS - TICKERS)


def due_day(settings):
    lake = lake_of(settings)
    return due.daily(lake, settings, feeds_of(settings), session=LAST, as_of=close(LAST), now=close(LAST), tickers=())


def test_a_day_that_died_before_its_changes_or_its_log_is_due(lived):
    lake = lake_of(lived)
    assert not due_day(lived)
    for table, since in ((replace_table(), LAST), (PAPER_LOG, SECOND)):
        whole = lake.snapshot().read(table)
        lake.publish(Change.replace(table, whole.filter(pc.less(whole["session"], since))))
        assert due_day(lived), table.full_name
        lake.publish(Change.replace(table, whole))
        assert not due_day(lived)
    (lived.dataset_home / "exports" / f"changes_{LAST}.json").unlink()
    assert due_day(lived)


def test_no_score_is_taken_apart_on_other_data_than_it_was_made_from(lived):
    lake = lake_of(lived)
    panel = lake.snapshot().read(PANEL)
    lake.publish(Change.replace(PANEL, panel.slice(0, panel.num_rows - 1)))
    for flow in (explain, tell_changes):
        lake.publish(*(Change.replace(table, table.empty()) for table in (replace_table(), explanations())))
        with pytest.raises(BlockedByDataError, match=rf"changed since {LAST} was predicted.*trader predict --session {LAST}"):
            flow(lake, lived, session=LAST, made_at=close(LAST), run_id="r")


def explanations():
    from trader_pipeline.schema.predicted import EXPLANATIONS  # noqa: PLC0415 - used once

    return EXPLANATIONS


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


def opens(session):
    return calendar.open_at(EXCHANGE, session)


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
    lake.publish(*(Change.replace(table, table.empty()) for table in (replace_table(), explanations())))
    assert not due.explain.is_due(lake.snapshot(), SECOND), "nothing could be said, so no run is due for it"
    assert explain(lake, lived, **stands).rows == 0
    assert tell_changes(lake, lived, **stands).kinds == {}
    assert [str(SECOND) in record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [True, True]


DIES_AT_EVERY_STEP = """
import datetime as dt, os, signal, sys
from pathlib import Path
from trader_pipeline_tests.flows.test_days import LAST, close, day, lake_of, settings_of
import trader_pipeline.inference.content as content, shutil
content.code_version()
settings = settings_of(Path(sys.argv[1]))
real_fsync = os.fsync
def child(home, left):
    settings = settings_of(Path(home))
    def die(event, args):
        nonlocal left
        if event in ("os.rename", "fsync") and (event == "fsync" or home in str(args[0])):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    def fsync(descriptor):
        die("fsync", ())
        real_fsync(descriptor)
    os.fsync = fsync
    sys.addaudithook(die)
    day(lake_of(settings), settings, LAST)
    os._exit(0)
for step in range(0, 400, 2):
    home = f"{sys.argv[2]}/copy{step:03d}"
    shutil.copytree(sys.argv[1], home, copy_function=os.link)  # what is written is renamed into place
    pid = os.fork()
    if not pid:
        child(home, step)
    _, status = os.waitpid(pid, 0)
    print(home, os.WIFSIGNALED(status), flush=True)
    if not os.WIFSIGNALED(status):
        sys.exit(os.WEXITSTATUS(status))
"""


@pytest.fixture
def the_day_before(lived):
    """As `lived`, but LAST was not predicted yet."""
    lake = lake_of(lived)
    tables = (DAILY, replace_table(), explanations())
    lake.publish(*(Change.replace(t, lake.snapshot().read(t).filter(pc.less(lake.snapshot().read(t)["session"], LAST))) for t in tables))
    for path in (*export_paths(lived.dataset_home / "exports", LAST), lived.dataset_home / "exports" / f"changes_{LAST}.json"):
        path.unlink()
    return lived


@pytest.mark.slow
def test_kill_9_between_any_two_steps_leaves_yesterday_served_and_stale(the_day_before, tmp_path):
    """Every second fsync and rename of a whole day's publishing is a moment to die at; the day is made whole by the next run."""
    folder = tmp_path / "copies"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", DIES_AT_EVERY_STEP, str(the_day_before.home), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    killed = [Path(line.split()[0]) for line in done.stdout.splitlines() if line.endswith("True")]
    seen = {home: newest_served(home) for home in killed}
    assert set(seen.values()) == {SECOND, LAST}, "some died before the commit point, some after"
    assert len(killed) > 10
    asked = {home: due_day(settings_of(home)) for home in killed}
    assert {(seen[home], asked[home]) for home in killed} >= {(SECOND, True), (LAST, True)}
    assert all(asked[home] != made_whole(home) for home in killed)
    for home in killed[:: max(1, len(seen) // 6)]:
        settings = settings_of(home)
        day(lake_of(settings), settings, LAST)
        assert not due_day(settings)
        assert rebuilt(settings, LAST).same


def made_whole(home):
    """Say whether all that a day leaves behind is there; some died when nothing was left to do."""
    settings = settings_of(home)
    files = (*export_paths(settings.dataset_home / "exports", LAST), settings.dataset_home / "exports" / f"changes_{LAST}.json")
    snapshot = lake_of(settings).snapshot()
    there = [LAST in snapshot.read(table)["session"].to_pylist() for table in (DAILY, explanations(), replace_table())]
    return all(there) and all(file.exists() for file in files)


def newest_served(home):
    """What readers get after the kill: the newest session whole, marked stale where it is not the last closed one, its export whole."""
    settings = settings_of(home)
    snapshot = lake_of(settings).snapshot()
    newest = queries.sessions(snapshot)[0]
    assert snapshot.sql("select count(*) n from predictions.daily where session = ?", [newest])["n"][0].as_py() == TICKERS * 4
    live = settings.model_copy(update={"dataset": "live"})
    assert (states.of_session(snapshot, live, newest, close(LAST) + dt.timedelta(hours=2)).kind == "stale") == (newest == SECOND)
    exports = settings.dataset_home / "exports"
    assert export_breaches(*export_paths(exports, SECOND)) == []
    parquet, manifest = export_paths(exports, LAST)
    if manifest.exists():
        assert export_breaches(parquet, manifest) == []
    else:
        assert is_due(lake_of(settings), settings, session=LAST, as_of=close(LAST), now=close(LAST))
    return newest


def test_an_outcome_says_what_was_compared(lived_home):
    outcome = told_again(lived_home, LAST)
    assert asdict(outcome)["changed"] is False
    assert outcome.previous == SECOND
