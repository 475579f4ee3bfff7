"""Prices in the wrong unit: pence for pounds, agorot for shekels, cents for rand. A hundred times too large or too small."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.rule import Finding, Rule, RuleResult, counted, listing
from trader_pipeline.checks.series import PRICES, REPAIRS, Floats, Series, noise, series_of, steps_over
from trader_pipeline.schema.core import CORPORATE_ACTIONS, DAILY_BARS

UNIT = math.log(100)
"""Every currency that quotes in two units has a hundred of the smaller in the larger."""

LEAST_REACH, MOST_REACH = math.log(1.2), math.log(1.6)
"""A step is a change of unit when it is a hundredfold within six times what the series moves, at least 1.2 and at most 1.6."""

NOISES = 6
MOST_POWER = 2

OF_TRADES = 0.9
"""The unit in which this share of the traded rows stands is the series' own."""

LEAST_BLOCK = 5
"""A shorter run of rows is no new unit of quotation: where no other unit has a longer one, the rows in it are strays."""

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """The units of a series. `power_T4` is the power of 100 by which a price lies above the series' own unit, 0 where it is right.

    `settled`: the rows say which unit is right; otherwise nothing is proposed.
    """

    power_T4: Labels
    settled: bool


def powers_of_100(series: Series) -> Labels:
    """Return of each price by which power of 100 it differs from the first row's open, real moves and splits followed."""
    log_T4 = np.log(series.price_T4)
    if (np.abs(np.abs(np.log(series.split_T)) - UNIT) < MOST_REACH).any():
        return np.zeros(log_T4.shape, dtype=np.int64)  # a split of 100:1 is for the rule on splits
    if series.as_traded:
        log_T4 = log_T4 + np.cumsum(np.log(series.split_T))[:, None]
    step_T = np.diff(log_T4[:, 3])
    sigma = noise(step_T[np.abs(step_T) < UNIT / 2])
    reach_T = np.clip(NOISES * sigma * np.sqrt(series.gap_T), LEAST_REACH, MOST_REACH)
    power_T4 = np.zeros(log_T4.shape, dtype=np.int64)
    level = next(iter(log_T4[0][np.isfinite(log_T4[0])]))
    for t, row in enumerate(log_T4):
        away = (row - level) / UNIT
        nearest = np.nan_to_num(np.round(away))
        is_unit = np.isfinite(row) & (nearest != 0) & (np.abs(nearest) <= MOST_POWER) & (np.abs(away - nearest) * UNIT < reach_T[t])
        power_T4[t] = np.where(is_unit, nearest, 0)
        level = float(np.nanmedian(row - power_T4[t] * UNIT))
    return power_T4


def judged_units(series: Series) -> Mixed | None:
    """Say which prices stand in another unit than the series' own, None where all agree."""
    power_T4 = powers_of_100(series)
    if not power_T4.any():
        return None
    row_T = _of_rows(power_T4, series)
    starts = np.flatnonzero(np.diff(row_T, prepend=row_T[0] - 1))
    lengths = np.diff(starts, append=len(row_T))
    traded_T = series.traded_T if series.traded_T.any() else np.ones(len(row_T), dtype=bool)
    units, counts = np.unique(row_T[traded_T], return_counts=True)
    most = int(units[np.argmax(counts)])
    if counts.max() >= OF_TRADES * counts.sum():
        return Mixed(power_T4=power_T4 - most, settled=True)
    few_blocks = len(starts) <= 3  # noqa: PLR2004 - one change, or there and back
    if few_blocks:
        newest = int(row_T[-1]) if lengths[-1] >= min(LEAST_BLOCK, lengths[0]) else int(row_T[0])
        return Mixed(power_T4=power_T4 - newest, settled=True)
    strays = lengths[row_T[starts] != most]
    return Mixed(power_T4=power_T4 - most, settled=bool((strays < LEAST_BLOCK).all()))


def _of_rows(power_T4: Labels, series: Series) -> Labels:
    """Return each row's power; a row whose prices disagree counts as the row before it."""
    known_T4 = np.isfinite(series.price_T4)
    low_T = np.where(known_T4, power_T4, np.iinfo(np.int64).max).min(axis=1)
    high_T = np.where(known_T4, power_T4, np.iinfo(np.int64).min).max(axis=1)
    row_T = np.where(low_T == high_T, high_T, 0)
    for t in np.flatnonzero(low_T != high_T):
        row_T[t] = row_T[t - 1] if t else power_T4[t, 0]
    return np.asarray(row_T)


