"""Option chains of the simulated market's last quarter, as if storing had started then: priced from each ticker's true volatility.

The smile of a contract is its ticker's volatility less SKEW of it for each standard deviation that the strike lies above the forward;
the chain has no term structure of its own. Quotes are Black's (1976) price and a spread; what costs less than a tick has no bid.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import ndtr

from trader_pipeline import calendar
from trader_pipeline.sources.simulation import Market

SNAPSHOTS = 63
SKEW = 0.05
RATE = 0.02
"""Continuously compounded. A reader who discounts at another rate is off by their difference times the time: 0.2 % for 1 % and 60 days."""
MONEYNESS = (0.80, 0.90, 0.95, 1.00, 1.05, 1.10, 1.20)
_EXPIRY_DAYS = (28, 49, 77, 105)
"""A contract ends on the Friday of those days ahead, or before it."""
_HALF_SPREAD, _TICK = 0.01, 0.01
_SESSIONS_A_YEAR, _DAYS_A_YEAR = 252, 365
_STREAM = 3

Floats = npt.NDArray[np.float64]


def chains(market: Market, tickers: Sequence[str], days_T: calendar.Days, seed: int) -> pa.Table:
    """Return the vendor columns of raw.simulated_options: four Fridays ahead, seven strikes, calls and puts."""
    random = np.random.default_rng([seed, _STREAM])
    days = days_T[-SNAPSHOTS:]
    where = [(s, expiry) for s, day in enumerate(days) for expiry in _fridays(day)]
    s_E = np.array([s for s, _ in where])
    expiry_E = np.array([expiry for _, expiry in where], dtype="datetime64[D]")
    years_E = (expiry_E - days[s_E]).astype(float) / _DAYS_A_YEAR
    spot_EN, volatility_EN = market.close_TN[-SNAPSHOTS:][s_E], market.volatility_TN[-SNAPSHOTS:][s_E] * np.sqrt(_SESSIONS_A_YEAR)
    spot_ENK, volatility_ENK, years_ENK = spot_EN[..., None], volatility_EN[..., None], years_E[:, None, None]
    strike_ENK = np.round(spot_ENK * np.array(MONEYNESS), 2)
    call_ENK, put_ENK = _prices(spot_ENK, strike_ENK, years_ENK, volatility_ENK)
    shape = strike_ENK.shape
    e, n, _ = np.indices(shape).reshape(3, -1)
    pieces = []
    for kind, price_ENK in (("call", call_ENK), ("put", put_ENK)):
        price = price_ENK.ravel()
        half = np.maximum(_HALF_SPREAD * price, _TICK / 2)
        pieces.append(
            pa.table(
                {
                    "ticker": pa.DictionaryArray.from_arrays(pa.array(n.astype(np.int32)), pa.array(tickers)).cast(pa.string()),
                    "date": pa.array(days[s_E[e]]).cast(pa.date32()),
                    "expiry": pa.array(expiry_E[e]).cast(pa.date32()),
                    "kind": pa.repeat(kind, len(price)),
                    "strike": pa.array(strike_ENK.ravel()),
                    "underlying": pa.array(np.broadcast_to(spot_ENK, shape).ravel()),
                    "bid": pa.array(np.where(price < _TICK, 0.0, price - half)),
                    "ask": pa.array(price + half),
                    "volume": pa.array(random.poisson(50, len(price)).astype(float)),
                }
            )
        )
    return pa.concat_tables(pieces)


def _fridays(day: np.datetime64) -> list[np.datetime64]:
    return [np.busday_offset(day + np.timedelta64(ahead, "D"), 0, roll="backward", weekmask="Fri") for ahead in _EXPIRY_DAYS]


def _prices(spot: Floats, strike: Floats, years: Floats, volatility: Floats) -> tuple[Floats, Floats]:
    """Return call and put. Black 1976."""
    forward, discount = spot * np.exp(RATE * years), np.exp(-RATE * years)
    distance = np.log(strike / forward) / (volatility * np.sqrt(years))
    deviation = volatility * (1 - SKEW * np.clip(distance, -3, 3)) * np.sqrt(years)
    d1 = np.log(forward / strike) / deviation + deviation / 2
    call = discount * (forward * ndtr(d1) - strike * ndtr(d1 - deviation))
    return call, call - discount * (forward - strike)


TO_CORE = """
    select ticker, date as session, 'simulated' as source, expiry, kind, strike, underlying, bid, ask, null::double as last,
           volume as volume_contracts, null::double as open_interest_contracts, null::double as implied_volatility, 'USD' as currency
    from options"""
