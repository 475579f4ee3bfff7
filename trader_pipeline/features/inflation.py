"""How far a monthly index rose in a year: between two months, whatever days their figures came out on."""

import math

import numpy as np
import pyarrow as pa

from trader_pipeline.features.known import Instants, instants
from trader_pipeline.features.market import Float
from trader_pipeline.panel import Days

_YEAR = np.timedelta64(12, "M")


def risen_in_a_year(facts: pa.Table, sessions: Days, known_at: Instants, *, newest_age: int, oldest_age: int) -> Float:
    """Return log(newest month / same month a year before), [1, T], both as known at the session's `known_at` [T], UTC without zone.

    `facts` has every version of one series of core.macro; the same month is the same `observed_on` a year before. NaN where it is
    not known, or where the two are of more than `newest_age` and `oldest_age` sessions ago.
    """
    days_R, moment_R = facts["observed_on"].to_numpy().astype("datetime64[D]"), instants(facts["known_at"])
    order_R = np.lexsort((days_R, moment_R))
    column_R = np.append(np.searchsorted(known_at, moment_R[order_R], side="left"), len(sessions))
    place_R = np.searchsorted(sessions, days_R, side="right") - 1
    value_R = facts["value"].to_numpy()
    risen_1T, newest = np.full((1, len(sessions)), np.nan), np.datetime64("0001-01-01")
    told: dict[np.datetime64, tuple[float, int]] = {}
    for number, r in enumerate(order_R.tolist()):
        told[days_R[r]] = float(value_R[r]), int(place_R[r])
        newest = max(newest, days_R[r])
        (now, now_place), (before, before_place) = told[newest], told.get(_year_before(newest), (math.nan, 0))
        start, stop = column_R[number], min(column_R[number + 1], now_place + newest_age + 1, before_place + oldest_age + 1)
        if start < stop and now > 0 and before > 0:
            risen_1T[0, start:stop] = math.log(now / before)
    return risen_1T


def _year_before(day: np.datetime64) -> np.datetime64:
    month = day.astype("datetime64[M]")
    before: np.datetime64 = (month - _YEAR).astype("datetime64[D]") + (day - month.astype("datetime64[D]"))
    return before
