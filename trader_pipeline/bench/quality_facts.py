"""Clean fundamentals, macro series, news and options, made up since the samples hold none, and faults put into them.

Every ticker has one fact table of a few rows. Fundamentals: 16 quarters of revenue, assets, liabilities, shares and net income; they
grow by 3 % a quarter with a standard deviation of 15 %, one company in ten trebles four times, one in twenty splits its shares 20:1.
Macro, 60 days each: a yield that moves 5 basis points a day with a floor of 0.02, a spread that crosses zero, an index that grows
0.3 % a month, a volatility index that doubles now and then. News: 12 headlines, known at once or hours later. Options: 24 quotes
around the money with volatilities of 5 % to 300 %.
"""

import datetime as dt
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.bench import quality_filings, quality_listed, quality_observations, quality_quotes
from trader_pipeline.bench.quality_fact import Fact, Rng, Row
from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.context import open_context
from trader_pipeline.checks.report import run_rules
from trader_pipeline.schema.core import DAILY_BARS, TICKER_MAP
from trader_pipeline.settings import CheckSettings

TICKERS = 600
AS_OF = calendar.known_at("XNYS", dt.date(2019, 12, 31))

KINDS = (*quality_listed.KINDS, *quality_filings.KINDS, *quality_observations.KINDS, *quality_quotes.KINDS)

Days = tuple[dt.date, dt.date]
Flag = tuple[str, dt.date, dt.date]


def passes(fact: Fact, mutations: int, rng: Rng) -> Iterator[tuple[dict[str, Days], list[Flag], set[Flag]]]:
    """Yield (where it was changed, what the rule says, what it said before) until `mutations` are made; half of the tickers each time."""
    made = 0
    while made < mutations:
        rows = {f"T{i:04d}": fact.make(f"T{i:04d}", rng) for i in range(TICKERS)}
        before = set(_flags(fact, rows))
        chosen = sorted(rows)[: min(TICKERS // 2, mutations - made)]
        days = {ticker: fact.mutate(rows[ticker], rng) for ticker in chosen}
        yield {ticker: (day, day) for ticker, day in days.items()}, _flags(fact, rows), before
        made += len(chosen)


def _flags(fact: Fact, rows: dict[str, list[Row]]) -> list[Flag]:
    table = pa.Table.from_pylist([row for of_ticker in rows.values() for row in of_ticker], schema=fact.table.arrow_schema)
    ticker_map = table if fact.table is TICKER_MAP else _listed(rows)
    context = open_context(
        DAILY_BARS.empty(),
        ticker_map,
        as_of=AS_OF,
        settings=CheckSettings(),
        beside={} if fact.table is TICKER_MAP else {fact.table: table},
    )
    report = run_rules([rule for rule in CHECKS if rule.name == fact.rule], context, run_id="bench")
    return [(f["ticker"], f["first_session"], f["last_session"]) for r in report.results for f in r.findings.to_pylist()]


def _listed(rows: dict[str, list[Row]]) -> pa.Table:
    listed = [row for ticker in rows for row in quality_listed.mapped(ticker, np.random.default_rng(0))]
    return pa.Table.from_pylist(listed, schema=TICKER_MAP.arrow_schema)
