"""Objections to payouts, and what a rule returns of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.payouts import Payout, paying_series
from trader_pipeline.checks.rule import Finding, RuleResult, Severity
from trader_pipeline.checks.series import REPAIRS, Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One objection to a payout; `columns` maps a column to the value it should have."""

    payout: Payout
    severity: Severity
    fact: str
    mend: str
    value: float
    column: str | None = None
    proposed: float | None = None


Judge = Callable[[Series, list[Payout]], list[Fault]]


def run(context: CheckContext, judge: Judge) -> RuleResult:
    """Judge every series with payouts. An error quarantines the row of its payout; what a fault proposes is a repair."""
    findings: list[Finding] = []
    away: list[dict[str, Any]] = []
    repairs: list[dict[str, Any]] = []
    payouts_seen = 0
    for series, payouts in paying_series(context):
        payouts_seen += len(payouts)
        for fault in sorted(judge(series, payouts), key=lambda f: f.payout.t):
            findings.append(_finding(series, fault))
            if fault.severity == "error":
                away.append(_row(series, fault))
            if fault.column is not None:
                repairs.append(_repair(series, fault))
    quarantine = pa.Table.from_pylist(_first_of_each(away)) if away else None
    return RuleResult(
        findings=tuple(findings),
        quarantine=quarantine,
        repairs=pa.Table.from_pylist(repairs, schema=REPAIRS) if repairs else None,
        metrics={"payouts": payouts_seen, "faults": len(findings), "tickers": len({f.ticker for f in findings})},
    )


def _first_of_each(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({(row["ticker"], row["source"], row["session"]): row for row in reversed(rows)}.values())


def _finding(series: Series, fault: Fault) -> Finding:
    day = series.day_T[fault.payout.t].item()
    return Finding(
        ticker=series.ticker,
        source=series.source,
        severity=fault.severity,
        scope="ticker_day",
        first_session=day,
        last_session=day,
        sessions=1,
        value=fault.value if math.isfinite(fault.value) else None,
        message=f"{series.ticker}: {day}: {fault.fact}; {fault.mend}",
    )


def _row(series: Series, fault: Fault) -> dict[str, Any]:
    return {"ticker": series.ticker, "session": series.day_T[fault.payout.t].item(), "source": series.source, "reason": fault.fact}


def _repair(series: Series, fault: Fault) -> dict[str, Any]:
    t = fault.payout.t if fault.column == "dividend" else fault.payout.t - 1
    stored = fault.payout.cash if fault.column == "dividend" else float(series.adj_T[t])
    return {
        "ticker": series.ticker,
        "source": series.source,
        "session": series.day_T[t].item(),
        "column_name": fault.column,
        "stored": stored,
        "proposed": fault.proposed,
        "reason": fault.fact,
    }
