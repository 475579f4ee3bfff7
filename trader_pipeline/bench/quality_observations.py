"""Clean macro series, 60 days each, and faults put into them."""

import datetime as dt

import numpy as np

from trader_pipeline.bench.quality_fact import FIRST, Fact, Rng, Row, one
from trader_pipeline.schema.core import MACRO


def _observations(series: str, rng: Rng) -> list[Row]:
    which, steps = int(series[1:]) % 4, rng.normal(0, 1, 60)
    if which == 0:
        value = np.maximum(0.02, rng.uniform(0.1, 8) + np.cumsum(0.05 * steps))
    elif which == 1:
        value = rng.uniform(-1, 2) + np.cumsum(0.04 * steps)
    elif which == 2:  # noqa: PLR2004 - an index
        value = rng.uniform(50, 300) * np.exp(np.cumsum(0.003 + 0.002 * steps))
    else:
        value = 15 * np.exp(np.cumsum(0.07 * steps)) * np.where(rng.random(60) < 0.02, 2, 1)  # noqa: PLR2004
    days = [FIRST + dt.timedelta(days=(30 if which == 2 else 1) * i) for i in range(60)]  # noqa: PLR2004
    row = {"series": series, "source": "made_up", "vintage": "final", "known_at_basis": "assumed"}
    known = [dt.datetime.combine(day, dt.time(21), dt.UTC) + dt.timedelta(days=1) for day in days]
    return [
        row | {"observed_on": day, "value": round(float(v), 2), "known_at": moment}
        for day, v, moment in zip(days, value, known, strict=True)
    ]


def _known_early(rows: list[Row], rng: Rng) -> dt.date:
    row = one(rows, rng)
    row["known_at"] = dt.datetime.combine(row["observed_on"], dt.time(21), dt.UTC) - dt.timedelta(days=int(rng.integers(1, 31)))
    day: dt.date = row["observed_on"]
    return day


def _odd_version(rows: list[Row], rng: Rng) -> dt.date:
    row = one(rows, rng)
    if rng.random() < 0.5:  # noqa: PLR2004 - half of them
        row["vintage"] = str(rng.choice(["preliminary", "revised", ""]))
    else:
        rows.append(dict(row))
    day: dt.date = row["observed_on"]
    return day


def _percent(rows: list[Row], rng: Rng) -> dt.date:
    row = one([row for row in rows if row["value"] != 0], rng)  # a zero has no unit
    row["value"] *= float(rng.choice([100, 0.01]))
    day: dt.date = row["observed_on"]
    return day


KINDS = (
    Fact(
        name="known_before_day",
        rule="macro_clock",
        size="known 1 to 30 days before its day",
        table=MACRO,
        make=_observations,
        mutate=_known_early,
    ),
    Fact(
        name="odd_versions",
        rule="macro_versions",
        size="an unknown vintage, a row twice",
        table=MACRO,
        make=_observations,
        mutate=_odd_version,
    ),
    Fact(
        name="percent_fraction",
        rule="macro_unit",
        size="one value times or by 100",
        table=MACRO,
        make=_observations,
        mutate=_percent,
    ),
)
