"""Small tables of bars for the rules, in the shape of core.daily_bars."""

import datetime as dt

import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.context import CheckContext, open_context
from trader_pipeline.checks.report import CheckReport, RuleReport, run_rules
from trader_pipeline.schema.core import DAILY_BARS, TICKER_MAP
from trader_pipeline.settings import CheckSettings

FIRST = dt.date(2018, 1, 2)
DAYS = calendar.sessions("XNYS", FIRST, dt.date(2019, 12, 31)).tolist()


def row(ticker, session, **values):
    known = {"source": "own", "known_at": calendar.known_at_array("XNYS", [session])[0].item().replace(tzinfo=dt.UTC)}
    prices = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5, "volume_shares": 0.0}  # nothing trades, so nothing is stuck
    text = {"known_at_basis": "assumed", "currency": "USD", "price_unit": "USD"}
    return {"ticker": ticker, "session": session, **known, **text, **prices, **values}


def bars(days_by_ticker, **values):
    return table([row(ticker, day, **values) for ticker, days in days_by_ticker.items() for day in days])


def table(rows):
    return pa.Table.from_pylist(rows, schema=DAILY_BARS.arrow_schema)


def changed(rows, ticker, *sessions, **values):
    """Return `rows` with values of a ticker's sessions replaced."""
    edited = [r | values if r["ticker"] == ticker and r["session"] in sessions else r for r in rows.to_pylist()]
    return table(edited)


def context(rows, *, as_of=None, mapped=(), settings=None, **options) -> CheckContext:
    if as_of is None:
        as_of = calendar.known_at("XNYS", max(rows["session"].to_pylist()))
    nothing = {"valid_from": FIRST, "valid_to": None, "issuer_id": "-", "exchange": "XNYS", "name": None, "role": "stock"}
    ticker_map = pa.Table.from_pylist([nothing | m for m in mapped], schema=TICKER_MAP.arrow_schema)
    return open_context(
        rows,
        ticker_map,
        as_of=as_of,
        settings=settings or CheckSettings(),
        **options,
    )


def report(rows, **options) -> CheckReport:
    return run_rules(CHECKS, context(rows, **options), run_id="run-1")


def report_by(rule, rows, **options) -> CheckReport:
    """Run one rule alone, or all of them for the one that looks at what the others quarantined."""
    rules = CHECKS if rule == "quarantined_tickers" else [r for r in CHECKS if r.name == rule]
    return run_rules(rules, context(rows, **options), run_id="run-1")


def verdict(rows, rule, **options) -> RuleReport:
    return next(r for r in report_by(rule, rows, **options).results if r.rule == rule)


def quarantined(rows, rule, **options):
    """Return the (ticker, session) pairs that a rule quarantines."""
    found = report_by(rule, rows, **options).quarantine
    return sorted((r["ticker"], r["session"]) for r in found.to_pylist())
