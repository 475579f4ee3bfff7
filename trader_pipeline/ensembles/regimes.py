"""Which regime a session is in, by what was known then: the third of the universe's volatility so far."""

import numpy as np
import numpy.typing as npt

REGIMES = ("calm", "middle", "wild")
FEWEST_SESSIONS = 252
"""Sessions before thirds are drawn; until then it is the middle one."""


def regimes(volatility_T: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return positions in `REGIMES`, [T]: in which third of all sessions up to t the volatility of session t lies; NaN is the middle one.

    `volatility_T` is the median ticker's features.targets.volatility_daily.
    """
    found = np.ones(len(volatility_T), np.int64)
    for t in np.flatnonzero(np.isfinite(volatility_T)):
        past = volatility_T[: t + 1]
        past = past[np.isfinite(past)]
        if len(past) >= FEWEST_SESSIONS:
            found[t] = np.searchsorted(np.quantile(past, (1 / 3, 2 / 3)), volatility_T[t], side="right")
    return found


def median_ticker(volatility_NT: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the median over the tickers, [T]; NaN where none is known."""
    known_T = np.isfinite(volatility_NT).any(axis=0)
    median_T = np.full(volatility_NT.shape[1], np.nan)
    median_T[known_T] = np.nanmedian(volatility_NT[:, known_T], axis=0)
    return median_T
