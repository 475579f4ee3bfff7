"""Splits applied twice, not at all or to a part of the history, and jumps of a split's size that no action explains."""

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.rule import Finding, Rule, RuleResult, Severity, counted
from trader_pipeline.checks.series import (
    PRICES,
    REPAIRS,
    SPLIT_MOVE,
    Floats,
    Series,
    noise,
    series_of,
    steps_over,
    with_listed_splits,
)
from trader_pipeline.checks.units import UNIT, powers_of_100
from trader_pipeline.schema.core import CORPORATE_ACTIONS, DAILY_BARS

NOISES = 6
"""A step has to exceed what the series moves this many times over before it is taken for a split's."""

MATCH_NOISES, LEAST_MATCH = 4, 0.03
"""A step is a split's when it differs from the log of the ratio by no more than four times what the series moves, or 3 %."""

NEAR_ROWS = 10
"""A step of a listed ratio this close to the split's row is that split, put in the wrong place."""

BLOCK_ROWS = 60
"""Two opposite steps of one size no farther apart than this enclose rows on another basis."""

FAR_RATIO = math.log(3)
"""Farther from its split, only a step of 3:1 or more is an error on its own: stocks do halve on news."""

UNLISTED_MOVE = math.log(1.45)
UNLISTED_NOISES = 3
USUAL = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0)
"""Ratios that companies choose; 100 is left to the rule on units."""

MIN_PEERS = 5
PEER_SHARE = 1 / 3
"""When the others' median moved this share of the step that session, the step is the market's."""

