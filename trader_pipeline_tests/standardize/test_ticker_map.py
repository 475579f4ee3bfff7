import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader_pipeline.standardize.symbol_changes import SymbolChange
from trader_pipeline.standardize.symbols import Symbols
from trader_pipeline.standardize.ticker_map import ticker_map
from trader_pipeline_tests.standardize.test_symbols import CHANGES, DAYS, HISTORY, renamed

FIRST, LAST = dt.date(2020, 1, 2), dt.date(2023, 6, 30)
META = SymbolChange(symbol="FB", changed_on=dt.date(2022, 6, 9), new_symbol="META", source="fmp")


def listing(symbol, source="yahoo", **told):
    return {"source": source, "symbol": symbol, "exchange": "XNYS", "name": None, "issuer_id": None, "role": "stock"} | told


def mapped(spans, *listings, changes=(), ended=None):
    rows = ticker_map(spans, listings, Symbols(changes), ended=ended or {}, order=("yahoo", "fmp"))
    return rows.to_pylist()


def told(row, *names):
    return tuple(row[name] for name in names)


def test_a_security_is_listed_from_its_first_bar_on_under_its_name():
    (row,) = mapped({"A": (FIRST, LAST)}, listing("A", name="Alpha"))
    assert told(row, "ticker", "symbol", "valid_from", "valid_to", "issuer_id", "ended") == ("A", "A", FIRST, None, "Alpha", None)


def test_what_the_first_source_in_order_says_counts():
    (row,) = mapped({"A": (FIRST, LAST)}, listing("A", "fmp", name="Other", role="benchmark"), listing("A", name="Alpha"))
    assert told(row, "name", "role") == ("Alpha", "stock")


def test_a_rename_makes_two_intervals_of_one_issuer():
    rows = mapped({"META": (FIRST, LAST)}, listing("META", name="Meta"), changes=[META])
    assert [told(r, "symbol", "valid_from", "valid_to", "ended", "issuer_id") for r in rows] == [
        ("FB", FIRST, dt.date(2022, 6, 8), "renamed", "Meta"),
        ("META", dt.date(2022, 6, 9), None, None, "Meta"),
    ]


def test_a_symbol_from_before_the_first_bar_is_left_out():
    (row,) = mapped({"META": (dt.date(2022, 7, 1), LAST)}, listing("META"), changes=[META])
    assert told(row, "symbol", "valid_from") == ("META", dt.date(2022, 7, 1))


def test_what_nobody_quotes_any_more_ends_with_its_last_bar():
    (row,) = mapped({"A": (FIRST, LAST)}, listing("A"), ended={"A": "presumed"})
    assert told(row, "valid_to", "ended") == (LAST, "presumed")


def test_the_name_of_who_has_the_symbol_now_is_not_that_of_who_had_it():
    end = SymbolChange(symbol="A", changed_on=dt.date(2021, 3, 1), new_symbol=None, source="symbols.toml", name="Old A")
    spans = {"A": (dt.date(2022, 1, 3), LAST), "A-202102": (FIRST, dt.date(2021, 2, 26))}
    rows = mapped(spans, listing("A", name="New A"), changes=[end])
    assert [told(r, "ticker", "name", "valid_to", "ended") for r in rows] == [
        ("A", "New A", None, None),
        ("A-202102", "Old A", dt.date(2021, 2, 26), "delisted"),
    ]


def overlapping(rows):
    """Return the pairs of rows of one symbol, or of one ticker, that share a day."""
    last = dt.date.max
    return [
        (told(a, "ticker", "symbol", "valid_from", "valid_to"), told(b, "ticker", "symbol", "valid_from", "valid_to"))
        for a, b in itertools.combinations(rows, 2)
        if (a["symbol"] == b["symbol"] or a["ticker"] == b["ticker"])
        and a["valid_from"] <= (b["valid_to"] or last)
        and b["valid_from"] <= (a["valid_to"] or last)
    ]


CHAIN = (renamed("A", "B", "2021-03-01"), renamed("B", "C", "2022-05-02"))
REUSED = (renamed("A", "B", "2020-03-02"), renamed("A", None, "2021-03-01"), renamed("A", "D", "2022-05-02"))
CASES = {"history": HISTORY, "META": (META,), "chain": CHAIN, "reused": REUSED}


@pytest.mark.parametrize("lingers", [False, True])
@pytest.mark.parametrize("ended", [None, "presumed"])
@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_a_symbol_means_one_security_a_day_though_all_have_bars_of_all_days(changes, ended, lingers):
    keys = [(v.change.symbol, v.change.changed_on) for v in Symbols(changes).vacated()] if lingers else []
    symbols = Symbols(changes, keys)
    tickers = {symbols.security(name, day) for name in symbols.known for day in (FIRST, LAST, *(c.changed_on for c in changes))}
    spans = dict.fromkeys(tickers, (dt.date(1997, 1, 2), LAST))
    rows = ticker_map(spans, [], symbols, ended=dict.fromkeys(tickers, ended) if ended else {}, order=("yahoo",)).to_pylist()
    assert {row["ticker"] for row in rows} == tickers
    assert overlapping(rows) == []


SPANS = st.lists(st.tuples(DAYS, DAYS).map(lambda days: (min(days), max(days))), min_size=20, max_size=20)


@given(st.lists(CHANGES, max_size=8), SPANS, st.randoms(use_true_random=False))
def test_no_two_intervals_of_a_symbol_or_of_a_security_share_a_day(changes, spans, random):
    told = Symbols(changes)
    vacated = [(v.change.symbol, v.change.changed_on) for v in told.vacated()]
    symbols = Symbols(changes, random.sample(vacated, random.randint(0, len(vacated))))
    days = (dt.date(1999, 1, 4), *(c.changed_on for c in told.changes))
    tickers = sorted({symbols.security(name, day) for name in "ABCD" for day in days})
    ended = {ticker: "delisted" for ticker in tickers if random.random() < 0.5}
    rows = ticker_map(dict(zip(tickers, spans, strict=False)), [], symbols, ended=ended, order=("yahoo",)).to_pylist()
    assert overlapping(rows) == []
