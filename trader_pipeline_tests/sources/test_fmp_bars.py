"""FMP's bars: as traded, with the actions of the same days."""

import datetime as dt
import functools

import numpy as np
import pytest

from trader_pipeline.errors import UsageError
from trader_pipeline.schema import core
from trader_pipeline.schema.raw_fmp import FMP_BARS, FMP_DIVIDENDS, FMP_SPLITS
from trader_pipeline.sources.fmp_bars import FMP_BARS_FEED
from trader_pipeline_tests.fake_fmp import BARS, FULL, RECORDED, SPLITS
from trader_pipeline_tests.sources import asking_fmp
from trader_pipeline_tests.sources.asking_fmp import replies
from trader_pipeline_tests.sources.fmp_market import SPLIT, fmp_server
from trader_pipeline_tests.sources.vendors import FIRST


@pytest.fixture
def fmp():
    with fmp_server() as server:
        yield server


ask = functools.partial(asking_fmp.ask, FMP_BARS_FEED)


def rows_of(found, table, **wanted):
    rows = [row for row in found[table].to_pylist() if all(row[name] == value for name, value in wanted.items())]
    return sorted(rows, key=lambda row: row["session"])


def test_bars_and_volumes_are_as_traded_across_a_split(fmp, tmp_path):
    attempts, found, _ = ask(fmp, tmp_path, "AAPL")
    truth = fmp.world.traded("AAPL")
    shown = (fmp.world.days >= np.datetime64(FIRST)) & (fmp.world.days <= np.datetime64(fmp.world.today))
    bars = rows_of(found, core.DAILY_BARS)
    assert [row["session"] for row in bars] == fmp.world.days[shown].tolist()
    for name, ours in {"open": "open", "high": "high", "low": "low", "close": "close", "volume": "volume_shares"}.items():
        assert [row[ours] for row in bars] == truth[name][shown].tolist()
    assert {(row["currency"], row["price_unit"], row["source"]) for row in bars} == {("USD", "USD", "fmp")}
    at_split = next(i for i, row in enumerate(bars) if row["session"] == SPLIT)
    assert 3.5 < bars[at_split - 1]["close"] / bars[at_split]["close"] < 4.5
    assert attempts["AAPL"].requests == 3


def test_full_is_split_adjusted_which_is_why_it_is_not_asked(fmp, tmp_path):
    """The recorded reply of `full` matches as traded only because AAPL has not split since 2023."""
    before = RECORDED["full_before_the_split"]
    raw = next(row for row in RECORDED["non_split_adjusted"] if row["date"] == before["date"])
    assert (raw["adjOpen"] / before["open"], before["volume"] / raw["volume"]) == (4.0, 4.0)
    assert {row["date"]: row["close"] for row in RECORDED["full"]} == {"2023-01-03": 125.07, "2023-01-04": 126.36}
    _, found, _ = ask(fmp, tmp_path, "AAPL")
    assert fmp.hits[FULL] == 0
    adjusted = fmp.full("AAPL", {"from": "2025-04-11", "to": "2025-04-11"})[0]
    (traded,) = rows_of(found, core.DAILY_BARS, session=dt.date(2025, 4, 11))
    assert traded["close"] == pytest.approx(4 * adjusted["close"])
    assert traded["volume_shares"] == pytest.approx(adjusted["volume"] / 4)


def test_splits_and_dividends_come_with_the_bars(fmp, tmp_path):
    _, found, _ = ask(fmp, tmp_path, "AAPL", "MSFT")
    actions = [(row["ticker"], row["session"], row["kind"], row["value"]) for row in rows_of(found, core.CORPORATE_ACTIONS)]
    assert actions == [
        ("AAPL", dt.date(2025, 3, 10), "dividend", 0.82),  # of 2025-02-10 nothing: before the span; as paid, not 0.205
        ("AAPL", SPLIT, "split", 4.0),
        ("AAPL", dt.date(2025, 5, 12), "dividend", 0.26),
    ]


