"""The splits by which FMP rescales its per-share figures: AAPL's 2016 report shows 22.0 billion shares, filed were 5.5."""

import datetime as dt
from collections.abc import Sequence

from trader_pipeline.sources import fmp
from trader_pipeline.sources.json_rows import date_of, number_of, numbered

SPLITS = "/splits"
_NOT_RESCALED = "spin-off"


def splits_after(asking: fmp.FmpTicker, days: Sequence[dt.date | None]) -> list[float]:
    """Return, a day, the product of new/old of the ticker's splits that took effect later and by now; 1 where there is no day.

    A split ahead is not in the figures yet. A spin-off, which FMP lists among the splits, changes no count of shares.
    """
    ratios = []
    for row in numbered(asking.get(SPLITS, symbol=asking.symbol), "date"):
        day, new, old = date_of(row.get("date")), number_of(row.get("numerator")), number_of(row.get("denominator"))
        if day and new and old and day <= asking.asked_at.date() and row.get("splitType") != _NOT_RESCALED:
            ratios.append((day, new / old))
    return [_product(ratios, day) for day in days]


def _product(ratios: Sequence[tuple[dt.date, float]], after: dt.date | None) -> float:
    value = 1.0
    for day, ratio in ratios:
        value *= ratio if after is not None and day > after else 1.0
    return value
