import datetime as dt

from trader_pipeline.schema.core import TICKER_MAP, UNIVERSE
from trader_pipeline.standardize.universe import stock_members


def test_stocks_are_members_while_they_are_listed_whatever_their_symbol_benchmarks_never():
    first, last = dt.date(2020, 1, 2), dt.date(2021, 3, 4)
    columns = {
        "ticker": ["A", "B", "C", "C", "SPY"],
        "symbol": ["A", "B", "WAS", "C", "SPY"],
        "valid_from": [first, first, first, last, first],
        "valid_to": [None, last, last - dt.timedelta(days=1), None, None],
        "issuer_id": ["A", "B", "C", "C", "SPY"],
        "exchange": ["XNYS"] * 5,
        "name": [None] * 5,
        "role": ["stock"] * 4 + ["benchmark"],
        "ended": [None, "delisted", "renamed", None, None],
    }
    tickers = TICKER_MAP.empty().from_pydict(columns, schema=TICKER_MAP.arrow_schema)
    members = UNIVERSE.sorted(UNIVERSE.conform(stock_members(tickers, "own")))
    assert [tuple(row.values()) for row in members.to_pylist()] == [
        ("own", "A", first, None),
        ("own", "B", first, last),
        ("own", "C", first, None),
    ]