def test_two_actions_of_a_day_are_one_and_one_ahead_is_not_stored_yet(fmp, tmp_path):
    day, ahead = dt.date(2025, 4, 14), dt.date(2025, 6, 9)
    fmp.world.splits["HON"] = [(day, 1, 2), (day, 9535, 10000), (ahead, 3, 1)]
    fmp.world.dividends["HON"] = [(day, 0.5), (day, 1.25), (ahead, 9.0)]
    _, found, tables = ask(fmp, tmp_path, "HON")
    values = {row["kind"]: (row["session"], row["value"]) for row in rows_of(found, core.CORPORATE_ACTIONS)}
    assert values == {"split": (day, pytest.approx(0.5 * 0.9535)), "dividend": (day, 1.75)}
    assert sorted(tables[FMP_SPLITS]["entry"].to_pylist()) == [0, 1]
    assert tables[FMP_DIVIDENDS].num_rows == 2


def test_a_row_sent_twice_counts_once(fmp, tmp_path):
    _, found, _ = ask(fmp, tmp_path / "once", "AAPL")
    twice = fmp.dividends("AAPL", {}) * 2
    replies(fmp, non_split_adjusted=fmp.bars("AAPL", {"from": str(FIRST)}), splits=fmp.splits("AAPL", {}) * 2, dividends=twice)
    _, again, _ = ask(fmp, tmp_path, "AAPL")
    assert rows_of(again, core.CORPORATE_ACTIONS) == rows_of(found, core.CORPORATE_ACTIONS)


def test_a_bar_that_is_not_final_is_refused(fmp, tmp_path):
    early = dt.datetime(2025, 6, 2, 20, 29, tzinfo=dt.UTC)
    _, found, _ = ask(fmp, tmp_path, "AAPL", as_of=early)
    assert rows_of(found, core.DAILY_BARS)[-1]["session"] == dt.date(2025, 5, 30)


def test_a_long_history_is_asked_in_spans_that_no_answer_cuts(tmp_path):
    with fmp_server() as fmp:
        fmp.world.first = dt.date(1995, 1, 3)
        fmp.world.today = dt.date(2014, 12, 29)
        moment = dt.datetime(2014, 12, 30, tzinfo=dt.UTC)
        attempts, found, _ = ask(fmp, tmp_path, "AAPL", as_of=moment, fetched_at=moment, first_session=dt.date(1995, 1, 3))
        sessions = [row["session"] for row in rows_of(found, core.DAILY_BARS)]
        assert len(fmp.bars("AAPL", {"from": "1995-01-03"})) == 5000
        assert sessions == fmp.world.days[fmp.world.days <= np.datetime64("2014-12-29")].tolist()
        assert len(sessions) == 5034
        assert [q["from"] for _, path, q, _, _ in fmp.log if path == BARS] == ["1995-01-03", "2010-01-01"]
    assert attempts["AAPL"].first_session == dt.date(1995, 1, 3)


def test_the_watermark_is_where_asking_starts_and_now_is_where_it_ends(fmp, tmp_path):
    ask(fmp, tmp_path, "AAPL", since={"AAPL": dt.date(2025, 5, 19)})
    query = next(asked.query for asked in fmp.log if asked.path == BARS)
    assert query == {"symbol": "AAPL", "from": "2025-05-19"}


def test_an_unknown_symbol_is_told_apart_and_stops_no_other(fmp, tmp_path):
    attempts, found, _ = ask(fmp, tmp_path, "GONE", "AAPL")
    assert {name: a.outcome for name, a in attempts.items()} == {"GONE": "unknown_symbol", "AAPL": "ok"}
    assert {row["symbol"] for row in found[core.LISTINGS].to_pylist()} == {"AAPL"}


def test_the_listing_names_calendar_currency_and_role(fmp, tmp_path):
    _, found, _ = ask(fmp, tmp_path, "SPY", "SAP.DE")
    listings = {row["symbol"]: (row["exchange"], row["role"], row["first_session"]) for row in found[core.LISTINGS].to_pylist()}
    assert listings == {"SPY": ("XNYS", "benchmark", FIRST), "SAP.DE": ("XETR", "stock", FIRST)}
    assert {(r["currency"], r["price_unit"]) for r in rows_of(found, core.DAILY_BARS, ticker="SAP.DE")} == {("EUR", "EUR")}


