"""Factor returns and exposures against figures worked out by hand, numpy's least squares, and planted slopes."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from trader_pipeline.features import factors, kernels
from trader_pipeline.features.market import FACTORS
from trader_pipeline_tests.features import filings, markets

NAN = np.nan


def test_a_factor_is_the_highest_third_less_the_lowest_sorted_the_session_before():
    sort = np.array([[1.0, 6.0], [2.0, 5.0], [3.0, 4.0], [4.0, 3.0], [5.0, 2.0], [6.0, 1.0], [NAN, 9.0]])
    earned = np.array([[9.0, 0.01], [9.0, 0.03], [9.0, 0.5], [9.0, 0.5], [9.0, 0.04], [9.0, 0.10], [9.0, 7.0]])
    np.testing.assert_allclose(kernels.long_short(sort, earned, 2), [[NAN, 0.07 - 0.02]])


def test_a_factor_leaves_out_who_did_not_trade_and_needs_names_in_both_legs():
    sort = np.repeat(np.arange(9.0)[:, None], 3, axis=1)
    earned = np.tile(np.arange(9.0)[:, None] / 100, (1, 3))
    earned[8, 1], earned[0:2, 2] = NAN, NAN
    np.testing.assert_allclose(kernels.long_short(sort, earned, 2), [[NAN, 0.065 - 0.01, NAN]])


def test_a_sort_that_tells_nobody_apart_has_no_factor():
    assert np.isnan(kernels.long_short(np.ones((9, 2)), np.ones((9, 2)), 2)).all()


def random_returns(seed=3, tickers=4, sessions=700):
    generator = np.random.default_rng(seed)
    x = 0.01 * generator.standard_normal((3, sessions))
    y = generator.standard_normal((tickers, 3)) @ x + 0.02 * generator.standard_normal((tickers, sessions)) + 0.001
    y[generator.random(y.shape) < 0.05] = NAN
    x[1, generator.random(sessions) < 0.02] = NAN
    return y, x


def test_exposures_are_least_squares_with_an_intercept_over_the_complete_rows():
    y, x = random_returns()
    found = kernels.window_exposures(y, x, 60, first=0)
    for i, t in ((0, 59), (1, 60), (2, 333), (3, 699)):
        part = slice(t - 59, t + 1)
        keep = np.isfinite(y[i, part]) & np.isfinite(x[:, part]).all(axis=0)
        design = np.column_stack([x[:, part][:, keep].T, np.ones(keep.sum())])
        slopes, *_ = np.linalg.lstsq(design, y[i, part][keep], rcond=None)
        left = y[i, part][keep] - design @ slopes
        np.testing.assert_allclose(found[i, :3, t], slopes[:3], rtol=1e-9)
        np.testing.assert_allclose(found[i, 3, t], np.sqrt((left**2).sum() / (keep.sum() - 4)), rtol=1e-9)
    assert np.isnan(found[:, :, :47]).all()


def test_exposures_are_the_same_bits_wherever_the_arrays_begin():
    y, x = random_returns()
    whole = kernels.window_exposures(y, x, 60, first=0)
    for begin in (1, 59, 60, 137, 600):
        tail = kernels.window_exposures(np.ascontiguousarray(y[:, begin:]), np.ascontiguousarray(x[:, begin:]), 60, first=begin)
        np.testing.assert_array_equal(tail[:, :, 59:], whole[:, :, begin + 59 :])


def test_a_constant_or_repeated_factor_has_no_slope_and_a_constant_return_has_none_but_zero():
    y, x = random_returns()
    y[0, :] = 0.001
    flat, twin = x.copy(), x.copy()
    flat[2], twin[2] = 0.0003, 2 * x[0] - 3 * x[1]
    assert np.isnan(kernels.window_exposures(y, flat, 60, first=0)).all()
    assert np.isnan(kernels.window_exposures(y, twin, 60, first=0)).all()
    found = kernels.window_exposures(y, x, 60, first=0)
    assert set(found[0, :, 100:].ravel().tolist()) == {0.0}
    assert np.isfinite(found[1:, :, 100:]).all()


@pytest.fixture(scope="module")
def planted():
    """Sixty tickers over three years whose returns have known slopes on known factors."""
    generator = np.random.default_rng(8)
    days, names = markets.sessions(760), [f"P{i:02d}" for i in range(60)]
    cheap, profitable, small = (generator.permutation(60) for _ in range(3))
    drivers = 0.008 * generator.standard_normal((4, 760))
    slopes = np.column_stack([1 + 0.3 * generator.standard_normal(60), *((rank - 29.5) / 30 for rank in (small, cheap, profitable))])
    earned = slopes @ drivers + 0.01 * generator.standard_normal((60, 760))
    close = 20 * np.cumprod(1 + earned, axis=1)
    facts = []
    for number, name in enumerate(names):
        shares, equity = np.exp(-3 * small[number] / 60), np.exp(cheap[number] / 30)
        value = shares * 20
        for end in [dt.date(year, 12, 31) for year in range(2013, 2018)]:
            on = end + dt.timedelta(50)
            figures = {"net_income": 1.0, "gross_profit": profitable[number] / 60, "total_assets": 1.0}
            figures |= {"shareholders_equity": equity * value, "shares_outstanding": shares}
            facts += [(name, metric, end, 0 if filings.METRIC_OF[metric].balance else 12, on, amount) for metric, amount in figures.items()]
    index = 100 * np.cumprod(1 + drivers[:1], axis=1)
    bars = markets.pa.concat_tables([markets.bars(names, days, close=close), markets.bars(["ZMKT"], days, close=index)])
    market = markets.market(markets.core(bars, benchmark="ZMKT", filed=filings.filed(*facts)), days)
    return market, slopes, drivers


def test_factor_returns_follow_what_drives_the_returns(planted):
    market, _, drivers = planted
    known = market.factor_returns[:, 500:]
    for factor, driver in (("market", 0), ("size", 1), ("value", 2), ("quality", 3)):
        assert np.corrcoef(known[FACTORS.index(factor)], drivers[driver, 500:])[0, 1] > 0.7, factor


@pytest.mark.parametrize(
    ("feature", "driver"),
    [
        (factors.market_exposure_252d, 0),
        (factors.size_exposure_252d, 1),
        (factors.value_exposure_252d, 2),
        (factors.quality_exposure_252d, 3),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_planted_exposure_is_recovered(planted, feature, driver):
    market, slopes, _ = planted
    assert np.corrcoef(feature.compute(market)[:, -1], slopes[:, driver])[0, 1] > 0.7


def test_idiosyncratic_volatility_is_that_of_the_noise(planted):
    market = planted[0]
    assert np.nanmedian(factors.idiosyncratic_volatility_252d.compute(market)[:, -1]) == pytest.approx(0.01, rel=0.1)
    assert (factors.idiosyncratic_volatility_prices_252d.compute(market) >= factors.idiosyncratic_volatility_252d.compute(market) * 0.99)[
        :, -1
    ].all()


def test_without_filings_the_five_factors_are_absent_and_the_two_are_not():
    tables, days = markets.random_core(620)
    market = markets.market(replace(tables, fundamentals=markets.FUNDAMENTALS.empty()), days)
    for feature in factors.FEATURES:
        assert np.isfinite(feature.compute(market)).any() == feature.name.endswith("prices_252d"), feature.name
