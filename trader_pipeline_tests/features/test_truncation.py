"""What a feature said on a day never depends on what came after it; `test_proof` holds the look-backs."""

import numpy as np
import pytest

from trader_pipeline import calendar
from trader_pipeline.features import FEATURES
from trader_pipeline.features.targets import volatility_daily
from trader_pipeline.features.truncation import cut
from trader_pipeline_tests.features import markets

COUNT = 620
BY_NAME = pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)


@pytest.fixture(scope="module")
def tables():
    return markets.random_core(COUNT)[0]


@pytest.fixture(scope="module")
def days():
    return markets.sessions(COUNT)


@pytest.fixture(scope="module")
def whole(tables, days):
    return markets.market(tables, days)


def cut_at(tables, days, last):
    moment = calendar.known_at_array("XNYS", days[last : last + 1])[0]
    return markets.market(cut(tables, days[last], moment), days[: last + 1])


@pytest.fixture(scope="module")
def truncated(tables, days):
    """The market as it stood at six sessions: before, on and after splits and dividends, and two at random."""
    picks = np.random.default_rng(11).integers(260, COUNT - 2, 2)
    return {int(last): cut_at(tables, days, int(last)) for last in (146, COUNT - 61, COUNT - 60, COUNT - 9, *picks)}


def assert_same_bits(got, expected):
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    known = ~np.isnan(got)
    np.testing.assert_array_equal(got[known].view(np.int64), expected[known].view(np.int64))


def rows_of(market, whole):
    return [whole.grid.tickers.index(name) for name in market.grid.tickers]


@BY_NAME
def test_truncating_bars_and_actions_changes_no_bit_of_the_past(feature, whole, truncated):
    full = feature.compute(whole)
    assert np.isfinite(full[:, -30:]).any()
    for last, market in truncated.items():
        assert_same_bits(feature.compute(market), full[rows_of(market, whole), : last + 1])


def test_the_gate_catches_a_feature_that_looks_ahead(whole, truncated):
    def leak(market):
        return market.prices.close / np.nanmax(market.prices.close, axis=1, keepdims=True)

    market = truncated[146]
    with pytest.raises(AssertionError):
        assert_same_bits(leak(market), leak(whole)[rows_of(market, whole), :147])


def test_truncation_changes_no_bit_of_what_scales_the_labels(whole, truncated):
    for last, market in truncated.items():
        rows = rows_of(market, whole)
        assert_same_bits(volatility_daily(market.prices), volatility_daily(whole.prices)[rows, : last + 1])
        assert_same_bits(market.beta, whole.beta[rows, : last + 1])


def test_a_later_split_changes_no_history_and_no_feature(days):
    generator = np.random.default_rng(3)
    close = 40 * np.exp(np.cumsum(0.02 * generator.standard_normal((6, COUNT)), axis=1))
    names, at = [f"S{i}" for i in range(6)], COUNT - 50
    ratio = np.ones(close.shape)
    ratio[2, at:] = 4.0
    plain = markets.market(markets.core(markets.bars(names, days, close=close)), days)
    split = markets.core(
        markets.bars(names, days, close=close / ratio, volume_shares=1e6 * ratio), moves=markets.actions(("S2", days[at], "split", 4.0))
    )
    for feature in FEATURES:
        expected, got = feature.compute(plain), feature.compute(markets.market(split, days))
        assert_same_bits(got[:, :at], expected[:, :at])
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12, err_msg=feature.name)


def test_a_bar_not_yet_known_is_ignored(tables, days):
    market = markets.market(cut(tables, days[-1], days[-1] + np.timedelta64(12, "h")), days)
    assert not market.rows[:, -1].any()
    assert market.rows[:, -2].any()


@pytest.mark.parametrize(
    "feature", [f for f in FEATURES if f.family in ("macro", "sentiment", "options")], ids=lambda feature: feature.name
)
def test_where_the_arrays_begin_changes_no_bit_past_the_look_back(feature, tables, days, whole):
    begin = COUNT - 15 - feature.lookback_sessions
    later = markets.market(tables, days[begin:])
    unsplit = [name for name in later.grid.tickers if name not in ("T01", "T04", "T09")]
    cut_rows, whole_rows = ([market.grid.tickers.index(name) for name in unsplit] for market in (later, whole))
    got = feature.compute(later)[cut_rows, feature.lookback_sessions :]
    assert np.isfinite(got).any()
    assert_same_bits(got, feature.compute(whole)[whole_rows, begin + feature.lookback_sessions :])
