import math

import numpy as np
import pytest
from scipy.special import ndtr

from trader_pipeline.features import smile

NAN = np.nan
STRIKES = np.array([80.0, 90.0, 95.0, 100.0, 105.0, 110.0, 120.0])


def chain(forward, years, rate, volatility_of, strikes=STRIKES):
    """Strike, call and put by Black's formula in scipy; `volatility_of` maps log moneyness to volatility a year."""
    deviation = volatility_of(np.log(strikes / forward)) * math.sqrt(years)
    d1 = np.log(forward / strikes) / deviation + deviation / 2
    call = math.exp(-rate * years) * (forward * ndtr(d1) - strikes * ndtr(d1 - deviation))
    put = call - math.exp(-rate * years) * (forward - strikes)
    return np.stack([strikes, call, put], axis=1)


def flat(volatility):
    return lambda k: np.full(np.shape(k), volatility)


def test_a_price_at_the_forward_by_hand():
    # N(0.1) = 0.5398278: a deviation of 0.2 costs 100 (2 N(0.1) - 1) = 7.96557
    assert smile.implied_deviation(7.96557, 100.0, 100.0) == pytest.approx(0.2, abs=1e-6)


@pytest.mark.parametrize("deviation", [0.005, 0.05, 0.3, 1.5])
@pytest.mark.parametrize("distance", [-2.0, -0.5, 0.0, 0.7, 3.0])
def test_inverting_gives_the_deviation_that_made_the_price(deviation, distance):
    strikes = np.array([100 * math.exp(distance * deviation)])
    _, call, put = chain(100.0, 1.0, 0.0, flat(deviation), strikes)[0]
    assert smile.implied_deviation(call if distance >= 0 else put, 100.0, strikes[0]) == pytest.approx(deviation, rel=1e-6)


@pytest.mark.parametrize("price", [0.0, -1.0, NAN, 100.0, 101.0])
def test_a_price_that_no_volatility_gives_has_none(price):
    assert np.isnan(smile.implied_deviation(price, 100.0, 100.0))


def test_a_flat_smile_is_found_again_whatever_dividends_and_rate_do_to_the_forward():
    for forward in (96.0, 100.0, 103.7):
        found = smile.points(chain(forward, 0.25, 0.04, flat(0.30)), 0.25, 0.04)
        np.testing.assert_allclose(found, [0.30, 0.30, 0.30], rtol=1e-6)


def test_the_25_delta_points_of_a_slope():
    # volatility 0.2 - 0.1 k is 0.2 at the forward; at 25 delta log moneyness is v^2 T / 2 -+ 0.67449 v sqrt(T) for put and call
    found = smile.points(chain(100.0, 0.25, 0.0, lambda k: 0.2 - 0.1 * k, np.arange(70.0, 140.0, 0.5)), 0.25, 0.0)
    put, call = found[smile.PUT_25], found[smile.CALL_25]
    assert found[smile.ATM] == pytest.approx(0.2, abs=1e-4)
    assert put == pytest.approx(0.2 - 0.1 * (put**2 / 8 - 0.67449 * put / 2), abs=1e-4)
    assert call == pytest.approx(0.2 - 0.1 * (call**2 / 8 + 0.67449 * call / 2), abs=1e-4)


def test_strikes_without_both_sides_or_too_few_say_nothing():
    quotes = chain(100.0, 0.25, 0.0, flat(0.2))
    calls_alone = quotes.copy()
    calls_alone[:, 2] = NAN
    assert np.isnan(smile.points(calls_alone, 0.25, 0.0)).all()
    assert np.isnan(smile.points(quotes[3:5], 0.25, 0.0)).all()
    assert np.isfinite(smile.points(quotes[2:5], 0.25, 0.0)[smile.ATM])


def test_nothing_is_extrapolated():
    narrow = chain(100.0, 0.25, 0.0, flat(0.4), np.array([98.0, 100.0, 102.0]))
    found = smile.points(narrow, 0.25, 0.0)
    assert found[smile.ATM] == pytest.approx(0.4)
    assert np.isnan(found[[smile.PUT_25, smile.CALL_25]]).all()
    above = chain(90.0, 0.25, 0.0, flat(0.4), np.array([98.0, 100.0, 102.0]))
    assert np.isnan(smile.points(above, 0.25, 0.0)[smile.ATM])


def test_between_expiries_total_variance_is_linear():
    # 0.04 x 20 = 0.8 and 0.09 x 50 = 4.5 days: at 30 a third of the way, 2.0333 / 30 = 0.067778
    years, volatility = np.array([20.0, 50.0, 20.0]) / 365, np.array([0.2, 0.3, 0.2])
    found = smile.at_tenor(np.array([0, 2, 3]), years, volatility, 30 / 365)
    np.testing.assert_allclose(found, [math.sqrt(0.0677778), NAN], rtol=1e-6)


def test_an_expiry_without_volatility_is_passed_over():
    years, volatility = np.array([20.0, 28.0, 50.0]) / 365, np.array([0.2, NAN, 0.3])
    found = smile.at_tenor(np.array([0, 3]), years, volatility, 30 / 365)
    np.testing.assert_allclose(found, [math.sqrt(0.0677778)], rtol=1e-6)
