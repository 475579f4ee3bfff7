"""Implied volatility from the mid prices of one expiry, and across expiries.

The forward is that of put-call parity at the strike where call and put are closest, so dividends need no forecast. Volatility
is inverted from the out-of-the-money side (Black 1976; early exercise is left out); a vendor's own is never read: how it was
made is not known.
Between strikes volatility is linear in log moneyness or in delta, between expiries total variance is linear in time;
nothing is extrapolated.

Legend: Q strikes of all expiries, E expiries, S snapshots, K results.
"""

import math

import numpy as np
import numpy.typing as npt

from trader_pipeline.features.compiled import njit

Float = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

MINIMUM_STRIKES = 3
LOWEST, HIGHEST = 0.01, 5.0
"""Volatilities a year outside of these are no volatilities: 1 % and 500 %."""
ATM, PUT_25, CALL_25 = 0, 1, 2
_STEPS, _CLOSE = 50, 1e-10


@njit
def normal_cdf(x: float) -> float:
    """Return the standard normal distribution function."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


@njit
def implied_deviation(price: float, forward: float, strike: float) -> float:
    """Return sigma * sqrt(years) of an out-of-the-money option's undiscounted price; NaN where no deviation gives it.

    Newton's method from the price's point of inflection, from where it converges without overshooting. Manaster & Koehler 1982.
    """
    sign = 1.0 if strike >= forward else -1.0
    if not 0.0 < price < (forward if sign > 0 else strike):
        return np.nan
    distance = math.log(forward / strike)
    deviation = max(math.sqrt(2 * abs(distance)), 1e-6)
    for _ in range(_STEPS):
        d1 = distance / deviation + deviation / 2
        value = sign * (forward * normal_cdf(sign * d1) - strike * normal_cdf(sign * (d1 - deviation)))
        vega = forward * math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
        step = (price - value) / vega if vega > 0 else np.nan
        deviation += step
        if not (math.isfinite(deviation) and deviation > 0):
            return np.nan
        if abs(step) < _CLOSE:
            return deviation
    return np.nan


@njit
def _crossing(x: Float, y: Float, n: int, wanted: float) -> float:
    """Return y where x, falling or rising along n points, passes `wanted`; NaN where it does not."""
    for i in range(n - 1):
        low, high = x[i] - wanted, x[i + 1] - wanted
        if low == 0.0:
            return float(y[i])
        if low * high < 0:
            share = low / (low - high)
            return float(y[i] + share * (y[i + 1] - y[i]))
    return float(y[n - 1]) if n > 0 and x[n - 1] == wanted else np.nan


@njit
def _forward(strike_Q: Float, call_Q: Float, put_Q: Float, growth: float) -> float:
    nearest, forward = np.inf, np.nan
    for q in range(len(strike_Q)):
        if abs(call_Q[q] - put_Q[q]) < nearest:
            nearest = abs(call_Q[q] - put_Q[q])
            forward = strike_Q[q] + growth * (call_Q[q] - put_Q[q])
    return forward


@njit
def points(prices_Q3: Float, years: float, rate: float) -> Float:
    """Return [3]: volatility a year at the forward, of the 25-delta put and of the 25-delta call of one expiry.

    `prices_Q3` is strike, ascending, and the mids of call and put, NaN where there is none. NaN under three strikes with a
    volatility, without a strike that has both sides, and where the strikes do not reach.
    """
    strike_Q, call_Q, put_Q = prices_Q3[:, 0], prices_Q3[:, 1], prices_Q3[:, 2]
    out_3, growth, root = np.full(3, np.nan), math.exp(rate * years), math.sqrt(years)
    forward = _forward(strike_Q, call_Q, put_Q, growth)
    if not forward > 0:
        return out_3
    moneyness, delta, volatility, n = np.empty(len(strike_Q)), np.empty(len(strike_Q)), np.empty(len(strike_Q)), 0
    for q in range(len(strike_Q)):
        price = call_Q[q] if strike_Q[q] >= forward else put_Q[q]
        deviation = implied_deviation(growth * price, forward, strike_Q[q])
        if LOWEST <= deviation / root <= HIGHEST:
            moneyness[n] = math.log(strike_Q[q] / forward)
            delta[n] = normal_cdf(-moneyness[n] / deviation + deviation / 2)
            volatility[n] = deviation / root
            n += 1
    if n >= MINIMUM_STRIKES:
        out_3[ATM] = _crossing(moneyness, volatility, n, 0.0)
        out_3[PUT_25] = _crossing(delta, volatility, n, 0.75)
        out_3[CALL_25] = _crossing(delta, volatility, n, 0.25)
    return out_3


@njit
def volatilities(first_E: Index, prices_Q3: Float, years_E: Float, rate_E: Float) -> Float:
    """Return `points` of every expiry, [E, 3]; `first_E` has one entry more than there are expiries. NaN years or rate: NaN."""
    out_E3 = np.empty((len(years_E), 3))
    for e in range(len(years_E)):
        out_E3[e] = points(prices_Q3[first_E[e] : first_E[e + 1]], years_E[e], rate_E[e])
    return out_E3


@njit
def at_tenor(first_S: Index, years_E: Float, volatility_E: Float, years: float) -> Float:
    """Return the volatility [S] at a tenor from the expiries around it, nearest first, linear in total variance; NaN without two."""
    out_S = np.full(len(first_S) - 1, np.nan)
    for s in range(len(out_S)):
        n, times, variances = 0, np.empty(first_S[s + 1] - first_S[s]), np.empty(first_S[s + 1] - first_S[s])
        for e in range(first_S[s], first_S[s + 1]):
            if math.isfinite(volatility_E[e]):
                times[n], variances[n] = years_E[e], volatility_E[e] ** 2 * years_E[e]
                n += 1
        out_S[s] = math.sqrt(_crossing(times, variances, n, years) / years)
    return out_S
