"""A panel to which sessions are added has the bits of one that is made as a whole, and is only added to when nothing older changed."""

import datetime as dt
from dataclasses import fields

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from trader_pipeline import calendar
from trader_pipeline.features import PANEL
from trader_pipeline.flows.build_features import build_features
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema import core
from trader_pipeline.schema.features import TARGETS
from trader_pipeline_tests.features import markets

COUNT = 700


@pytest.fixture(scope="module")
def market():
    tables, _ = markets.random_core(COUNT)
    return tables, markets.sessions(COUNT)


@pytest.fixture
def lake(tmp_path, market):
    lake = Lake(tmp_path / "lake", "own")
    markets.publish(lake, market[0])
    return lake


def moment(days, place):
    return calendar.known_at("XNYS", days[place].item())


def made(lake):
    snapshot = lake.snapshot()
    return [snapshot.read(table).sort_by([("ticker", "ascending"), ("session", "ascending")]) for table in (PANEL, TARGETS)]


def made_at_once(tmp_path, tables, as_of):
    fresh = Lake(tmp_path / "fresh", "own")
    markets.publish(fresh, tables)
    build_features(fresh, as_of=as_of, run_id="once")
    return made(fresh)


def test_every_field_of_the_core_tables_is_published_here(market):
    assert {field.name for field in fields(market[0])} == {*markets.STORED, "scored_news"}


def test_added_sessions_have_the_bits_of_a_panel_made_at_once(tmp_path, lake, market):
    tables, days = market
    added = [
        build_features(lake, as_of=moment(days, place), run_id=str(place)).added for place in (COUNT - 9, COUNT - 8, COUNT - 4, COUNT - 1)
    ]
    assert added == [0, 1, 4, 3]
    assert made(lake) == made_at_once(tmp_path, tables, moment(days, COUNT - 1))
    assert not build_features(lake, as_of=moment(days, COUNT - 1), run_id="again").changed


@pytest.mark.parametrize("name", ["a correction of an older bar", "a split learnt of late", "an older fact", "another sector"])
def test_what_changes_the_past_makes_the_panel_anew(tmp_path, lake, market, name):
    tables, days = market
    build_features(lake, as_of=moment(days, COUNT - 3), run_id="1")
    late = {"known_at": moment(days, COUNT - 2)}
    if name == "a correction of an older bar":
        row = tables.accepted_bars.slice(500, 1).to_pylist()[0]
        changed = Change.upsert(
            core.ACCEPTED_BARS, pa.Table.from_pylist([row | late | {"close": row["close"] * 1.01}]), by=("ticker", "session")
        )
    elif name == "a split learnt of late":
        ticker = tables.accepted_bars["ticker"][0].as_py()
        row = {
            "ticker": ticker,
            "session": days[COUNT - 50].item(),
            "kind": "split",
            "value": 2.0,
            "source": "own",
            "known_at_basis": "observed",
        }
        changed = Change.append(core.CORPORATE_ACTIONS, pa.Table.from_pylist([row | late]))
    elif name == "an older fact":
        row = tables.characteristics.sort_by([("known_at", "ascending")]).slice(0, 1).to_pylist()[0]
        changed = Change.upsert(core.CHARACTERISTICS, pa.Table.from_pylist([row | {"value": row["value"] + 1}]))
    else:
        rows = tables.sectors.to_pylist()
        changed = Change.replace(core.SECTORS, pa.Table.from_pylist([rows[0] | {"sector": "other"}, *rows[1:]]))
    lake.publish(changed)
    outcome = build_features(lake, as_of=moment(days, COUNT - 1), run_id="2")
    assert (outcome.changed, outcome.added) == (True, 0)
    fresh = Lake(tmp_path / "fresh", "own")
    fresh.publish(*(Change.replace(table, lake.snapshot().read(table)) for table in markets.STORED.values()))
    build_features(fresh, as_of=moment(days, COUNT - 1), run_id="once")
    assert made(lake) == made(fresh)


def test_an_earlier_instant_makes_the_panel_of_that_instant(tmp_path, lake, market):
    tables, days = market
    build_features(lake, as_of=moment(days, COUNT - 1), run_id="1")
    build_features(lake, as_of=moment(days, COUNT - 5), run_id="2")
    assert made(lake) == made_at_once(tmp_path, tables, moment(days, COUNT - 5))
    newest = pc.max(lake.snapshot().read(PANEL)["session"]).as_py()
    assert newest == days[COUNT - 5].item() < dt.date(2100, 1, 1)
