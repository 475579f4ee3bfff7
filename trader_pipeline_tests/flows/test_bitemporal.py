"""What was known on a day stays what was known on that day, whatever comes later."""

import hashlib
from dataclasses import replace

import pyarrow as pa
import pytest

from trader_pipeline.lake import Change, Snapshot
from trader_pipeline.parts import Commit
from trader_pipeline.schema import core
from trader_pipeline_tests.flows.raw_fetches import DAYS, after, bar, brought_up, fresh, publish, tables
from trader_pipeline_tests.old_lakes import commit

LOADED, LATER = after(DAYS[9]), after(DAYS[20])
THEN = after(DAYS[9], minutes=1)


@pytest.fixture
def lake(tmp_path):
    """Two securities, a split and a dividend, loaded once."""
    lake = fresh(tmp_path)
    rows = [bar(t, day, 10.0 + k, split=2.0 * (k == 4), dividend=0.5 * (k == 6)) for t in ("FB", "IBM") for k, day in enumerate(DAYS[:10])]
    publish(lake, LOADED, *rows)
    brought_up(lake)
    return lake


def known(lake, moment=THEN):
    snapshot = lake.snapshot()
    return {table.name: snapshot.known(table, moment).to_pylist() for table in (core.DAILY_BARS, core.CORPORATE_ACTIONS)}


def test_a_correction_changes_no_answer_of_the_day_before(lake):
    before = known(lake)
    publish(lake, LATER, bar("FB", DAYS[3], 99.0))
    brought_up(lake)
    assert known(lake) == before
    assert known(lake, LATER) != before


def test_a_restatement_of_the_whole_symbol_changes_no_answer_of_the_day_before(lake):
    before = known(lake)
    publish(lake, LATER, *(bar("FB", day, 5.0 + k / 2, split=2.0 * (k in {4, 8})) for k, day in enumerate(DAYS[:10])))
    brought_up(lake)
    assert known(lake) == before
    closes = [r["close"] for r in known(lake, LATER)["daily_bars"] if r["ticker"] == "FB"]
    assert closes == [5.0 + k / 2 for k in range(10)]


def test_a_rename_relabels_the_whole_history_and_changes_no_other_answer(lake, tmp_path):
    before = known(lake)
    symbols = tmp_path / "symbols.toml"
    symbols.write_text(f'[[rename]]\nfrom = "FB"\nto = "META"\non = {DAYS[15]}\n')
    publish(lake, LATER, bar("META", DAYS[16], 20.0))
    brought_up(lake, symbols)
    after_it = known(lake)
    assert {r["ticker"] for rows in after_it.values() for r in rows} == {"IBM", "META"}
    for name, rows in before.items():
        assert [r for r in after_it[name] if r["ticker"] == "IBM"] == [r for r in rows if r["ticker"] == "IBM"]
        relabelled = [r | {"ticker": "META"} for r in rows if r["ticker"] == "FB"]
        assert [r for r in after_it[name] if r["ticker"] == "META"] == relabelled
    intervals = lake.snapshot().sql(
        "select symbol, valid_from, valid_to, ended from core.ticker_map where ticker = 'META' order by valid_from"
    )
    assert [tuple(r.values()) for r in intervals.to_pylist()] == [
        ("FB", DAYS[0], DAYS[15].replace(day=DAYS[15].day - 1), "renamed"),
        ("META", DAYS[15], None, None),
    ]


