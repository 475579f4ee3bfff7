"""What changed since the session before, and what that is put down to."""

import json
import shutil
from dataclasses import asdict, replace

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from trader_pipeline.dashboard import queries
from trader_pipeline.features import PANEL
from trader_pipeline.flows.changes import previous_session
from trader_pipeline.lake import Change
from trader_pipeline.models import checkpoint
from trader_pipeline.schema.outputs import DAILY
from trader_pipeline.schema.predicted import CHANGES
from trader_pipeline.schema.training import CALIBRATION, RUNS
from trader_pipeline_tests.flows.days import FIRST, LAST, NAMES, SECOND, TICKERS, close, day, lake_of, told_again


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
    lake.publish(Change.upsert(CHANGES, at_last))
    told_again(lived, LAST)
    assert {row["data_effect"] for row in changes_of(lived, LAST)} == {None}, "the earlier model is gone"


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
        Change.replace(CHANGES, CHANGES.empty()),
    )
    outcome = told_again(lived, LAST)
    assert (outcome.kinds["new"], outcome.kinds["lost"]) == (4, 4)
    by_name = {name: [row for row in changes_of(lived, LAST) if row["ticker"] == name] for name in names[:2]}
    assert {(row["kind"], row["cause"], row["previous_rank"]) for row in by_name[names[0]]} == {("new", "data", None)}
    assert {(row["kind"], row["cause"], row["rank"]) for row in by_name[names[1]]} == {("lost", "data", None)}
    assert outcome.previous == previous_session(lake.snapshot(), LAST) == SECOND


def test_an_outcome_says_what_was_compared(lived_home):
    outcome = told_again(lived_home, LAST)
    assert asdict(outcome)["changed"] is False
    assert outcome.previous == SECOND
