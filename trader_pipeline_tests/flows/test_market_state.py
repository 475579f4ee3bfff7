import datetime as dt

import numpy as np

from trader_pipeline.flows.market_state import market_state
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.core import ACCEPTED_BARS, TICKER_MAP
from trader_pipeline.schema.features import MARKET_STATE
from trader_pipeline_tests.features import markets

AS_OF = dt.datetime(2029, 1, 1, tzinfo=dt.UTC)


def stored(folder, *, benchmark):
    days = markets.sessions(600)
    close = 100 * np.exp(np.cumsum(0.01 * np.random.default_rng(0).standard_normal((2, 600)), axis=1))
    tables = markets.core(markets.bars(["A", "SPY"], days, close=close), benchmark=benchmark)
    lake = Lake(folder / "lake", "own")
    lake.publish(Change.replace(ACCEPTED_BARS, tables.accepted_bars), Change.replace(TICKER_MAP, tables.ticker_map))
    return lake


def test_a_market_without_a_benchmark_has_no_states(tmp_path):
    lake = stored(tmp_path, benchmark=None)
    assert market_state(lake, as_of=AS_OF, run_id="run")
    assert lake.snapshot().rows(MARKET_STATE) == 0
    assert not market_state(lake, as_of=AS_OF, run_id="again")


def test_states_begin_with_the_year_after_the_first_and_are_known_with_their_bar(tmp_path):
    lake = stored(tmp_path, benchmark="SPY")
    market_state(lake, as_of=AS_OF, run_id="run")
    rows = lake.snapshot().read(MARKET_STATE)
    assert rows["session"][0].as_py() == dt.date(2016, 1, 4)
    assert rows.num_rows == 600 - 252
    assert rows["known_at"][0].as_py() == dt.datetime(2016, 1, 4, 21, 30, tzinfo=dt.UTC)
