"""Capital gains of a fund taken off twice: the dividend listed contains them already."""

import math

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.payout_faults import Fault, of_adjustment, run
from trader_pipeline.checks.payouts import HARD, Payout
from trader_pipeline.checks.rule import Rule, RuleResult
from trader_pipeline.checks.series import Series
from trader_pipeline.schema.core import CORPORATE_ACTIONS, DAILY_BARS

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


def _faults(series: Series, payouts: list[Payout]) -> list[Fault]:
    return [of_adjustment(series, payout, _fact(payout)) for payout in counted_twice(payouts)]


def _fact(payout: Payout) -> str:
    cash, gain = f"the distribution of {payout.cash:g}", f"its capital gain of {payout.gain:g}"
    return f"the adjusted close takes off {payout.taken:.4g}, {cash} and {gain} again"


def capital_gains_twice(context: CheckContext) -> RuleResult:
    """Find fund distributions whose capital gain was taken off the adjusted closes beside the dividend that contains it."""
    return run(context, _faults)


RULES = (
    Rule(
        name="capital_gains_twice",
        table=CORPORATE_ACTIONS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="Fund distributions whose capital gain was taken off the adjusted closes a second time.",
        run=capital_gains_twice,
        reads=(DAILY_BARS,),
    ),
)
