"""Clean fundamentals, macro series, news and options, made up since the samples hold none, and faults put into them.

Every ticker has one fact table of a few rows. Fundamentals: 16 quarters of revenue, assets, liabilities, shares and net income; they
grow by 3 % a quarter with a standard deviation of 15 %, one company in ten trebles four times, one in twenty splits its shares 20:1.
Macro, 60 days each: a yield that moves 5 basis points a day with a floor of 0.02, a spread that crosses zero, an index that grows
0.3 % a month, a volatility index that doubles now and then. News: 12 headlines, known at once or hours later. Options: 24 quotes
around the money with volatilities of 5 % to 300 %.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.context import open_context
from trader_pipeline.checks.report import run_rules
from trader_pipeline.schema import Table
from trader_pipeline.schema.core import DAILY_BARS, FUNDAMENTALS, MACRO, NEWS, OPTION_QUOTES, TICKER_MAP, UNIVERSE
from trader_pipeline.settings import CheckSettings

TICKERS = 600
AS_OF = calendar.known_at("XNYS", dt.date(2019, 12, 31))
FIRST = dt.date(2016, 1, 4)

Rng = np.random.Generator
Row = dict[str, Any]
Make = Callable[[str, Rng], list[Row]]
Mutate = Callable[[list[Row], Rng], dt.date]
Days = tuple[dt.date, dt.date]
Flag = tuple[str, dt.date, dt.date]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One kind of fault in a table beside the bars. `mutate` changes the rows of one ticker and returns the day at fault."""

    name: str
    rule: str
    size: str
    table: Table
    make: Make
    mutate: Mutate


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
    listed = [row for ticker in rows for row in _mapped(ticker, np.random.default_rng(0))]
    return pa.Table.from_pylist(listed, schema=TICKER_MAP.arrow_schema)


def _mapped(ticker: str, rng: Rng) -> list[Row]:
    """Return one ticker's rows of core.ticker_map; every second one was renamed once."""
    row = {"ticker": ticker, "valid_to": None, "issuer_id": ticker, "exchange": str(rng.choice(["XNYS", "XLON", "XTKS"])), "role": "stock"}
    changed_on = FIRST + dt.timedelta(days=int(rng.integers(100, 900)))
    if int(ticker[1:]) % 2:
        return [row | {"symbol": ticker, "valid_from": FIRST}]
    old = row | {"symbol": f"{ticker}.OLD", "valid_from": FIRST, "valid_to": changed_on - dt.timedelta(days=1), "ended": "renamed"}
    return [old, row | {"symbol": ticker, "valid_from": changed_on}]


def _map_fault(rows: list[Row], rng: Rng) -> dt.date:
    last = rows[-1]
    which = int(rng.integers(0, 4))
    if which == 0:
        last["valid_to"] = last["valid_from"] - dt.timedelta(days=int(rng.integers(1, 60)))
    elif which == 1:
        last["exchange"] = str(rng.choice(["NYSE", "LSE", "??"]))
    elif which == 2:  # noqa: PLR2004 - two rows of the ticker at once
        day = last["valid_from"] + dt.timedelta(days=int(rng.integers(1, 90)))
        rows.append(last | {"valid_from": day, "symbol": last["symbol"] + "X"})
    else:
        rows.append(last | {"valid_from": last["valid_from"] + dt.timedelta(days=30)})
    at_fault: dt.date = rows[-1]["valid_from"]
    return at_fault


def _member(ticker: str, rng: Rng) -> list[Row]:
    """Return one ticker's stays in a universe: one, or two with a year between them."""
    out = FIRST + dt.timedelta(days=int(rng.integers(100, 500)))
    row = {"universe": "made_up", "ticker": ticker, "valid_from": FIRST, "valid_to": None}
    return [row] if rng.random() < 0.5 else [row | {"valid_to": out}, row | {"valid_from": out + dt.timedelta(days=365)}]  # noqa: PLR2004


def _member_fault(rows: list[Row], rng: Rng) -> dt.date:
    last = rows[-1]
    if rng.random() < 0.5:  # noqa: PLR2004 - half of them
        last["valid_to"] = last["valid_from"] - dt.timedelta(days=int(rng.integers(1, 60)))
    else:
        rows.append(last | {"valid_from": last["valid_from"] + dt.timedelta(days=int(rng.integers(1, 300)))})
    at_fault: dt.date = rows[-1]["valid_from"]
    return at_fault


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


def _one(rows: list[Row], rng: Rng) -> Row:
    return rows[int(rng.integers(0, len(rows)))]


def _known_early(rows: list[Row], rng: Rng) -> dt.date:
    row = _one(rows, rng)
    row["known_at"] = dt.datetime.combine(row["observed_on"], dt.time(21), dt.UTC) - dt.timedelta(days=int(rng.integers(1, 31)))
    day: dt.date = row["observed_on"]
    return day