def test_a_listing_whose_unit_is_open_is_refused_unasked(fmp, tmp_path):
    """In London some quote in pence and some in dollars; of Cairo we know nothing."""
    attempts, _, tables = ask(fmp, tmp_path, "VOD.L", "COMI.CA")
    assert {name: (a.outcome, a.requests) for name, a in attempts.items()} == {"VOD.L": ("no_data", 0), "COMI.CA": ("no_data", 0)}
    assert "do not say whether they are in GBp" in attempts["VOD.L"].detail
    assert "add it to sources/listings.py" in attempts["COMI.CA"].detail
    assert tables == {}


def test_numbers_come_as_text_or_null_and_what_is_no_number_is_told(fmp, tmp_path):
    row = {"symbol": "AAPL", "date": "2025-05-30", "adjOpen": "1,200.5", "adjHigh": None, "adjLow": "n/a", "adjClose": 1201, "volume": ""}
    nameless = {**row, "date": None}
    replies(fmp, non_split_adjusted=[row, nameless], splits=[], dividends=[])
    attempts, found, tables = ask(fmp, tmp_path, "AAPL")
    (bar,) = rows_of(found, core.DAILY_BARS)
    assert [bar[name] for name in ("open", "high", "low", "close", "volume_shares")] == [1200.5, None, None, 1201.0, None]
    assert attempts["AAPL"].detail == "2 unreadable adjLow; 1 rows without date"
    assert tables[FMP_BARS].num_rows == 1


def test_a_renamed_field_is_a_change_of_schema(fmp, tmp_path):
    replies(fmp, non_split_adjusted=RECORDED["full"], splits=[], dividends=[])
    attempts, _, _ = ask(fmp, tmp_path, "AAPL")
    assert attempts["AAPL"].outcome == "schema_change"
    assert attempts["AAPL"].detail.startswith("raw.fmp_bars: no row has adjClose, adjHigh, adjLow, adjOpen, only change")


def test_the_recorded_replies_parse_to_their_figures(fmp, tmp_path):
    replies(fmp, non_split_adjusted=RECORDED["non_split_adjusted"], splits=RECORDED["splits"], dividends=RECORDED["dividends"])
    _, found, _ = ask(fmp, tmp_path, "AAPL", first_session=dt.date(2015, 1, 2))
    bars = {row["session"]: (row["open"], row["close"], row["volume_shares"]) for row in rows_of(found, core.DAILY_BARS)}
    assert bars[dt.date(2020, 8, 28)] == (504.04, 499.24, 46_907_500)
    assert bars[dt.date(2020, 8, 31)] == (127.58, 129.04, 225_702_700)
    actions = [(row["session"], row["kind"], row["value"]) for row in rows_of(found, core.CORPORATE_ACTIONS)]
    assert actions == [
        (dt.date(2020, 8, 7), "dividend", 0.82),
        (dt.date(2020, 8, 31), "split", 4.0),
        (dt.date(2020, 11, 6), "dividend", 0.205),
    ]


def test_every_split_of_a_span_is_kept(fmp, tmp_path):
    replies(fmp, non_split_adjusted=RECORDED["non_split_adjusted"], splits=RECORDED["splits"], dividends=[])
    _, found, _ = ask(fmp, tmp_path, "AAPL", first_session=dt.date(2011, 1, 3))
    assert [row["value"] for row in rows_of(found, core.CORPORATE_ACTIONS)] == [7.0, 4.0]
    assert fmp.hits[SPLITS] == 1


def test_without_a_first_session_nobody_knows_what_to_ask(fmp, tmp_path):
    with pytest.raises(UsageError, match="live_first_session"):
        ask(fmp, tmp_path, "AAPL", first_session=None)
