"""What is known of FRED's series: unit, frequency, how long after its day a value is published, and whether it is revised.

`lag_days` counts from the day that a value speaks of (FRED dates a month or quarter on its first day) to a day on which
it was surely published: four days cover a weekend and a holiday of the bond market; the others add a week or more to the
publisher's calendar. Only values without a known release are dated by it.
"""

from dataclasses import dataclass
from typing import Literal

Frequency = Literal["daily", "weekly", "monthly", "quarterly", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FredSeries:
    """One series."""

    name: str
    unit: str
    frequency: Frequency
    lag_days: int
    revised: bool


def _rate(name: str, unit: str = "percent") -> FredSeries:
    """Return a market rate or spread: published on the next business day, never revised."""
    return FredSeries(name=name, unit=unit, frequency="daily", lag_days=4, revised=False)


def _monthly(name: str, unit: str, *, lag_days: int) -> FredSeries:
    return FredSeries(name=name, unit=unit, frequency="monthly", lag_days=lag_days, revised=True)


def _quarterly(name: str, unit: str) -> FredSeries:
    return FredSeries(name=name, unit=unit, frequency="quarterly", lag_days=130, revised=True)


SERIES: tuple[FredSeries, ...] = (
    *(_rate(f"DGS{years}") for years in (1, 2, 3, 5, 7, 10, 20, 30)),
    *(_rate(f"DGS{months}MO") for months in (1, 3, 6)),
    *(_rate(name) for name in ("T10Y2Y", "T10Y3M", "T5YIE", "T10YIE", "DFII10", "BAA10Y", "AAA10Y", "DFF")),
    *(_rate(name) for name in ("BAMLH0A0HYM2", "BAMLC0A0CM")),
    _rate("VIXCLS", "index"),
    _rate("DCOILWTICO", "USD / barrel"),
    FredSeries(name="ICSA", unit="persons", frequency="weekly", lag_days=14, revised=True),
    FredSeries(name="NFCI", unit="index", frequency="weekly", lag_days=14, revised=True),
    _monthly("CPIAUCSL", "index, 1982-84 = 100", lag_days=60),
    _monthly("CPILFESL", "index, 1982-84 = 100", lag_days=60),
    _monthly("PCEPI", "index, 2017 = 100", lag_days=75),
    _monthly("UNRATE", "percent", lag_days=55),
    _monthly("PAYEMS", "thousand persons", lag_days=55),
    _monthly("INDPRO", "index, 2017 = 100", lag_days=60),
    _monthly("RSAFS", "million USD", lag_days=60),
    _monthly("HOUST", "thousand units / year", lag_days=65),
    _monthly("UMCSENT", "index, 1966Q1 = 100", lag_days=65),
    _quarterly("GDP", "billion USD / year"),
    _quarterly("GDPC1", "billion chained USD / year"),
)

_OF_NAME = {series.name: series for series in SERIES}


def declared(name: str) -> FredSeries:
    """Return what is known of a series.

    One that is not declared counts as revised, and as published 400 days after its day, as a yearly one may be.
    """
    return _OF_NAME.get(name) or FredSeries(name=name, unit="per series", frequency="unknown", lag_days=400, revised=True)
