import datetime as dt
from dataclasses import replace

import numpy as np
import pyarrow as pa

from trader_pipeline.features import FEATURES, characteristics, macro, options, sentiment
from trader_pipeline.features.build import build_panel
from trader_pipeline.schema.core import CHARACTERISTICS, MACRO, SECTORS
from trader_pipeline_tests.features import markets

NAN = np.nan


def test_prices_are_forward_adjusted_and_volume_the_other_way():
    days = markets.sessions(4)
    tables = markets.core(
        markets.bars(["A"], days, close=np.array([80.0, 20.0, 21.0, 7.0]), volume_shares=np.array([1.0, 4.0, 4.0, 12.0])),
        moves=markets.actions(("A", days[1], "split", 4.0), ("A", days[3], "split", 3.0)),
    )
    prices = markets.market(tables, days).prices
    np.testing.assert_array_equal(prices.close, [[80.0, 80.0, 84.0, 84.0]])
    np.testing.assert_array_equal(prices.volume, [[1.0, 1.0, 1.0, 1.0]])
    np.testing.assert_array_equal(prices.dollar_volume, [[80.0, 80.0, 84.0, 84.0]])


def test_a_split_before_the_first_bar_is_in_its_price_already():
    days = markets.sessions(3)
    close = np.array([[NAN, 20.0, 21.0], [1.0, 1.0, 1.0]])
    tables = markets.core(markets.bars(["A", "B"], days, close=close), moves=markets.actions(("A", days[1], "split", 4.0)))
    np.testing.assert_array_equal(markets.market(tables, days).prices.close[0], [NAN, 20.0, 21.0])


def test_a_price_of_zero_is_no_price():
    prices = markets.lone(close=np.array([10.0, 0.0, 11.0]), open=np.array([0.0, 10.0, 11.0])).prices
    np.testing.assert_array_equal(prices.close, [[10.0, NAN, 11.0]])
    np.testing.assert_array_equal(prices.open, [[NAN, 10.0, 11.0]])


def test_the_benchmark_is_no_row_of_the_panel():
    days = markets.sessions(3)
    market = markets.market(markets.core(markets.bars(["A", "SPY"], days, close=np.ones((2, 3))), benchmark="SPY"), days)
    assert market.grid.tickers == ("A",)
    assert set(build_panel(market, FEATURES)["ticker"].to_pylist()) == {"A"}


def test_a_session_that_everybody_misses_stays_on_the_grid_without_rows():
    days = markets.sessions(3)
    tables = markets.core(markets.bars(["A"], days[[0, 2]], close=np.array([1.0, 2.0])))
    market = markets.market(tables, days)
    np.testing.assert_array_equal(market.rows, [[True, False, True]])
    np.testing.assert_array_equal(market.prices.log_return, [[NAN, NAN, NAN]])


def test_a_sector_holds_between_its_dates():
    days = markets.sessions(5)
    tables = markets.core(markets.bars(["A", "B"], days, close=np.ones((2, 5))))
    placed = pa.Table.from_pylist(
        [
            {"ticker": "A", "valid_from": dt.date(2000, 1, 1), "valid_to": days[1].item(), "sector": "old"},
            {"ticker": "A", "valid_from": days[3].item(), "valid_to": None, "sector": "new"},
            {"ticker": "Z", "valid_from": days[0].item(), "valid_to": None, "sector": "unlisted"},
        ],
        schema=SECTORS.arrow_schema,
    )
    codes = markets.market(replace(tables, sectors=placed), days).sector
    assert codes[0, 0] == codes[0, 1]
    assert codes[0, 3] == codes[0, 4]
    assert len({int(code) for code in codes[0]}) == 3
    np.testing.assert_array_equal(codes[[0, 0, 1], [2, 2, 0]], [-1, -1, -1])


def facts(*rows):
    """Each row is (ticker, observed session, known at session, value)."""
    tickers, observed, learnt, values = zip(*rows, strict=True)
    return CHARACTERISTICS.conform(
        pa.table(
            {
                "ticker": list(tickers),
                "name": ["z"] * len(rows),
                "observed_on": pa.array(np.array(observed)).cast(pa.date32()),
                "known_at": markets.known(np.array(learnt)),
                "source": ["own"] * len(rows),
                "value": list(values),
            }
        )
    )


def test_a_characteristic_is_used_from_when_it_was_known_and_for_five_sessions():
    days = markets.sessions(9)
    table = facts(("A", days[0], days[1], 1.0), ("A", days[2], days[2], 5.0), ("A", days[0], days[3], 8.0))
    tables = markets.core(markets.bars(["A"], days, close=np.ones(9)), facts=table)
    np.testing.assert_array_equal(markets.market(tables, days).characteristics["z"], [[NAN, 1, 5, 5, 5, 5, 5, 5, NAN]])


def test_characteristics_are_standardized_among_the_tickers_that_traded():
    days = markets.sessions(2)
    close = np.ones((4, 2))
    close[3, 0] = NAN
    table = facts(*((name, day, day, value) for day in days for name, value in zip("ABCD", (1.0, 2.0, 3.0, 2.0), strict=True)))
    market = markets.market(markets.core(markets.bars(list("ABCD"), days, close=close), facts=table), days)
    np.testing.assert_allclose(characteristics.characteristic_z.compute(market)[:, 0], [-1.0, 0.0, 1.0, NAN])
    np.testing.assert_allclose(characteristics.characteristic_z.compute(market)[:, 1], [-1.2247449, 0.0, 1.2247449, 0.0])


def test_a_regime_turns_the_sign_and_is_absent_once_its_series_ends():
    days = markets.sessions(8)
    close = np.ones((3, 8))
    table = facts(*((name, day, day, value) for day in days for name, value in zip("ABC", (1.0, 2.0, 3.0), strict=True)))
    series = markets.macro("regime", days[:2], [1.0, -1.0])
    market = markets.market(markets.core(markets.bars(list("ABC"), days, close=close), facts=table, series=series), days)
    np.testing.assert_array_equal(macro.regime.compute(market)[0], [1, -1, -1, -1, -1, -1, -1, NAN])
    np.testing.assert_allclose(macro.characteristic_z_by_regime.compute(market)[:, 1], [1.0, 0.0, -1.0])


def test_a_family_without_data_is_a_null_column():
    days = markets.sessions(30)
    market = markets.market(markets.core(markets.bars(["A"], days, close=np.arange(1.0, 31.0))), days)
    panel = build_panel(market, FEATURES)
    for feature in (*characteristics.FEATURES, *macro.FEATURES, *sentiment.FEATURES, *options.FEATURES):
        assert panel[feature.name].null_count == 30
    assert panel["return_1d"].null_count == 1
    assert MACRO.empty().num_rows == 0
