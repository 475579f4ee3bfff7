"""Capital gains of a fund taken off twice: the dividend listed contains them already."""

import math
from typing import Any

import numpy as np
import pyarrow as pa

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.payouts import HARD, Payout, paying_series
from trader_pipeline.checks.rule import Finding, Rule, RuleResult
from trader_pipeline.checks.series import REPAIRS, Series
from trader_pipeline.schema.core import DAILY_BARS

SAME = 0.03
"""What was taken off is dividend plus gain when it differs from that sum by no more than 3 % of the gain, or by rounding."""


def counted_twice(payouts: list[Payout]) -> list[Payout]:
    """Return the payouts whose adjustment is dividend plus gain, where the price fell for the dividend alone.

    All such payouts of a fund are judged together, by what is the nearer: prices move too much for one to tell. Nothing is
    returned where the fall is nearer to the sum: then the dividend listed does not contain the gain, and the sum is right.
    """
    summed = [
        p
        for p in payouts
        if p.gain > 0
        and p.cash > 0
        and math.isfinite(p.taken)
        and abs(p.taken - p.cash - p.gain) <= max(SAME * p.gain, HARD * p.rounding)
        and p.gain > HARD * p.rounding
    ]
    if not summed or any(p.gain > p.cash * (1 + SAME) for p in summed):
        return []
    seen = [p for p in summed if math.isfinite(p.drop_close)]
    alone, both = (sum(((p.drop_close - cash(p) / p.before) / p.sigma) ** 2 for p in seen) for cash in (_cash, _cash_and_gain))
    return summed if not seen or alone <= both else []


def _cash(payout: Payout) -> float:
    return payout.cash


def _cash_and_gain(payout: Payout) -> float:
    return payout.cash + payout.gain


def capital_gains_twice(context: CheckContext) -> RuleResult:
    """Find fund distributions whose capital gain was taken off the adjusted closes beside the dividend that contains it."""
    found = [(series, payout) for series, payouts in paying_series(context) for payout in counted_twice(payouts)]
    rows = [_row(series, payout) for series, payout in found]
    repairs = [_repair(series, payout) for series, payout in found]
    return RuleResult(
        findings=tuple(_finding(series, payout) for series, payout in found),
        quarantine=pa.Table.from_pylist(rows) if rows else None,
        repairs=pa.Table.from_pylist(repairs, schema=REPAIRS) if repairs else None,
        metrics={"payouts": len(found), "tickers": len({series.ticker for series, _ in found})},
    )


def _right(series: Series, payout: Payout) -> float:
    t = payout.t
    return float(series.close_T[t - 1] * series.adj_T[t] / series.close_T[t] * (1 - payout.share))


def _finding(series: Series, payout: Payout) -> Finding:
    t = payout.t
    day = series.day_T[t].item()
    return Finding(
        ticker=series.ticker,
        source=series.source,
        severity="error",
        scope="ticker_day",
        first_session=day,
        last_session=day,
        sessions=1,
        value=float(np.round(payout.taken / payout.cash, 6)),
        message=f"{series.ticker}: {day}: the adjusted close takes off {payout.taken:.4g}, the distribution of {payout.cash:g} and "
        f"its capital gain of {payout.gain:g} again; Adj Close {series.adj_T[t - 1]:.6g} of {series.day_T[t - 1]} should be "
        f"{_right(series, payout):.6g}, and every one before in proportion",
    )


def _row(series: Series, payout: Payout) -> dict[str, Any]:
    reason = "capital gain taken off twice"
    return {"ticker": series.ticker, "session": series.day_T[payout.t].item(), "source": series.source, "reason": reason}


def _repair(series: Series, payout: Payout) -> dict[str, Any]:
    return {
        "ticker": series.ticker,
        "source": series.source,
        "session": series.day_T[payout.t - 1].item(),
        "column_name": "adj_close",
        "stored": float(series.adj_T[payout.t - 1]),
        "proposed": _right(series, payout),
        "reason": "the dividend contains the capital gain, which was taken off again",
    }


RULES = (
    Rule(
        name="capital_gains_twice",
        table=DAILY_BARS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="Fund distributions whose capital gain was taken off the adjusted closes a second time.",
        run=capital_gains_twice,
        whole=True,
    ),
)
