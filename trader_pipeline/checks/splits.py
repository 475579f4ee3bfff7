"""Splits applied twice, not at all or to a part of the history, and jumps of a split's size that no action explains."""

import datetime as dt
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.jumps import Jump, jumps_of
from trader_pipeline.checks.rule import Finding, Rule, RuleResult, Severity, counted
from trader_pipeline.checks.series import PRICES, REPAIRS, SPLIT_MOVE, Series, series_of, steps_over, with_listed_splits
from trader_pipeline.checks.unlisted import LEAST_MOVE
from trader_pipeline.checks.witnesses import with_witnesses
from trader_pipeline.schema.core import CORPORATE_ACTIONS, DAILY_BARS


def _jumps(context: CheckContext) -> list[tuple[Series, Jump]]:
    """Return every jump of the series that step far, or that step at all and have a known split."""
    if "jumps" not in context.memo:
        chosen = steps_over(context, LEAST_MOVE) | (steps_over(context, SPLIT_MOVE) & with_listed_splits(context))
        context.memo["jumps"] = [(series, jump) for series in series_of(context, chosen) for jump in jumps_of(series)]
    found: list[tuple[Series, Jump]] = context.memo["jumps"]
    return found


def without_split_before(context: CheckContext) -> dict[tuple[str, str], np.datetime64]:
    """Return the day, by ticker and source, before which every row is on another basis: a split of that day is not in them, or twice."""
    return {(series.ticker, series.source): series.day_T[jump.t] for series, jump in _jumps(context) if _is_of_its_day(jump)}


def unlisted_steps(context: CheckContext) -> dict[tuple[str, str], list[dt.date]]:
    """Return the days, by ticker and source, of steps without an action that are errors: of the step, or of the block that steps back."""
    days: dict[tuple[str, str], list[dt.date]] = {}
    for series, jump in _jumps(context):
        if jump.listed is None and jump.severity == "error":
            days.setdefault((series.ticker, series.source), []).extend(series.day_T[list(_rows_of(jump))].tolist())
    return days


def split_applied(context: CheckContext) -> RuleResult:
    """Find steps of a listed split's ratio where none belongs: applied twice, not at all, the wrong way round, or to a part of the rows.

    Judged on dividend-adjusted closes where the vendor has them, with units made alike. Within 10 rows of its split, where the prices
    step back, and where nothing but the price changed that day, it is an error; else it may be real and is a warning.
    Where prices as traded do not step at a split, the split is kept out and its bar stays.
    """
    found = [(series, jump) for series, jump in _jumps(context) if jump.listed is not None]
    return _result(context, found, [_applied_finding(series, jump) for series, jump in found])


def split_jump(context: CheckContext) -> RuleResult:
    """Find steps of 1.45 times and more without an action that are there at the open and stay, or come back as one.

    An error where nothing but the price changed that day (volume at most three times the usual, a bar of usual height) by a usual ratio
    or ten times, all rows before it quarantined, of every source: they stand on another basis, and no label may cross it. A warning where
    that is not sure, where volume says nothing, or where the shares traded changed inversely by a ratio that nobody chooses: an exchange
    of shares, a distribution. Dropped when the other tickers moved alike that session. Other sources that do not step make it an
    error, and say by their levels which side is at fault; of the newest rows those from the step on are kept out.
    """
    found = with_witnesses(context, [(series, jump) for series, jump in _jumps(context) if jump.listed is None])
    return _result(context, found, [_jump_finding(series, jump) for series, jump in found])


def _result(context: CheckContext, found: list[tuple[Series, Jump]], findings: list[Finding]) -> RuleResult:
    wrong = [(pair, finding) for pair, finding in zip(found, findings, strict=True) if finding.severity == "error"]
    away = [_quarantined(series, jump, finding) for (series, jump), finding in wrong if not _is_not_traded(series, jump)]
    away += [_stand_ins(context, series, jump, finding) for (series, jump), finding in wrong if _is_change_of_basis(jump)]
    away += [_splits(context, series, jump) for (series, jump), _ in wrong if _is_not_traded(series, jump)]
    repairs = [row for (series, jump), _ in wrong for row in _repairs(series, jump)]
    return RuleResult(
        findings=tuple(findings),
        quarantine=pa.concat_tables(away) if away else None,
        repairs=pa.Table.from_pylist(repairs, schema=REPAIRS) if repairs else None,
        metrics={"steps": len(found), "tickers": len({series.ticker for series, _ in found})},
    )


