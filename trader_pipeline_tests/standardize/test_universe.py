import datetime as dt

from trader_pipeline.schema.core import TICKER_MAP, UNIVERSE
from trader_pipeline.standardize.universe import stock_members


def test_stocks_are_members_for_as_long_as_their_symbol_is_valid_benchmarks_never():
    first, last = dt.date(2020, 1, 2), dt.date(2021, 3, 4)
    columns = {
        "ticker": ["A", "B", "SPY"],
        "valid_from": [first] * 3,
        "valid_to": [None, last, None],
        "issuer_id": ["A", "B", "SPY"],
        "exchange": ["XNYS"] * 3,
        "name": [None] * 3,
        "role": ["stock", "stock", "benchmark"],
    }
    tickers = TICKER_MAP.empty().from_pydict(columns, schema=TICKER_MAP.arrow_schema)
    members = UNIVERSE.sorted(UNIVERSE.conform(stock_members(tickers, "own")))
    assert [tuple(row.values()) for row in members.to_pylist()] == [("own", "A", first, None), ("own", "B", first, last)]
