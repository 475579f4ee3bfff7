"""Standardizing each fetch as it comes ends with the same tables as standardizing all of them at once."""

import datetime as dt
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from trader_pipeline.flows import standardize_work
from trader_pipeline.schema import core, raw
from trader_pipeline_tests.flows.raw_fetches import (
    DAYS,
    after,
    bar,
    brought_up,
    fresh,
    headline,
    latest,
    publish,
    report,
    tables,
    vintage,
)

TICKERS = st.sampled_from(["A", "B", "C"])
SOON = st.integers(0, 9)
CLOSES = st.sampled_from([10.0, 10.0, 10.000001, 10.00002, 11.0, None])
BARS = st.builds(
    lambda t, d, close, split, dividend: bar(t, DAYS[d], close, split=split, dividend=dividend),
    TICKERS,
    SOON,
    CLOSES,
    st.sampled_from([0.0, 0.0, 2.0]),
    st.sampled_from([0.0, 0.5]),
)
NEWS = st.builds(
    lambda t, n, d, title: headline(t, f"u{n}", f"{DAYS[d]} 09:00:00", title), TICKERS, st.integers(0, 2), SOON, st.sampled_from("xy")
)
REPORTS = st.builds(lambda t, d, actual: report(t, DAYS[d], actual), TICKERS, SOON, st.sampled_from([None, 1.0, 2.0]))
LATEST = st.builds(lambda d, value: latest("CPIAUCSL", DAYS[d], value), SOON, st.sampled_from([1.0, 2.0]))
VINTAGES = st.builds(
    lambda d, r, value: vintage("UNRATE", DAYS[d], DAYS[d + r], value), st.integers(0, 1), st.integers(0, 3), st.sampled_from([1.0, 2.0])
)
ROWS = st.lists(st.one_of(BARS, BARS, BARS, NEWS, REPORTS, LATEST, VINTAGES), min_size=1, max_size=12)
RENAMES = st.sampled_from(
    [None, None, None, '[[rename]]\nfrom = "A"\nto = "C"\non = 2024-01-05\n', '[[end]]\nsymbol = "B"\non = 2024-01-09\n']
)
FETCHES = st.lists(st.tuples(st.integers(1, 4), ROWS, RENAMES), min_size=1, max_size=5)


def once_a_key(rows):
    """A fetch says each thing once: the last of the rows that share a key."""
    found = {}
    for table, row in rows:
        found[table, tuple(row[name] for name in table.key if name != "fetched_at")] = (table, row)
    return list(found.values())


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=[HealthCheck.too_slow])
@given(FETCHES)
def test_one_fetch_at_a_time_ends_as_all_at_once(fetches):
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        grown, whole, symbols = fresh(home / "grown"), fresh(home / "whole"), home / "symbols.toml"
        day = 2
        for days, rows, renames in fetches:
            day += days
            if renames:
                symbols.write_text(renames)
            for lake in (grown, whole):
                publish(lake, after(DAYS[day]), *once_a_key(rows))
            brought_up(grown, symbols)
        brought_up(whole, symbols)
        assert tables(grown) == tables(whole)


def spread(lake):
    for k, close in enumerate((10.0, 10.5, 11.0)):
        publish(
            lake,
            after(DAYS[5 + k]),
            *(bar(t, DAYS[5 + k], close) for t in "ABC"),
            bar("A", DAYS[2], 9.0 + k),
            headline("A", f"u{k}", f"{DAYS[3]} 08:00:00"),
        )


def test_in_pieces_ends_as_at_once(tmp_path, monkeypatch):
    one, many = fresh(tmp_path / "one"), fresh(tmp_path / "many")
    for lake in (one, many):
        spread(lake)
    brought_up(one)
    monkeypatch.setattr(standardize_work, "PIECE_ROWS", 2)
    brought_up(many)
    assert len(many.snapshot().parts(core.DAILY_BARS)) == 3
    assert tables(one) == tables(many)


def test_new_rows_are_appended_and_stored_parts_stay(tmp_path):
    lake = fresh(tmp_path)
    publish(lake, after(DAYS[5]), *(bar("A", day) for day in DAYS[:6]))
    brought_up(lake)
    before = set(lake.snapshot().files(core.DAILY_BARS))
    publish(lake, after(DAYS[6]), bar("A", DAYS[6], 12.0), bar("A", DAYS[3], 9.0))
    brought_up(lake)
    assert before < set(lake.snapshot().files(core.DAILY_BARS))
    assert lake.snapshot().rows(core.DAILY_BARS) == 8