def _is_of_its_day(jump: Jump) -> bool:
    """Say whether whole rows step at the split's own row, and do not step back."""
    return jump.listed == jump.t and jump.t_end is None and not jump.columns


def _is_not_traded(series: Series, jump: Jump) -> bool:
    """Say whether prices as traded go on at a split as if there were none: without it, returns are right."""
    return series.as_traded and _is_of_its_day(jump) and jump.step * math.log(series.split_T[jump.t]) > 0


def _rows_of(jump: Jump) -> range:
    """Return the rows that a finding speaks of: the block, those between the split and its step, else the row of the step."""
    if jump.t_end is not None:
        return range(jump.t, jump.t_end + 1)
    if jump.listed is not None and jump.listed != jump.t:
        return range(min(jump.t, jump.listed), max(jump.t, jump.listed))
    return range(jump.t, jump.t + 1)


def _on_another_basis(series: Series, jump: Jump) -> range:
    """Return the rows to keep out: a block; of prices as traded those between the split and its step; else all on the side at fault."""
    if jump.onwards:
        return range(jump.t, len(series.day_T))
    misplaced = series.as_traded and jump.listed is not None and jump.listed != jump.t
    return _rows_of(jump) if jump.t_end is not None or misplaced else range(jump.t)


def _is_change_of_basis(jump: Jump) -> bool:
    """Say whether the step is trusted, so that no source's rows before it may stand in: no action is known, and no source denies it."""
    return jump.listed is None and jump.t_end is None and not jump.onwards and not jump.against


def _applied_finding(series: Series, jump: Jump) -> Finding:
    rows = _rows_of(jump)
    split = jump.listed or 0
    ratio = series.split_T[split]
    where = f"the {ratio:g} split of {series.day_T[split]}"
    if _is_not_traded(series, jump):
        fact = f"{series.ticker}: prices go on at {where} as if there were none"
        mend = "the split is kept out: it is none, or twice in the rows before it; fetch again, or take it out of the actions"
        return _of_rows(series, rows, jump.severity, value=math.exp(jump.step), message=f"{fact}; {mend}")
    if jump.columns:
        fact = f"{', '.join(PRICES[j] for j in jump.columns)} of {series.day_T[jump.t]} stand on the other side of {where}"
    elif jump.t_end is not None:
        count = counted(len(rows), "row")
        fact = f"{count} from {series.day_T[jump.t]} on stand {math.exp(jump.step):.3g} times the others: {where}, misplaced"
    else:
        fact = (
            f"prices step to {math.exp(jump.step):.3g} times at {series.day_T[jump.t]}: {where} is missing before it, doubled or misplaced"
        )
    t = rows[0] if jump.t_end is not None else jump.t - 1
    stored = float(series.close_T[t])
    mend = (
        f"close {stored:g} of {series.day_T[t]} should be about {_proposed(jump, stored):.6g}; apply the split once to every row before it"
    )
    return _of_rows(series, rows, jump.severity, value=math.exp(jump.step), message=f"{series.ticker}: {fact}; {mend}")


def _proposed(jump: Jump, stored: float) -> float:
    return stored * jump.ratio if jump.t_end is not None else stored / jump.ratio


def _jump_finding(series: Series, jump: Jump) -> Finding:
    rows = _rows_of(jump)
    name = f"as a {jump.ratio:g}:1 split would make them" if jump.ratio > 1 else f"as a 1:{1 / jump.ratio:g} split would make them"
    step = f"{series.ticker}: prices step to {math.exp(jump.step):.4g} times at {series.day_T[jump.t]} without an action"
    fact = f"{step}, {name}" if jump.usual else f"{step}, of a ratio that no split has"
    if jump.t_end is not None:
        fact += f", and back after {series.day_T[jump.t_end]}"
        mend = "the rows between stand on another basis: fetch again"
    elif jump.onwards:
        mend = "too few rows follow to tell whether it stays: add the split to the actions, or fetch again"
        mend = f"the rows from it on are quarantined; {mend}" if jump.severity == "error" else mend
    elif jump.severity == "error":
        fact += ", and nothing else changed"
        mend = "every row before it is quarantined: add the split or the distribution to the actions, or fetch again"
    else:
        mend = "add the split, or the distribution, to the actions; a real move of that size is rare"
    if jump.against:
        kept = "the rows between" if jump.t_end is not None else "the rows from it on" if jump.onwards else "every row before it"
        mend = f"{', '.join(jump.against)} does not step: {kept} disagree and are quarantined; fetch again"
    return _of_rows(series, rows, jump.severity, value=math.exp(jump.step), message=f"{fact}; {mend}")


