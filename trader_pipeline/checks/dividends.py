"""Dividends in the wrong unit, without their adjustment, listed twice, or that no price fell for. Judged where a vendor adjusts closes.

An adjusted close steps at an ex-date by 1 - cash / close before: so the step says which cash was taken off, to the last digit.
How it compares with the cash listed needs no statistics; which of the two is right is asked of the price and of the other dividends.
"""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.payout_faults import Fault, of_adjustment, of_dividend, run
from trader_pipeline.checks.payouts import HARD, Payout
from trader_pipeline.checks.rule import Rule, RuleResult
from trader_pipeline.checks.series import Series
from trader_pipeline.schema.core import CORPORATE_ACTIONS, DAILY_BARS

HUNDRED = 100.0

SAME = 0.03
"""Two amounts that differ by 3 % are one: rounding of a currency's conversion reaches 1 %."""

OFF = 0.10
"""Cash taken off that differs from the cash listed by more than a tenth is an error; taxes taken off at source start there."""

SLOW_OFF = 0.5
"""... of weekly and monthly bars by more than a half: the close before the ex-date lies inside the bar."""

LEAST_EFFECT = 5e-4
"""A difference that moves no return by 0.05 % is no error."""

UNPAID_SIGMAS = 4
"""A price that falls this many standard deviations less than the cash, and not half of it, did not go ex."""

GREAT_SHARE = 0.25
"""Regular dividends beyond a quarter of the price do not exist: of two amounts a hundredfold apart the smaller is right."""

REPEAT_DAYS, FAR_REPEAT_DAYS = 7, 20
"""The same cash again within a week is listed twice; within three weeks where the others lie two months apart or more."""

USUAL_GAP_DAYS, LONG_GAP_DAYS = 20, 60

LEAST_OTHERS = 2
BETA_T = 3.5
"""A slope of price falls on dividends this many standard errors above 0: one series of small dividends in 4,000 by chance."""


def _adjustment_faults(series: Series, payouts: list[Payout]) -> list[Fault]:
    """Compare the cash that the adjusted closes take off with the cash listed."""
    known = [payout for payout in payouts if math.isfinite(payout.taken)]
    return [_adjustment_fault(series, payout) for payout in known if _differs(series, payout)]


def _differs(series: Series, payout: Payout) -> bool:
    """Say whether cash taken off and cash listed differ by more than rounding, and so much that a return shows it."""
    off = abs(payout.taken - payout.cash)
    limit = (OFF if series.spacing == "daily" else SLOW_OFF) * payout.cash
    return off > max(limit, HARD * payout.rounding, LEAST_EFFECT * payout.before) and not _is_gain_twice(payout)


def _adjustment_fault(series: Series, payout: Payout) -> Fault:
    cash, taken = payout.cash, payout.taken
    if not cash:
        fact = f"the adjusted close takes off {taken:.4g} and no dividend is listed"
        return Fault(payout=payout, fact=fact, mend="list the dividend or take the adjustment back", value=0.0, column="adj_close")
    ratio = taken / cash
    if abs(taken) <= max(cash / HUNDRED / 2, HARD * payout.rounding):
        return of_adjustment(series, payout, f"the adjusted close does not step at the dividend of {cash:g}")
    if _about(ratio, 1 / HUNDRED, series) or _about(ratio, HUNDRED, series):
        how = "too small" if ratio < 1 else "too large"
        if _listed_is_wrong(payout):
            return of_dividend(payout, f"the dividend of {cash:g} is a hundred times {'too large' if ratio < 1 else 'too small'}", taken)
        return of_adjustment(series, payout, f"the adjustment for the dividend of {cash:g} is a hundred times {how}")
    if payout.split != 1 and _about(ratio, 1 / payout.split, series):
        return of_dividend(payout, f"the dividend of {cash:g} is as before the {payout.split:g} split of the same day", taken)
    return of_adjustment(series, payout, f"the adjusted close takes off {taken:.4g}, the dividend is {cash:g}")


def _about(ratio: float, expected: float, series: Series) -> bool:
    reach = SAME if series.spacing == "daily" else SLOW_OFF
    return ratio > 0 and abs(math.log(ratio / expected)) < reach


