"""Clean fundamentals, 16 quarters of five metrics a company, and faults put into them."""

import datetime as dt

import numpy as np

from trader_pipeline.bench.quality_fact import Fact, Rng, Row
from trader_pipeline.schema.core import FUNDAMENTALS


def _filings(ticker: str, rng: Rng) -> list[Row]:
    growth = np.cumsum(rng.normal(0.03, 0.15, 16))
    if rng.random() < 0.1:  # noqa: PLR2004 - one in ten starts up
        growth += np.cumsum(np.where(np.arange(16) < 4, np.log(3), 0))  # noqa: PLR2004
    revenue = np.exp(rng.normal(19, 2) + growth + 0.2 * np.sin(np.arange(16) * np.pi / 2))
    assets, shares = revenue * rng.uniform(2, 20), np.full(16, np.exp(rng.normal(18, 1))) * np.exp(np.cumsum(rng.normal(0, 0.01, 16)))
    if rng.random() < 0.05:  # noqa: PLR2004 - one in twenty splits
        shares[int(rng.integers(3, 13)) :] *= 20
    values = {
        "total_revenue": (revenue, "USD", 3),
        "total_assets": (assets, "USD", 0),
        "total_liabilities": (assets * rng.uniform(0.2, 0.9), "USD", 0),
        "shares_outstanding": (shares, "shares", 0),
        "net_income": (revenue * rng.normal(0.05, 0.1, 16), "USD", 3),
    }
    rows = []
    for quarter in range(16):
        year, month = 2016 + quarter // 4, 3 * (quarter % 4) + 3
        end = dt.date(year, month, 31 if month in {3, 12} else 30)
        filed = end + dt.timedelta(days=int(rng.integers(20, 60)))
        known = dt.datetime.combine(filed, dt.time(21, 5), dt.UTC)
        clock = {
            "filed_on": filed,
            "accepted_at": known,
            "known_at": known,
            "known_at_basis": "assumed",
            "source": "made_up",
            "form": "10-Q",
        }
        of = {"ticker": ticker, "source": "made_up", "period_end": end}
        for metric, (series, unit, months) in values.items():
            rows.append(of | clock | {"metric": metric, "months": months, "value": float(series[quarter]), "unit": unit})
    return rows


def _of(rows: list[Row], rng: Rng, *metrics: str) -> Row:
    wanted = [row for row in rows if row["metric"] in metrics]
    return wanted[int(rng.integers(0, len(wanted)))]


def _negative(rows: list[Row], rng: Rng) -> dt.date:
    row = _of(rows, rng, "total_revenue", "total_assets", "total_liabilities", "shares_outstanding")
    row["value"] = -row["value"]
    day: dt.date = row["period_end"]
    return day


def _filed_early(rows: list[Row], rng: Rng) -> dt.date:
    row = _of(rows, rng, *{row["metric"] for row in rows})
    early = row["period_end"] - dt.timedelta(days=int(rng.integers(1, 31)))
    if rng.random() < 0.5:  # noqa: PLR2004 - half of them
        row["filed_on"] = early
    else:
        row["known_at"] = dt.datetime.combine(early, dt.time(21, 5), dt.UTC)
    day: dt.date = row["period_end"]
    return day


def _thousands(rows: list[Row], rng: Rng) -> dt.date:
    row = _of(rows, rng, "total_revenue", "total_assets", "total_liabilities", "shares_outstanding")
    row["value"] *= float(rng.choice([1000, 0.001]))
    day: dt.date = row["period_end"]
    return day


KINDS = (
    Fact(
        name="figures_negative",
        rule="fundamentals_values",
        size="the sign of one figure changed",
        table=FUNDAMENTALS,
        make=_filings,
        mutate=_negative,
    ),
    Fact(
        name="filed_before_end",
        rule="fundamentals_dates",
        size="filed or known 1 to 30 days before the period's end",
        table=FUNDAMENTALS,
        make=_filings,
        mutate=_filed_early,
    ),
    Fact(
        name="figures_1000x",
        rule="fundamentals_unit",
        size="one figure times or by 1,000",
        table=FUNDAMENTALS,
        make=_filings,
        mutate=_thousands,
    ),
)
