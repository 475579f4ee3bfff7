"""Where a prediction enters, by what the market's stocks have."""

import datetime as dt

import pyarrow as pa
import pytest

from trader_pipeline.entry import CLOSE, OPEN, entry_of
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.core import ACCEPTED_BARS, TICKER_MAP

DAY = dt.date(2020, 2, 7)


@pytest.mark.parametrize(
    ("opens", "entry"),
    [
        ({"AAA": 10.0, "BBB": None, "SPY": None}, OPEN),
        ({"AAA": None, "BBB": None, "SPY": None}, CLOSE),
        ({"AAA": None, "BBB": None, "SPY": 10.0}, CLOSE),
    ],
)
def test_the_entry_is_the_open_where_any_stock_has_one(tmp_path, opens, entry):
    lake = Lake(tmp_path / "lake", "own")
    known = dt.datetime(2020, 2, 7, 21, 30, tzinfo=dt.UTC)
    bars = [
        {"ticker": name, "session": DAY, "known_at": known, "source": "own", "open": price, "close": 10.0} for name, price in opens.items()
    ]
    mapped = [
        {"ticker": name, "symbol": name, "valid_from": DAY, "issuer_id": name, "exchange": "XNYS"}
        | {"role": "benchmark" if name == "SPY" else "stock"}
        for name in opens
    ]
    lake.publish(
        Change.replace(ACCEPTED_BARS, ACCEPTED_BARS.conform(pa.Table.from_pylist(bars))),
        Change.replace(TICKER_MAP, TICKER_MAP.conform(pa.Table.from_pylist(mapped))),
    )
    assert entry_of(lake.snapshot()) == entry