def test_a_merge_of_raw_parts_is_no_news(tmp_path):
    lake = fresh(tmp_path)
    for day in DAYS[:23]:
        publish(lake, after(day), bar("A", day))
        brought_up(lake)
    assert len(lake.snapshot().parts(raw.YAHOO_BARS)) < 23
    assert not brought_up(lake).changed
    assert lake.snapshot().rows(core.DAILY_BARS) == 23


def test_raw_rows_that_are_gone_take_theirs_with_them(tmp_path):
    lake = fresh(tmp_path)
    publish(lake, after(DAYS[5]), bar("A", DAYS[4]), bar("A", DAYS[5]))
    brought_up(lake)
    publish(lake, after(DAYS[6]), bar("A", DAYS[6]))
    brought_up(lake)
    lake.drop(paths=[lake.snapshot().parts(raw.YAHOO_BARS)[0].path])
    assert brought_up(lake).changed
    assert lake.snapshot().sql("select session from core.daily_bars")["session"].to_pylist() == [DAYS[6]]


def test_rows_that_came_later_but_were_fetched_before_are_judged_in_their_order(tmp_path):
    lake, ordered = fresh(tmp_path / "late"), fresh(tmp_path / "ordered")
    early, late = (after(DAYS[5]), bar("A", DAYS[3], 10.0)), (after(DAYS[6]), bar("A", DAYS[3], 11.0))
    for row in (late, early):
        publish(lake, *row)
        brought_up(lake)
    for row in (early, late):
        publish(ordered, *row)
    brought_up(ordered)
    assert tables(lake) == tables(ordered)
    assert [r["close"] for r in tables(lake)["core.daily_bars"]] == [10.0, 11.0]


def test_a_second_run_changes_nothing(tmp_path):
    lake = fresh(tmp_path)
    spread(lake)
    assert brought_up(lake).changed
    head = lake.snapshot().commit.id
    assert not brought_up(lake).changed
    assert lake.snapshot().commit.id == head


def test_a_part_that_is_gone_is_made_again(tmp_path):
    lake = fresh(tmp_path)
    spread(lake)
    brought_up(lake)
    before = tables(lake)
    lake.drop(paths=[part.path for part in lake.snapshot().parts(core.NEWS)])
    brought_up(lake)
    assert tables(lake) == before


def test_news_counts_from_when_its_ticker_was_first_followed(tmp_path):
    lake = fresh(tmp_path)
    publish(lake, after(DAYS[5]), headline("A", "old", f"{DAYS[2]} 08:00:00"))
    brought_up(lake)
    publish(lake, after(DAYS[7]), headline("A", "new", f"{DAYS[6]} 08:00:00"), headline("A", "backfilled", f"{DAYS[1]} 08:00:00"))
    brought_up(lake)
    rows = (
        lake.snapshot()
        .sql("select url, known_at = published_at as at_once, known_at_basis as basis, known_at from core.news order by url")
        .to_pylist()
    )
    assert [(r["url"], r["at_once"], r["basis"]) for r in rows] == [
        ("backfilled", True, "assumed"),
        ("new", False, "observed"),
        ("old", True, "assumed"),
    ]
    assert rows[1]["known_at"].astimezone(dt.UTC) == after(DAYS[7])


def test_a_release_told_again_after_another_came_between_is_no_lost_value(tmp_path):
    grown, whole = fresh(tmp_path / "grown"), fresh(tmp_path / "whole")
    told = [(DAYS[1], 1.0), (DAYS[3], 1.0)], [(DAYS[2], 2.0)], [(DAYS[3], 1.0)]
    for k, vintages in enumerate(told):
        for lake in (grown, whole):
            publish(lake, after(DAYS[10 + k]), *(vintage("UNRATE", DAYS[0], released, value) for released, value in vintages))
        brought_up(grown)
    brought_up(whole)
    assert tables(grown) == tables(whole)
    assert [r["value"] for r in tables(grown)["core.macro"]] == [1.0, 2.0, 1.0]
