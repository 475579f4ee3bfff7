"""Macro series of the simulated market under FRED's names, with release lags and revisions.

Interest rates follow a slow random walk, VIXCLS is the market's true volatility in percent a year, BAA10Y is wider while
the market is turbulent. Daily series come out at the next session's close and are final; the price index comes out six
weeks after its month and is revised once, a month later.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.schema.columns import INSTANT
from trader_pipeline.schema.vintages import FINAL, RELEASED
from trader_pipeline.sources.simulation import Market

_STREAM = 2
_SESSIONS_A_YEAR = 252
_RELEASE_DAYS, _REVISION_DAYS = 43, 73
"""Days from the first of the month that the price index speaks of."""


def series(market: Market, days_T: calendar.Days, exchange: str, seed: int) -> pa.Table:
    """Return the vendor columns of raw.simulated_macro, in percent but for the price index."""
    random = np.random.default_rng([seed, _STREAM])
    pieces = [*_daily(random, market, days_T, exchange), *_price_index(random, days_T)]
    return pa.concat_tables(pieces)


def _daily(random: np.random.Generator, market: Market, days_T: calendar.Days, exchange: str) -> Iterator[pa.Table]:
    T = len(days_T)
    short_T = 2.0 + np.abs(np.cumsum(0.02 * random.standard_normal(T)))
    slope_T = 1.0 + np.cumsum(0.02 * random.standard_normal(T))
    turbulent_T = market.regime_T < 0
    values = {
        "DGS3MO": short_T,
        "DGS2": short_T + slope_T / 3,
        "DGS10": short_T + slope_T,
        "BAA10Y": 2.0 + turbulent_T + 0.05 * random.standard_normal(T),
        "AAA10Y": 1.0 + turbulent_T / 3 + 0.05 * random.standard_normal(T),
        "T10YIE": 2.0 + 0.05 * random.standard_normal(T),
        "VIXCLS": 100 * np.sqrt(_SESSIONS_A_YEAR) * market.market_volatility_T,
    }
    released = calendar.known_at_array(exchange, days_T)
    for name, values_T in values.items():
        yield _vintages(name, days_T[:-1], released[1:], FINAL, np.round(values_T[:-1], 4))


def _price_index(random: np.random.Generator, days_T: calendar.Days) -> Iterator[pa.Table]:
    last = days_T[-1]
    months = np.arange((days_T[0] - np.timedelta64(500, "D")).astype("datetime64[M]"), last.astype("datetime64[M]"))
    true_M = 230 * np.exp(np.cumsum(0.0017 + 0.001 * random.standard_normal(len(months))))
    first_M = true_M * np.exp(0.001 * random.standard_normal(len(months)))
    for values_M, after in ((first_M, _RELEASE_DAYS), (true_M, _REVISION_DAYS)):
        released = months.astype("datetime64[D]") + np.timedelta64(after, "D")
        out = released <= last
        at = released.astype("datetime64[us]") + np.timedelta64(13 * 60 + 30, "m")
        yield _vintages("CPIAUCSL", months.astype("datetime64[D]")[out], at[out], RELEASED, np.round(values_M[out], 3))


def _vintages(
    name: str, days: calendar.Days, released: npt.NDArray[np.datetime64], vintage: str, values: npt.NDArray[np.float64]
) -> pa.Table:
    return pa.table(
        {
            "series": pa.array([name] * len(days), pa.string()),
            "date": pa.array(days).cast(pa.date32()),
            "released_at": pa.array(released.astype("datetime64[us]"), pa.timestamp("us")).cast(INSTANT),
            "vintage": pa.array([vintage] * len(days), pa.string()),
            "value": pa.array(values),
        }
    )


TO_CORE = """
    select series, date as observed_on, released_at as known_at, 'released' as known_at_basis, 'simulated' as source, vintage, value
    from macro"""