Kind = Literal["applied", "jump"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """A step that is a split's in size. `t`: first row after it; `t_end`: last row of a block that steps back, else None.

    `ratio`: what the close before is of the close after, or the listed ratio it matches; `listed`: the split's row; `columns`:
    the prices concerned where only some of the row's are.
    """

    t: int
    t_end: int | None
    step: float
    ratio: float
    listed: int | None
    columns: tuple[int, ...] = ()

    def severity(self) -> Severity:
        """Error where the split, or the step back, proves it; a single step without an action may be real."""
        if self.listed is None:
            return "error" if self.t_end is not None else "warning"
        near = abs(self.t - self.listed) <= NEAR_ROWS or self.t_end is not None
        return "error" if near or abs(math.log(self.ratio)) >= FAR_RATIO else "warning"


def steps_of(series: Series) -> tuple[Floats, Floats]:
    """Return each row's log step against the one before it, first NaN, and log prices (T, 4), on one basis.

    The basis: units made alike, known splits undone, and where the vendor adjusts closes for dividends, those; else the
    step is net of the row's dividend.
    """
    log_T4 = np.log(series.price_T4)
    usable = np.isfinite(series.adj_T) & (series.adj_T > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        adjusted_T = np.where(usable, np.log(series.adj_T), np.nan)
    if np.nanmax(np.abs(np.diff(log_T4[:, 3])), initial=0.0) > UNIT / 2:
        power_T4 = powers_of_100(series)
        log_T4 = log_T4 - power_T4 * UNIT
        adjusted_T = adjusted_T - power_T4[:, 3] * UNIT
    if _jumps_at_splits(series, log_T4[:, 3], adjusted_T):
        log_T4 = log_T4 + np.cumsum(np.log(series.split_T))[:, None]
    raw_T = np.diff(log_T4[:, 3], prepend=np.nan)
    cash_T = np.nan_to_num(series.dividend_T)
    net_T = raw_T + np.log1p(cash_T / series.close_T) * (cash_T > 0)
    net_T = np.where(np.abs(net_T) < np.abs(raw_T), net_T, raw_T)
    total_T = np.diff(adjusted_T, prepend=np.nan)
    return np.where(np.isfinite(total_T), total_T, net_T), log_T4


def _jumps_at_splits(series: Series, log_T: Floats, adjusted_T: Floats) -> bool:
    """Say whether the closes are as traded: told so, or, without adjusted closes, where that explains the closes better."""
    at = np.flatnonzero(series.split_T != 1)
    at = at[at > 0]
    if series.as_traded or not len(at):
        return series.as_traded
    if np.isfinite(adjusted_T[at]).any():
        return False
    moves, ratios = log_T[at] - log_T[at - 1], np.log(series.split_T[at])
    return bool(np.abs(moves + ratios).sum() < np.abs(moves).sum())


def jumps_of(series: Series) -> list[Jump]:
    """Return the steps that are a split's in size, blocks that step back as one."""
    step_T, log_T4 = steps_of(series)
    sigma = noise(step_T)
    sigma_T = sigma * np.sqrt(series.gap_T)
    listed = [(int(s), math.log(series.split_T[s])) for s in np.flatnonzero(series.split_T != 1)]
    listed = [(s, q) for s, q in listed if abs(q) > max(NOISES * sigma, SPLIT_MOVE)]
    big = np.flatnonzero(np.nan_to_num(np.abs(step_T)) > np.maximum(NOISES * sigma_T, SPLIT_MOVE))
    found: list[Jump] = []
    taken: set[int] = set()
    for t in big.tolist():
        if t in taken:
            continue
        back = next((u for u in big.tolist() if t < u <= t + BLOCK_ROWS and _same(step_T[t], -step_T[u], sigma_T[u])), None)
        split = _listed_match(step_T[t], listed, t, sigma_T[t])
        if split is not None:
            found.append(Jump(t=t, t_end=back - 1 if back else None, step=step_T[t], ratio=math.exp(-split[1]), listed=split[0]))
        elif abs(step_T[t]) > UNLISTED_MOVE and _overnight(series, log_T4, step_T, t, sigma_T[t]):
            usual = _usual_match(step_T[t], sigma_T[t])
            if usual is None or (back is not None and not _overnight(series, log_T4, step_T, back, sigma_T[back])):
                continue
            found.append(Jump(t=t, t_end=back - 1 if back else None, step=step_T[t], ratio=usual, listed=None))
        else:
            continue
        taken |= {t} | ({back} if back else set())
    return [*found, *_partial_rows(series, log_T4, listed, sigma, found)]


def _same(one: float, other: float, sigma: float) -> bool:
    return abs(one - other) < max(MATCH_NOISES * sigma, LEAST_MATCH) and one * other > 0


def _listed_match(step: float, listed: list[tuple[int, float]], t: int, sigma: float) -> tuple[int, float] | None:
    """Return the nearest listed split of this size, and the log of its ratio with the sign that the step has."""
    reach = max(MATCH_NOISES * sigma, LEAST_MATCH)
    matches = [(s, math.copysign(q, step)) for s, q in listed if abs(abs(step) - abs(q)) < min(reach, abs(q) / 3)]
    return min(matches, key=lambda match: abs(match[0] - t), default=None)


def _usual_match(step: float, sigma: float) -> float | None:
    """Return the usual ratio nearest to the step, as new / old shares, None where none is within the noise."""
    ratio = min(USUAL, key=lambda usual: abs(abs(step) - math.log(usual)))
    near = abs(abs(step) - math.log(ratio)) < max(UNLISTED_NOISES * sigma, LEAST_MATCH)
    return (ratio if step < 0 else 1 / ratio) if near else None


def _overnight(series: Series, log_T4: Floats, step_T: Floats, t: int, sigma: float) -> bool:
    """Say whether the step was there at the open, as a split's is; a row without an open is not judged by it."""
    opened = log_T4[t, 0] - log_T4[t - 1, 3]
    return bool(not np.isfinite(opened) or abs(opened - step_T[t]) < max(MATCH_NOISES * sigma, LEAST_MATCH)) or series.spacing != "daily"


def _partial_rows(series: Series, log_T4: Floats, listed: list[tuple[int, float]], sigma: float, found: list[Jump]) -> list[Jump]:
    """Return daily rows near a listed split of which single prices stand on the basis before it or after it."""
    if series.spacing != "daily":
        return []
    rows = []
    taken = {t for jump in found for t in range(jump.t, (jump.t_end or jump.t) + 1)}
    for s, q in listed:
        for t in range(max(1, s - NEAR_ROWS), min(len(log_T4), s + NEAR_ROWS + 1)):
            if t in taken:
                continue
            away = log_T4[t] - np.nanmedian(log_T4[max(0, t - 1) : t + 2])
            reach = max(MATCH_NOISES * sigma, LEAST_MATCH)
            columns = tuple(int(j) for j in np.flatnonzero(np.abs(np.abs(np.nan_to_num(away)) - abs(q)) < reach))
            if 0 < len(columns) < len(PRICES):
                taken.add(t)
                step = float(away[columns[0]])
                rows.append(Jump(t=t, t_end=t, step=step, ratio=math.exp(-math.copysign(q, step)), listed=s, columns=columns))
    return rows


def split_applied(context: CheckContext) -> RuleResult:
    """Find steps of a listed split's ratio where none belongs: the split was applied twice, not at all, or to a part of the rows.

    Judged on dividend-adjusted closes where the vendor has them, with units made alike. Within 10 rows of its split, or where the
    prices step back, it is an error; farther off, a single step below 3:1 may be real and is a warning.
    """
    chosen = steps_over(context, SPLIT_MOVE) & with_listed_splits(context)
    found = [(series, jump) for series in series_of(context, chosen) for jump in jumps_of(series) if jump.listed is not None]
    return _result(found, [_applied_finding(series, jump) for series, jump in found])


def split_jump(context: CheckContext) -> RuleResult:
    """Find steps of a usual split ratio without an action. A step there and back is an error, a single one a warning.

    The step is there at the open and is one of the usual ratios within three times what the series moves. It is dropped when the
    other tickers moved alike that session. A second source that did not step makes it an error: then it is no real move.
    """
    found, findings = [], []
    for series in series_of(context, steps_over(context, UNLISTED_MOVE)):
        for jump in jumps_of(series):
            if jump.listed is not None or _peers_moved(context, series, jump):
                continue
            others = _other_sources(context, series, jump)
            found.append((series, jump))
            findings.append(_jump_finding(series, jump, others))
    return _result(found, findings)


def _result(found: list[tuple[Series, Jump]], findings: list[Finding]) -> RuleResult:
    wrong = [(pair, finding) for pair, finding in zip(found, findings, strict=True) if finding.severity == "error"]
    away = [_quarantined(series, jump, finding) for (series, jump), finding in wrong]
    repairs = [row for (series, jump), _ in wrong for row in _repairs(series, jump)]
    return RuleResult(
        findings=_one_a_day(findings),
        quarantine=pa.concat_tables(away) if away else None,
        repairs=pa.Table.from_pylist(repairs, schema=REPAIRS) if repairs else None,
        metrics={"steps": len(found), "tickers": len({series.ticker for series, _ in found})},
    )


def _one_a_day(findings: list[Finding]) -> tuple[Finding, ...]:
    kept: dict[tuple[str, str, dt.date], Finding] = {}
    for finding in findings:
        key = (finding.ticker, finding.source, finding.first_session)
        if key not in kept or finding.severity == "error":
            kept[key] = finding
    return tuple(kept.values())


def _rows_of(jump: Jump) -> range:
    """Return the rows on the wrong basis: the block, those between the split and its step, else the row of the step."""
    if jump.t_end is not None:
        return range(jump.t, jump.t_end + 1)
    if jump.listed is not None and jump.listed != jump.t:
        return range(min(jump.t, jump.listed), max(jump.t, jump.listed))
    return range(jump.t, jump.t + 1)


def _applied_finding(series: Series, jump: Jump) -> Finding:
    rows = _rows_of(jump)
    split = jump.listed or 0
    ratio = series.split_T[split]
    where = f"the {ratio:g} split of {series.day_T[split]}"
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
    return _of_rows(series, rows, jump.severity(), value=math.exp(jump.step), message=f"{series.ticker}: {fact}; {mend}")


def _proposed(jump: Jump, stored: float) -> float:
    return stored * jump.ratio if jump.t_end is not None else stored / jump.ratio


def _jump_finding(series: Series, jump: Jump, others: str | None) -> Finding:
    rows = _rows_of(jump)
    name = f"{jump.ratio:g}:1" if jump.ratio > 1 else f"1:{1 / jump.ratio:g}"
    step = f"{series.ticker}: prices step to {math.exp(jump.step):.4g} times at {series.day_T[jump.t]}"
    fact = f"{step} without an action, as a {name} split would make them"
    if jump.t_end is not None:
        fact += f", and back after {series.day_T[jump.t_end]}"
    severity: Severity = "error" if others else jump.severity()
    mend = f"{others}: fetch again" if others else "add the split, or the distribution, to the actions; a real move of that size is rare"
    return _of_rows(series, rows, severity, value=math.exp(jump.step), message=f"{fact}; {mend}")


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
    days: npt.NDArray[np.datetime64] = np.unique(series.day_T[list(_rows_of(jump))])
    return pa.table(
        {
            "ticker": pa.repeat(series.ticker, len(days)),
            "session": pa.array(days, pa.date32()),
            "source": pa.repeat(series.source, len(days)),
            "reason": pa.repeat(f"on another split basis, {finding.value:.3g} times", len(days)),
        }
    )


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


_PEERS = """
select count(*) as peers, median(ln(b.close / p.close)) as typical
from bars b join bars p on p.ticker = b.ticker and p.source = b.source and p.session = $before and b.session = $day
where b.source = $source and b.ticker <> $ticker and b.close > 0 and p.close > 0
"""
_OTHERS = """
select b.source, ln(b.close / p.close) as step
from bars b join bars p on p.ticker = b.ticker and p.source = b.source and p.session = $before and b.session = $day
where b.ticker = $ticker and b.source <> $source and b.close > 0 and p.close > 0 order by b.source
"""


def _peers_moved(context: CheckContext, series: Series, jump: Jump) -> bool:
    row = context.rows(_PEERS, _days(series, jump) | {"source": series.source, "ticker": series.ticker})[0]
    return bool(row["peers"] >= MIN_PEERS and row["typical"] * jump.step > 0 and abs(row["typical"]) > PEER_SHARE * abs(jump.step))


def _other_sources(context: CheckContext, series: Series, jump: Jump) -> str | None:
    """Return what another source says against the step, None where none does."""
    rows = context.rows(_OTHERS, _days(series, jump) | {"source": series.source, "ticker": series.ticker})
    against = [row["source"] for row in rows if abs(row["step"] - jump.step) > abs(jump.step) / 2]
    return f"{', '.join(against)} does not step" if against and len(against) == len(rows) else None


def _days(series: Series, jump: Jump) -> dict[str, Any]:
    return {"day": series.day_T[jump.t].item(), "before": series.day_T[jump.t - 1].item()}


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
        description="Jumps of a usual split ratio without an action that the other tickers did not make that session.",
        run=split_jump,
        reads=(CORPORATE_ACTIONS,),
    ),
)
