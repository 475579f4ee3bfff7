"""Closes of the trailing sessions, split back-adjusted, as one dense array."""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import adjustment
from trader_pipeline.lake import Snapshot

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closes:
    """Split back-adjusted closes in the price unit, NaN where a ticker has no accepted bar."""

    sessions: tuple[dt.date, ...]
    tickers: tuple[str, ...]
    close_TN: Floats

    def of(self, ticker: str) -> Floats:
        """Return one ticker's closes, [T]; all NaN for a ticker without bars."""
        if ticker not in self.tickers:
            return np.full(len(self.sessions), np.nan)
        column: Floats = self.close_TN[:, self.tickers.index(ticker)]
        return column

    def trailing_return(self, sessions: int) -> dict[str, float]:
        """Return each ticker's price return over the last `sessions` sessions, NaN where either end is missing."""
        if not 0 < sessions < len(self.sessions):
            return dict.fromkeys(self.tickers, float("nan"))
        values = self.close_TN[-1] / self.close_TN[-1 - sessions] - 1
        return dict(zip(self.tickers, values.tolist(), strict=True))

    def daily_returns(self, weights: dict[str, float]) -> Floats:
        """Return the daily price returns of a book that is rebalanced to `weights` every session, [T - 1]; a missing return counts as 0."""
        returns = self.close_TN[1:] / self.close_TN[:-1] - 1
        vector = np.array([weights.get(ticker, 0.0) for ticker in self.tickers])
        book: Floats = np.where(np.isfinite(returns), returns, 0.0) @ vector
        return book


def adjusted_closes(snapshot: Snapshot, session: dt.date, sessions: int) -> Closes:
    """Return the closes of the last `sessions` sessions up to `session`, the last one as traded."""
    bars = snapshot.sql(
        """select ticker, session, close from core.accepted_bars
           where session in (
               select distinct session from core.accepted_bars where session <= $session order by session desc limit $sessions
           )
           qualify row_number() over (partition by ticker, session order by known_at desc) = 1 order by ticker, session""",
        {"session": session, "sessions": sessions},
    )
    actions = snapshot.actions()
    splits = actions.filter(pc.and_(pc.equal(actions["kind"], "split"), pc.less_equal(actions["session"], pa.scalar(session, pa.date32()))))
    days, day_of = np.unique(bars["session"].to_numpy().astype("datetime64[D]"), return_inverse=True)
    names, name_of = np.unique(np.asarray(bars["ticker"].to_pylist(), dtype=str), return_inverse=True)
    close_TN = np.full((len(days), len(names)), np.nan)
    close_TN[day_of, name_of] = bars["close"].to_numpy(zero_copy_only=False)
    split_names = np.asarray(splits["ticker"].to_pylist(), dtype=str)
    for index, name in enumerate(names):
        mine = split_names == name
        if mine.any() and len(days):
            factor = adjustment.split_factors(
                days, splits["session"].to_numpy().astype("datetime64[D]")[mine], splits["value"].to_numpy()[mine]
            )
            close_TN[:, index] *= factor / factor[-1]
    return Closes(sessions=tuple(days.astype(object).tolist()), tickers=tuple(str(n) for n in names), close_TN=close_TN)