def _is_gain_twice(payout: Payout) -> bool:
    """Say whether dividend plus capital gain were taken off: another rule's finding."""
    return payout.gain > 0 and abs(payout.taken - payout.cash - payout.gain) <= max(SAME * payout.cash, HARD * payout.rounding)


def _listed_is_wrong(payout: Payout) -> bool:
    """Of the cash listed and the cash taken off, a hundredfold apart, say whether the listed one is wrong.

    The larger is wrong where the price did not fall for it, the smaller where it did; where the price cannot tell, the larger is
    beyond a quarter of the price.
    """
    larger = max(payout.cash, payout.taken)
    if payout.unpaid(larger) > UNPAID_SIGMAS:
        return payout.cash == larger
    if math.isfinite(payout.drop) and larger / payout.before > UNPAID_SIGMAS * payout.sigma:
        return payout.cash != larger
    return (payout.cash == larger) == (larger / payout.before > GREAT_SHARE)


def _size_faults(series: Series, payouts: list[Payout]) -> list[Fault]:
    """Ask the price, and the other dividends, whether cash can be that no adjusted close proves wrong."""
    doubted = {fault.payout.t for fault in _adjustment_faults(series, payouts) if fault.column == "dividend"}
    listed = [p for p in payouts if p.cash > 0 and p.t not in doubted]
    too_large = [p for p in listed if _too_large(p)]
    faults = [_too_large_fault(series, payout, listed) for payout in too_large]
    faults += [
        of_dividend(p, f"the dividend of {p.cash:g} is a hundredth of what the price fell for", p.cash * HUNDRED)
        for p in _too_small(listed)
    ]
    return faults + ([] if faults else _all_too_small(listed))


def _too_large(payout: Payout) -> bool:
    """Say whether the price did not fall for the cash; where nothing traded, whether the cash exceeds the price."""
    if not math.isfinite(payout.drop):
        return payout.share >= 1
    return payout.unpaid(payout.cash) > UNPAID_SIGMAS


def _too_large_fault(series: Series, payout: Payout, listed: list[Payout]) -> Fault:
    fact = f"a dividend of {payout.cash:g}, {payout.share:.0%} of the price, and the price falls by {max(payout.drop, 0.0):.1%}"
    if not math.isfinite(payout.drop):
        fact = f"a dividend of {payout.cash:g} is {payout.share:.0%} of the price"
    others = [p.share for p in listed if p is not payout and p.share < GREAT_SHARE]
    elsewhere = _fell_elsewhere(series, payout)
    if elsewhere is not None:
        mend = f"it fell so on {series.day_T[elsewhere]}, where the dividend belongs"
        return replace(of_dividend(payout, fact, 0.0), mend=mend)
    hundredth = payout.share / HUNDRED
    if payout.share > GREAT_SHARE or (others and abs(math.log(hundredth / float(np.median(others)))) < math.log(3)):
        return of_dividend(payout, fact, payout.cash / HUNDRED)
    mend = "it is too large, or none: ask another source"
    return Fault(payout=payout, fact=fact, mend=mend, value=payout.share, column="dividend")


def _fell_elsewhere(series: Series, payout: Payout) -> int | None:
    """Return the row within a week of the payout whose price fell as the cash asks for, None where none did."""
    close_T = series.close_T
    for u in range(max(1, payout.t - 5), min(len(close_T), payout.t + 6)):
        fall = 1 - np.nanmin(series.price_T4[u]) / close_T[u - 1]
        if u != payout.t and abs(fall - payout.share) < payout.share / 3 and fall > UNPAID_SIGMAS * payout.sigma:
            return u
    return None


def _too_small(listed: list[Payout]) -> list[Payout]:
    """Return payouts whose hundredfold is what the others pay: the very cash of one of them, or what the price fell for."""
    found = []
    for payout in listed:
        others = [p for p in listed if p is not payout]
        share = payout.share * HUNDRED
        alike = [p for p in others if abs(math.log(p.share / share)) < math.log(2)]
        if len(alike) < LEAST_OTHERS or len(alike) <= len(others) / 2:
            continue
        same = any(abs(math.log(p.cash / payout.cash / HUNDRED)) < SAME for p in alike)
        fell = share > UNPAID_SIGMAS * payout.sigma and abs(payout.drop_close - share) < max(2 * payout.sigma, share / 3)
        if same or fell:
            found.append(payout)
    return found


