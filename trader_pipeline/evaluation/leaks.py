"""Figures that are too good to be true."""

import math

EXCESS_ACCURACY = 0.08
EXCESS_LOWER_BOUND = 0.04
LARGE_IC = 0.20


def leak_alarm(*, accuracy: float, base_rate: float, half_width: float, rank_ic: float, oracle_rank_ic: float = math.nan) -> str | None:
    """Return what looks like a leak, or None.

    Accuracy: more than 8 points over the better base rate with a lower bound over 4. Rank IC: |IC| over 0.2. A simulated
    market may hold more signal than any real one, so where its oracle is known no IC up to the oracle's is an alarm.
    NaN alarms nobody.
    """
    alarms = []
    excess = accuracy - base_rate
    if excess > EXCESS_ACCURACY and excess - half_width > EXCESS_LOWER_BOUND:
        alarms.append(f"accuracy is {100 * excess:.1f} points over its base rate (alarm at {100 * EXCESS_ACCURACY:.0f})")
    limit = LARGE_IC if math.isnan(oracle_rank_ic) else max(LARGE_IC, abs(oracle_rank_ic))
    if abs(rank_ic) > limit:
        alarms.append(f"rank IC {rank_ic:+.2f} is over {limit:.2f}")
    return "; ".join(alarms) or None