def _odd_version(rows: list[Row], rng: Rng) -> dt.date:
    row = _one(rows, rng)
    if rng.random() < 0.5:  # noqa: PLR2004 - half of them
        row["vintage"] = str(rng.choice(["preliminary", "revised", ""]))
    else:
        rows.append(dict(row))
    day: dt.date = row["observed_on"]
    return day


def _percent(rows: list[Row], rng: Rng) -> dt.date:
    row = _one([row for row in rows if row["value"] != 0], rng)  # a zero has no unit
    row["value"] *= float(rng.choice([100, 0.01]))
    day: dt.date = row["observed_on"]
    return day


def _headlines(ticker: str, rng: Rng) -> list[Row]:
    rows = []
    for i in range(12):
        at = dt.datetime.combine(FIRST, dt.time(9), dt.UTC) + dt.timedelta(days=30 * i, minutes=int(rng.integers(0, 600)))
        known = at + dt.timedelta(hours=int(rng.choice([0, 0, 5, 48])))
        row = {"ticker": ticker, "news_id": f"{ticker}-{i}", "published_at": at, "known_at": known, "known_at_basis": "assumed"}
        rows.append(row | {"source": "made_up", "title": f"{ticker} reports {i}"})
    return rows


def _from_the_future(rows: list[Row], rng: Rng) -> dt.date:
    row = _one(rows, rng)
    row["published_at"] = row["known_at"] + dt.timedelta(minutes=int(rng.choice([1, 60, 300, 3 * 24 * 60])))
    day: dt.date = row["published_at"].date()
    return day


def _wordless(rows: list[Row], rng: Rng) -> dt.date:
    row = _one(rows, rng)
    if rng.random() < 0.5:  # noqa: PLR2004 - half of them
        row["title"] = str(rng.choice(["", "  "]))
    else:
        later = dt.timedelta(hours=1)
        row = row | {"published_at": row["published_at"] + later, "known_at": row["known_at"] + later}
        rows.append(row)
    day: dt.date = row["published_at"].date()
    return day


def _chain(ticker: str, rng: Rng) -> list[Row]:
    spot, rows = float(rng.uniform(5, 500)), []
    for i in range(24):
        session = calendar.offset("XNYS", FIRST, i // 12)
        bid = float(rng.choice([0.0, 1.0, 1.0])) * float(rng.uniform(0.01, 0.2)) * spot
        row = {"ticker": ticker, "session": session, "source": "made_up", "expiry": session + dt.timedelta(days=30 * (1 + i % 4))}
        row |= {"kind": "call" if i % 2 else "put", "strike": round(spot * (0.8 + 0.1 * (i % 5)), 2), "underlying": spot, "bid": bid}
        row |= {"ask": bid * 1.05 + 0.05, "last": bid, "volume_contracts": 1.0, "open_interest_contracts": 10.0, "currency": "USD"}
        rows.append(row | {"implied_volatility": float(rng.uniform(0.05, 3)), "known_at": calendar.known_at("XNYS", session)})
    return rows


def _odd_volatility(rows: list[Row], rng: Rng) -> dt.date:
    row = _one(rows, rng)
    row["implied_volatility"] = float(rng.choice([0.0, -0.3, 5.5, 30.0]))
    day: dt.date = row["session"]
    return day


def _odd_quote(rows: list[Row], rng: Rng) -> dt.date:
    row, which = _one(rows, rng), int(rng.integers(0, 3))
    if which == 0:
        row["expiry"] = row["session"] - dt.timedelta(days=int(rng.integers(1, 30)))
    elif which == 1:
        row["last"] = -1.0
    else:
        row["bid"] = row["ask"] * float(rng.uniform(1.01, 1.5))
    day: dt.date = row["session"]
    return day


KINDS = (
    Fact(
        name="map_overlaps",
        rule="ticker_map",
        size="ends before it begins, unknown exchange, two rows at once",
        table=TICKER_MAP,
        make=_mapped,
        mutate=_map_fault,
    ),
    Fact(
        name="stays_overlap",
        rule="universe",
        size="ends before it begins, a member twice at once",
        table=UNIVERSE,
        make=_member,
        mutate=_member_fault,
    ),
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
    Fact(
        name="news_from_future",
        rule="news_clock",
        size="published 1 minute to 3 days after it was known",
        table=NEWS,
        make=_headlines,
        mutate=_from_the_future,
    ),
    Fact(
        name="news_wordless",
        rule="news_text",
        size="no title, one id twice",
        table=NEWS,
        make=_headlines,
        mutate=_wordless,
    ),
    Fact(
        name="odd_volatility",
        rule="option_volatility",
        size="0, -30 %, 550 % or 3,000 %",
        table=OPTION_QUOTES,
        make=_chain,
        mutate=_odd_volatility,
    ),
    Fact(
        name="odd_quotes",
        rule="option_quotes",
        size="expired, a negative price, a bid 1 to 50 % over the ask",
        table=OPTION_QUOTES,
        make=_chain,
        mutate=_odd_quote,
    ),
)
