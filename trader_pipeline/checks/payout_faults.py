"""Objections to payouts, and what a rule returns of them.

Cash that is wrong is kept out as a row of core.corporate_actions. Bars stay: nothing downstream reads a vendor's adjusted closes.
"""

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.payouts import Payout, paying_series
from trader_pipeline.checks.rule import Finding, RuleResult
from trader_pipeline.checks.series import REPAIRS, Series

DIVIDEND: Final = "dividend"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One error of a payout, and of those `alike`. `column` says what is wrong: the cash listed, or the adjusted close before it.

    `proposed` is the value that the column should have, None where no row says.
    """

    payout: Payout
    fact: str
    mend: str
    value: float
    column: Literal["dividend", "adj_close"]
    proposed: float | None = None
    alike: tuple[Payout, ...] = ()


Judge = Callable[[Series, list[Payout]], list[Fault]]


def run(context: CheckContext, judge: Judge) -> RuleResult:
    """Judge every series with payouts. Cash that is wrong is quarantined; what a fault proposes is a repair.

    Payouts on a session that the rule `duplicates` holds, or on the next, are not judged: a repeated row pays again, and takes nothing off.
    """
    repeated = _repeated_days(context)
    judged = [(series, _beside(series, payouts, repeated)) for series, payouts in paying_series(context)]
    found = [(series, fault) for series, payouts in judged for fault in sorted(judge(series, payouts), key=lambda f: f.payout.t)]
    cash = _cash(context, found)
    repairs = [
        *(_adjusted_close(series, fault) for series, fault in found if fault.column != DIVIDEND and fault.proposed is not None),
        *({**row, "column_name": DIVIDEND, "proposed": row["stored"] * row["ratio"]} for row in cash if row["ratio"] is not None),
    ]
    return RuleResult(
        findings=tuple(_finding(series, fault) for series, fault in found),
        quarantine=pa.Table.from_pylist([row | {"item": DIVIDEND} for row in cash]) if cash else None,
        repairs=pa.Table.from_pylist(repairs, schema=REPAIRS) if repairs else None,
        metrics={
            "payouts": sum(len(payouts) for _, payouts in judged),
            "faults": len(found),
            "tickers": len({series.ticker for series, _ in found}),
        },
    )


def of_adjustment(series: Series, payout: Payout, fact: str) -> Fault:
    """Object to the adjusted close of the row before, which should be the row's factor times 1 - cash / close."""
    t = payout.t
    after = t if series.spacing == "daily" else min(t + 1, len(series.day_T) - 1)
    right = float(series.close_T[t - 1] * series.adj_T[after] / series.close_T[after] * (1 - payout.share))
    return Fault(
        payout=payout,
        fact=fact,
        mend=f"Adj Close {series.adj_T[t - 1]:.6g} of {series.day_T[t - 1]} should be {right:.6g}, and every one before in proportion",
        value=payout.taken / payout.cash,
        column="adj_close",
        proposed=right,
    )


def of_dividend(payout: Payout, fact: str, right: float) -> Fault:
    """Object to the cash listed, which should be `right`."""
    return Fault(
        payout=payout,
        fact=fact,
        mend=f"it should be {right:.4g}",
        value=payout.cash / right if right else math.inf,
        column=DIVIDEND,
        proposed=right,
    )


def _repeated_days(context: CheckContext) -> set[tuple[str, str, dt.date]]:
    """Return ticker, source and session of the rows that are there twice."""
    held = context.quarantine.filter(pc.equal(context.quarantine["rule"], "duplicates"))
    return {(row["ticker"], row["source"], row["session"]) for row in held.to_pylist()}


def _beside(series: Series, payouts: list[Payout], repeated: set[tuple[str, str, dt.date]]) -> list[Payout]:
    """Return the payouts that no repeated row is part of."""
    return [p for p in payouts if not any((series.ticker, series.source, series.day_T[t].item()) in repeated for t in (p.t - 1, p.t))]


def _finding(series: Series, fault: Fault) -> Finding:
    days = sorted(series.day_T[payout.t].item() for payout in (fault.payout, *fault.alike))
    return Finding(
        ticker=series.ticker,
        source=series.source,
        severity="error",
        scope="ticker_day",
        first_session=days[0],
        last_session=days[-1],
        sessions=len(days),
        value=fault.value if math.isfinite(fault.value) else None,
        message=f"{series.ticker}: {days[-1]}: {fault.fact}; {fault.mend}",
    )


_WRONG = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("ticker", "source", "reason")),
        *(pa.field(name, pa.date32()) for name in ("before", "day")),
        pa.field("ratio", pa.float64()),
    ]
)
_CASH = """
select v.ticker, v.source, v.session, v.dividend as stored, w.ratio, w.reason
from wrong_cash w join vendor_prices v on v.ticker = w.ticker and v.source = w.source and v.session > w.before and v.session <= w.day
where v.dividend > 0 order by all
"""
"""A day without a price pays on the next row that has one: wrong is what is listed since the row before."""


def _cash(context: CheckContext, found: list[tuple[Series, Fault]]) -> list[dict[str, Any]]:
    """Return the dividends listed that are wrong, by ex-date: ticker, source, session, stored, the ratio that mends it, reason."""
    rows = [
        {
            "ticker": series.ticker,
            "source": series.source,
            "before": series.day_T[payout.t - 1].item(),
            "day": series.day_T[payout.t].item(),
            "ratio": None if fault.proposed is None else fault.proposed / fault.payout.cash,
            "reason": fault.fact,
        }
        for series, fault in found
        if fault.column == DIVIDEND
        for payout in (fault.payout, *fault.alike)
    ]
    context.connection.register("wrong_cash", pa.Table.from_pylist(rows, schema=_WRONG))
    return context.rows(_CASH)


def _adjusted_close(series: Series, fault: Fault) -> dict[str, Any]:
    t = fault.payout.t - 1
    return {
        "ticker": series.ticker,
        "source": series.source,
        "session": series.day_T[t].item(),
        "column_name": fault.column,
        "stored": float(series.adj_T[t]),
        "proposed": fault.proposed,
        "reason": fault.fact,
    }