def _all_too_small(listed: list[Payout]) -> list[Fault]:
    """Object to all dividends together where price falls, on the whole, are a hundred times as large: pounds beside pence."""
    known = [p for p in listed if math.isfinite(p.drop_close)]
    if len(known) <= LEAST_OTHERS:
        return []
    share, fall, sigma = (np.array(v) for v in zip(*((p.share * HUNDRED, p.drop_close, p.sigma) for p in known), strict=True))
    weight = float(np.sum((share / sigma) ** 2))
    slope, error = float(np.sum(share * fall / sigma**2) / weight), 1 / math.sqrt(weight)
    if not (slope > BETA_T * error and 0.5 < slope < 1.5):  # noqa: PLR2004 - 1 within what taxes and chance do
        return []
    fact = f"prices fall by {slope * HUNDRED:.0f} times the dividends at {len(known)} ex-dates"
    last = listed[-1]
    return [replace(of_dividend(last, fact, last.cash * HUNDRED), alike=tuple(listed[:-1]))]


def _repeats(series: Series, payouts: list[Payout]) -> list[Fault]:
    """Find the same cash again within days, where dividends are not paid that often; a hundredfold counts as the same."""
    listed = [p for p in payouts if p.cash > 0]
    day = [series.day_T[p.t] for p in listed]
    gaps = [float((b - a).astype(int)) for a, b in pairwise(day)]
    faults = []
    for i, gap in enumerate(gaps):
        others = [g for j, g in enumerate(gaps) if j != i]
        usual = float(np.median(others)) if others else math.inf
        near = gap <= REPEAT_DAYS and usual >= USUAL_GAP_DAYS
        far = gap <= FAR_REPEAT_DAYS and bool(others) and usual >= LONG_GAP_DAYS
        if (near or far) and _same_cash(listed[i].cash, listed[i + 1].cash):
            faults.append(_repeat(series, listed[i], listed[i + 1]))
    return faults


def _same_cash(one: float, other: float) -> bool:
    apart = abs(math.log(one / other))
    return min(apart, abs(apart - math.log(HUNDRED))) < SAME


def _repeat(series: Series, first: Payout, second: Payout) -> Fault:
    """Object to the larger, or of equal ones to the one whose open fell less like it: the open is where a price goes ex."""
    if abs(math.log(first.cash / second.cash)) > SAME:
        right, wrong = sorted((first, second), key=lambda p: p.cash)
    else:
        right, wrong = sorted((first, second), key=lambda p: abs(np.nan_to_num(p.drop_open) - p.share))
    fact = f"the dividend of {wrong.cash:g} is that of {series.day_T[right.t]} again"
    mend = "one of them should go, with its adjustment; this one, by the price"
    return Fault(payout=wrong, fact=fact, mend=mend, value=1.0, column="dividend", proposed=0.0)


def dividend_adjustment(context: CheckContext) -> RuleResult:
    """Compare what each adjusted close takes off with the cash listed: missing, a hundredfold, without a dividend, or another amount."""
    return run(context, _adjustment_faults)


def dividend_size(context: CheckContext) -> RuleResult:
    """Compare cash with the price's fall on the first row that traded: no fall, a wrong day, a hundredfold too much or too little."""
    return run(context, _size_faults)


def dividend_repeated(context: CheckContext) -> RuleResult:
    """Find the same cash listed again within days."""
    return run(context, _repeats)


RULES = (
    Rule(
        name="dividend_adjustment",
        table=CORPORATE_ACTIONS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="Adjusted closes that do not step by the dividend listed: missing, a hundredfold, phantom or another amount.",
        run=dividend_adjustment,
        reads=(DAILY_BARS,),
    ),
    Rule(
        name="dividend_size",
        table=CORPORATE_ACTIONS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="Dividends that the price did not fall for, and dividends a hundredth of its fall.",
        run=dividend_size,
        reads=(DAILY_BARS,),
    ),
    Rule(
        name="dividend_repeated",
        table=CORPORATE_ACTIONS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="The same dividend listed again within days.",
        run=dividend_repeated,
        reads=(DAILY_BARS,),
    ),
)