def _of_rows(series: Series, rows: range, severity: Severity, *, value: float, message: str) -> Finding:
    return Finding(
        ticker=series.ticker,
        source=series.source,
        severity=severity,
        scope="ticker_day",
        first_session=series.day_T[rows[0]].item(),
        last_session=series.day_T[rows[-1]].item(),
        sessions=len(rows),
        value=value,
        message=message,
    )


def _quarantined(series: Series, jump: Jump, finding: Finding) -> pa.Table:
    days: npt.NDArray[np.datetime64] = np.unique(series.day_T[list(_on_another_basis(series, jump))])
    return pa.table(
        {
            "ticker": pa.repeat(series.ticker, len(days)),
            "session": pa.array(days, pa.date32()),
            "source": pa.repeat(series.source, len(days)),
            "reason": pa.repeat(_reason(finding), len(days)),
            "table_name": pa.repeat(DAILY_BARS.full_name, len(days)),
            "item": pa.repeat("", len(days)),
        }
    )


def _reason(finding: Finding) -> str:
    return f"on another split basis, {finding.value:.3g} times"


_STAND_INS = """
select distinct ticker, session, source, $reason as reason, $table_name as table_name, '' as item
from every_close where ticker = $ticker and source <> $source and session < $day
"""


def _stand_ins(context: CheckContext, series: Series, jump: Jump, finding: Finding) -> pa.Table:
    """Return the other sources' rows before the step, which would stand in for those kept out and carry a label over it."""
    where = {"ticker": series.ticker, "source": series.source, "day": series.day_T[jump.t].item()}
    return context.table(_STAND_INS, {"reason": _reason(finding), "table_name": DAILY_BARS.full_name, **where})


_SPLITS = """
select distinct ticker, session, source, 'prices go on as if there were none' as reason, $table_name as table_name, kind as item
from corporate_actions where kind = 'split' and ticker = $ticker and session > $before and session <= $day
"""
"""A split of a day without a price takes effect on the next row that has one."""


def _splits(context: CheckContext, series: Series, jump: Jump) -> pa.Table:
    days = {"before": series.day_T[jump.t - 1].item(), "day": series.day_T[jump.t].item()}
    return context.table(_SPLITS, {"table_name": CORPORATE_ACTIONS.full_name, "ticker": series.ticker, **days})


def _repairs(series: Series, jump: Jump) -> list[dict[str, Any]]:
    """Propose prices for a block that steps back; where a step stays, its rows go on to the start and nothing is proposed row by row."""
    if jump.t_end is None:
        return []
    columns = jump.columns or tuple(range(len(PRICES)))
    return [
        {
            "ticker": series.ticker,
            "source": series.source,
            "session": series.day_T[t].item(),
            "column_name": PRICES[j],
            "stored": float(series.price_T4[t, j]),
            "proposed": float(series.price_T4[t, j] * jump.ratio),
            "reason": f"stands {math.exp(jump.step):.3g} times the rows around it: a split applied in the wrong place",
        }
        for t in _rows_of(jump)
        for j in columns
        if np.isfinite(series.price_T4[t, j])
    ]


RULES = (
    Rule(
        name="split_applied",
        table=DAILY_BARS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="Steps of a listed split's ratio in the wrong place: applied twice, not at all, or to a part of the history.",
        run=split_applied,
        reads=(CORPORATE_ACTIONS,),
    ),
    Rule(
        name="split_jump",
        table=DAILY_BARS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="Jumps of a split's size without an action or news that the other tickers did not make that session.",
        run=split_jump,
        reads=(CORPORATE_ACTIONS,),
    ),
)
