"""Filings and earnings reports as core tables, for hand-computed answers and for the random market."""

import datetime as dt

import numpy as np
import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.schema.core import EARNINGS, FUNDAMENTALS
from trader_pipeline.schema.metrics import METRIC_OF, unit_of


def day(text):
    return dt.date.fromisoformat(text)


def known_after(filed):
    return calendar.known_at("XNYS", calendar.offset("XNYS", filed, 1))


def filed(*rows, source="sec", currency="USD"):
    """Each row is (ticker, metric, period end, months, day of filing, value), days as dates or ISO text; known a session after."""
    facts = []
    for ticker, metric, ended, months, filed_on, value in rows:
        end, on = (day(x) if isinstance(x, str) else x for x in (ended, filed_on))
        assert (months == 0) == METRIC_OF[metric].balance
        facts.append(
            {
                "ticker": ticker,
                "metric": metric,
                "period_end": end,
                "months": months,
                "known_at": known_after(on),
                "known_at_basis": "released",
                "source": source,
                "value": float(value),
                "unit": unit_of(metric, currency),
                "filed_on": on,
            }
        )
    return FUNDAMENTALS.conform(pa.Table.from_pylist(facts, schema=FUNDAMENTALS.arrow_schema))


def reports(*rows, source="fmp"):
    """Each row is (ticker, day of the report, day after which it is known, estimate, actual)."""
    facts = [
        {
            "ticker": ticker,
            "report_date": day(reported) if isinstance(reported, str) else reported,
            "known_at": known_after(day(learnt) if isinstance(learnt, str) else learnt),
            "known_at_basis": "observed",
            "source": source,
            "eps_estimate": estimate,
            "eps_actual": actual,
        }
        for ticker, reported, learnt, estimate, actual in rows
    ]
    return EARNINGS.conform(pa.Table.from_pylist(facts, schema=EARNINGS.arrow_schema))


LEVELS = {
    "total_revenue": 100.0,
    "cost_of_revenue": 60.0,
    "operating_income": 20.0,
    "net_income": 12.0,
    "depreciation_and_amortization": 5.0,
    "operating_cash_flow": 15.0,
    "capital_expenditure": 6.0,
    "earnings_per_share": 0.5,
    "total_assets": 800.0,
    "current_assets": 300.0,
    "cash_and_equivalents": 50.0,
    "total_liabilities": 400.0,
    "current_liabilities": 150.0,
    "total_debt": 200.0,
    "shareholders_equity": 400.0,
    "shares_outstanding": 24.0,
}


def random_filings(names, first, last, seed=23):
    """Quarters of every ticker from `first` on, known by `last` or after, some restated a quarter later.

    A figure in fifty is never filed; of the fourth ticker nothing but shares until 500 days before `last`.
    """
    generator = np.random.default_rng(seed)
    rows, told = [], []
    ends = [
        d
        for d in (dt.date(year, month, 1) - dt.timedelta(1) for year in range(first.year, last.year + 2) for month in (1, 4, 7, 10))
        if first <= d <= last
    ]
    for name in names:
        size = float(np.exp(generator.normal()))
        for end in ends:
            on = end + dt.timedelta(int(generator.integers(25, 60)))
            for metric, level in LEVELS.items():
                value = size * level * float(np.exp(0.2 * generator.standard_normal()))
                months = 0 if METRIC_OF[metric].balance else 3
                young = name in names[3:4] and on < last - dt.timedelta(500)
                if (young and metric != "shares_outstanding") or generator.random() < 0.02:
                    continue
                rows.append((name, metric, end, months, on, value))
                if generator.random() < 0.05:
                    rows.append((name, metric, end, months, on + dt.timedelta(91), value * 1.1))
            told.append((name, on, on, size * 0.5, size * (0.5 + 0.1 * float(generator.standard_normal()))))
    return filed(*rows), reports(*told)