def price_unit(context: CheckContext) -> RuleResult:
    """Find prices that are a hundredfold of the rows around them, or a hundredth: single values, rows, runs, whole blocks.

    A hundredfold step, within what the series moves, is a change of unit: nothing else moves a price so. The unit in which 90 % of
    the traded rows stand is right; after one change (or one there and back) the newer one, which the source now quotes in. Those
    rows are errors, quarantined, with the value they should have. Where trades stand in both units and change again and again,
    the rows do not say which is right: a warning, nothing is proposed, and all rows from the first change on are quarantined.
    """
    found, away, repairs = [], [], []
    for series in series_of(context, steps_over(context, UNIT - MOST_REACH)):
        mixed = judged_units(series)
        if mixed is None:
            continue
        found.append(_finding(series, mixed))
        away.append(_quarantined(series, mixed))
        if mixed.settled:
            repairs.append(_repairs(series, mixed))
    rows = sum(table.num_rows for table in away)
    return RuleResult(
        findings=tuple(found),
        quarantine=pa.concat_tables(away) if away else None,
        repairs=pa.concat_tables(repairs) if repairs else None,
        metrics={"tickers": len(found), "rows": rows},
    )


def _wrong(series: Series, mixed: Mixed) -> npt.NDArray[np.bool_]:
    return np.asarray(((mixed.power_T4 != 0) & np.isfinite(series.price_T4)).any(axis=1))


def _finding(series: Series, mixed: Mixed) -> Finding:
    wrong_T = _wrong(series, mixed)
    days: list[Any] = sorted(set(series.day_T[wrong_T].tolist()))
    t = int(np.flatnonzero(wrong_T)[0])
    column = int(np.flatnonzero((mixed.power_T4[t] != 0) & np.isfinite(series.price_T4[t]))[-1])
    stored, power = float(series.price_T4[t, column]), int(mixed.power_T4[t, column])
    severity: Literal["error", "warning"] = "error" if mixed.settled else "warning"
    rows = counted(int(wrong_T.sum()), "row")
    fact = f"{series.ticker}: {rows} in another unit than the others, {100.0**power:g} times, first {listing(days)}"
    mend = (
        f"quarantined; {PRICES[column]} {stored:g} of {days[0]} should be {stored / 100.0**power:g}: fetch again"
        if mixed.settled
        else "trades stand in both units and no row says which is right: quarantined from the first change on; ask another source"
    )
    return Finding(
        ticker=series.ticker,
        source=series.source,
        severity=severity,
        scope="ticker_day" if mixed.settled else "ticker",
        first_session=days[0],
        last_session=days[-1],
        sessions=len(days),
        value=100.0**power,
        message=f"{fact}; {mend}",
    )


def _quarantined(series: Series, mixed: Mixed) -> pa.Table:
    chosen_T = _wrong(series, mixed)
    if not mixed.settled:
        chosen_T = np.arange(len(chosen_T)) >= np.flatnonzero(np.diff(chosen_T, prepend=chosen_T[0]))[0]
    days = np.unique(series.day_T[chosen_T])
    reason = (
        "prices a hundredfold or a hundredth of those around them" if mixed.settled else "two units in turn, and no telling which is right"
    )
    return pa.table(
        {
            "ticker": pa.repeat(series.ticker, len(days)),
            "session": pa.array(days, pa.date32()),
            "source": pa.repeat(series.source, len(days)),
            "reason": pa.repeat(reason, len(days)),
        }
    )


def _repairs(series: Series, mixed: Mixed) -> pa.Table:
    """Propose each wrong price, and the adjusted close with the close."""
    rows: list[dict[str, Any]] = []
    columns: list[tuple[str, Floats, Labels]] = [
        *((name, series.price_T4[:, j], mixed.power_T4[:, j]) for j, name in enumerate(PRICES)),
        ("adj_close", series.adj_T, mixed.power_T4[:, 3]),
    ]
    for name, value_T, power_T in columns:
        rows += [
            {
                "ticker": series.ticker,
                "source": series.source,
                "session": series.day_T[t].item(),
                "column_name": name,
                "stored": float(value_T[t]),
                "proposed": float(value_T[t] / 100.0 ** power_T[t]),
                "reason": f"{100.0 ** power_T[t]:g} times the rows around it: another unit",
            }
            for t in np.flatnonzero((power_T != 0) & np.isfinite(value_T))
        ]
    return pa.Table.from_pylist(rows, schema=REPAIRS)


RULES = (
    Rule(
        name="price_unit",
        table=DAILY_BARS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="Prices a hundredfold or a hundredth of the rows around them: pence for pounds, agorot for shekels, cents for rand.",
        run=price_unit,
        reads=(CORPORATE_ACTIONS,),
    ),
)