def test_prices_of_a_reused_symbol_never_join(lake, tmp_path):
    symbols = tmp_path / "symbols.toml"
    symbols.write_text(f'[[end]]\nsymbol = "FB"\non = {DAYS[12]}\nname = "Old"\n')
    publish(lake, LATER, *(bar("FB", day, 50.0) for day in DAYS[15:21]))
    brought_up(lake, symbols)
    spans = lake.snapshot().sql(
        "select ticker, count(*) as n, min(session) as first from core.daily_bars where ticker like 'FB%' group by 1 order by 1"
    )
    assert [tuple(r.values()) for r in spans.to_pylist()] == [("FB", 6, DAYS[15]), (f"FB-{DAYS[11]:%Y%m}", 10, DAYS[0])]
    mapped = (
        lake.snapshot()
        .sql("select ticker, symbol, valid_to, ended, name from core.ticker_map where symbol = 'FB' order by ticker")
        .to_pylist()
    )
    assert [tuple(r.values()) for r in mapped] == [
        ("FB", "FB", None, None, "FB Inc."),
        (f"FB-{DAYS[11]:%Y%m}", "FB", DAYS[9], "delisted", "Old"),
    ]


def test_an_action_that_a_refetched_bar_no_longer_carries_is_taken_back(lake):
    before = known(lake)
    publish(lake, LATER, bar("FB", DAYS[4], 14.0), bar("FB", DAYS[6], None))
    brought_up(lake)
    assert known(lake) == before
    taken = lake.snapshot().sql(
        "select kind, value, known_at_basis from core.corporate_actions where ticker = 'FB' and known_at = ?", [LATER]
    )
    assert taken.to_pylist() == [{"kind": "split", "value": 1.0, "known_at_basis": "observed"}]
    assert [r["kind"] for r in lake.snapshot().actions(LATER, "FB").to_pylist()] == ["dividend"]
    assert [r["kind"] for r in lake.snapshot().actions(THEN, "FB").to_pylist()] == ["split", "dividend"]


def test_the_same_commit_id_returns_the_same_bytes(lake):
    old = lake.snapshot()
    digests = {path: hashlib.sha256(path.read_bytes()).hexdigest() for table in core.TABLES for path in old.files(table)}
    rows = {table.full_name: old.read(table) for table in core.TABLES}
    publish(lake, LATER, bar("FB", DAYS[3], 99.0))
    brought_up(lake)
    again = Snapshot(lake.root, Commit.from_json((lake.root / "commits" / f"{old.commit.id}.json").read_bytes()))
    again.verify()
    assert {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in digests} == digests
    assert all(again.read(table).equals(rows[table.full_name]) for table in core.TABLES)
    assert lake.snapshot().read(core.DAILY_BARS).num_rows == rows["core.daily_bars"].num_rows + 1


@pytest.mark.parametrize("version", [0, 1], ids=["unreadable", "migrated"])
def test_tables_of_an_older_schema_are_made_again(lake, version):
    before = tables(lake)
    entries = lake.snapshot().commit.tables
    old = {f"core__{t.name}": replace(entries[t.full_name], schema_version=version) for t in (core.CORPORATE_ACTIONS, core.DAILY_BARS)}
    commit(lake, **(old if version == 0 else {"core__corporate_actions": old["core__corporate_actions"]}))
    assert lake.snapshot().stale() == (["core.corporate_actions", "core.daily_bars"] if version == 0 else ["core.corporate_actions"])
    assert brought_up(lake).changed
    assert tables(lake) == before
    assert lake.snapshot().stale() == []


def test_actions_come_from_the_source_of_the_tickers_bars(lake):
    snapshot = lake.snapshot()
    bars = snapshot.sql(
        "select ticker, session, known_at, source, open, high, low, close, volume_shares, close as close_usd from core.daily_bars"
    )
    split = next(r for r in snapshot.read(core.CORPORATE_ACTIONS).to_pylist() if r["kind"] == "split" and r["ticker"] == "FB")
    other = pa.Table.from_pylist([split | {"source": "fmp", "session": DAYS[5]}], schema=core.CORPORATE_ACTIONS.arrow_schema)
    lake.publish(Change.replace(core.ACCEPTED_BARS, bars), Change.append(core.CORPORATE_ACTIONS, other))
    found = lake.snapshot().actions(LATER, "FB").to_pylist()
    assert [(r["kind"], r["session"], r["source"]) for r in found] == [("split", DAYS[4], "yahoo"), ("dividend", DAYS[6], "yahoo")]
