"""Single prices that stand far beyond the rows on both sides: a high of three times, a close that is back at once, a week times ten."""

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from trader_pipeline.checks.bursts import burst
from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.moves import moves_of
from trader_pipeline.checks.rule import Finding, Rule, RuleResult, Severity
from trader_pipeline.checks.series import PRICES, Series, local_noise, series_of, steps_over
from trader_pipeline.checks.unlisted import GREAT_MOVE, GREAT_NEWS
from trader_pipeline.schema.core import CORPORATE_ACTIONS, DAILY_BARS

SPIKE = math.log(1.8)
"""No price is judged that stands less than 1.8 times beyond both its neighbours: prints stray by half, on exchanges that do not halt."""

NOISES = 10
"""... nor less than ten times what the rows around it move, tails included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike:
    """Row `t` with the prices that stand apart, by the log factor of the one farthest off, and the row's burst of volume (NaN: unknown)."""

    t: int
    columns: tuple[int, ...]
    apart: float
    burst: float

    @property
    def severity(self) -> Severity:
        """Warning where volume says that people traded there."""
        return "warning" if self.burst > GREAT_NEWS and abs(self.apart) < GREAT_MOVE else "error"


def spikes_of(series: Series) -> list[Spike]:
    """Return the rows of which some price lies beyond every price of the row before and of the row after it, on one basis.

    First and last row have one neighbour and are not judged. A bar that contradicts itself is left to ohlc_order, a whole daily bar
    that stands apart to outlier_returns.
    """
    moves = moves_of(series)
    log_T4 = moves.log_T4
    if len(log_T4) < 3:  # noqa: PLR2004 - a row with two neighbours
        return []
    top_T, bottom_T = np.fmax.reduce(log_T4, axis=1), np.fmin.reduce(log_T4, axis=1)
    above_T4 = log_T4[1:-1] - np.maximum(top_T[:-2], top_T[2:])[:, None]
    below_T4 = log_T4[1:-1] - np.minimum(bottom_T[:-2], bottom_T[2:])[:, None]
    apart_T4 = np.nan_to_num(np.where(above_T4 > 0, above_T4, np.minimum(below_T4, 0)))
    found = []
    for row in np.flatnonzero((np.abs(apart_T4).max(axis=1) > SPIKE) & ~series.torn_T[1:-1]).tolist():
        t = row + 1
        limit = max(SPIKE, NOISES * local_noise(moves.step_T, t, t + 1) * math.sqrt(max(series.gap_T[t], series.gap_T[t + 1])))
        columns = tuple(np.flatnonzero(np.abs(apart_T4[row]) > limit).tolist())
        whole = len(columns) == int(np.isfinite(log_T4[t]).sum())
        if columns and not (whole and series.spacing == "daily"):
            apart = float(max(apart_T4[row], key=abs))
            found.append(Spike(t=t, columns=columns, apart=apart, burst=burst(series, t)))
    return found


def price_spike(context: CheckContext) -> RuleResult:
    """Find prices 1.8 times and more beyond every price of the rows on both sides, and ten times what the ticker moves.

    An error, quarantined; a warning where more than five times the usual volume was traded, unless it is five times beyond.
    """
    found = [(series, spike) for series in series_of(context, steps_over(context, SPIKE)) for spike in spikes_of(series)]
    away = [
        {"ticker": series.ticker, "session": series.day_T[spike.t].item(), "source": series.source, "reason": _fact(series, spike)}
        for series, spike in found
        if spike.severity == "error"
    ]
    return RuleResult(
        findings=tuple(_finding(series, spike) for series, spike in found),
        quarantine=pa.Table.from_pylist(away) if away else None,
        metrics={"spikes": len(found), "tickers": len({series.ticker for series, _ in found})},
    )


def _fact(series: Series, spike: Spike) -> str:
    prices = ", ".join(f"{PRICES[j]} {series.price_T4[spike.t, j]:g}" for j in spike.columns)
    stand = "stands" if len(spike.columns) == 1 else "stand"
    return f"{prices} {stand} at {math.exp(spike.apart):.3g} times every price of the rows before and after"


def _finding(series: Series, spike: Spike) -> Finding:
    day = series.day_T[spike.t].item()
    traded = "; volume is unknown" if math.isnan(spike.burst) else f"; volume is {spike.burst:.1f} times the usual"
    mend = "quarantined: fetch it again" if spike.severity == "error" else "compare with another source"
    return Finding(
        ticker=series.ticker,
        source=series.source,
        severity=spike.severity,
        scope="ticker_day",
        first_session=day,
        last_session=day,
        sessions=1,
        value=math.exp(spike.apart),
        message=f"{series.ticker}: {day}: {_fact(series, spike)}{traded}; {mend}",
    )


RULES = (
    Rule(
        name="price_spike",
        table=DAILY_BARS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="A high, low, open or close 1.8 times and more beyond the rows on both sides, without the volume of news.",
        run=price_spike,
        reads=(CORPORATE_ACTIONS,),
    ),
)
