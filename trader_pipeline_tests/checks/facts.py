"""Rows of the tables beside the bars, and what one rule says of them."""

import datetime as dt

import pyarrow as pa

from trader_pipeline_tests.checks.build import DAYS, bars, report_by, verdict

AS_OF = dt.datetime(2019, 1, 3, 21, 30, tzinfo=dt.UTC)
BARS = bars({"A": DAYS[:252]})


def at(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def told(rule, table, rows, **options):
    """Return (ticker, source, severity, first day, rows) of each finding."""
    beside = {table: pa.Table.from_pylist(rows, schema=table.arrow_schema)}
    found = verdict(BARS, rule, as_of=AS_OF, beside=beside, **options).findings.to_pylist()
    return [(f["ticker"], f["source"], f["severity"], str(f["first_session"]), f["value"]) for f in found]


def messages(rule, table, rows):
    beside = {table: pa.Table.from_pylist(rows, schema=table.arrow_schema)}
    return [f["message"] for f in verdict(BARS, rule, as_of=AS_OF, beside=beside).findings.to_pylist()]


def held(rule, table, rows):
    """Return what a rule keeps out: (ticker or series, day, item, source)."""
    beside = {table: pa.Table.from_pylist(rows, schema=table.arrow_schema)}
    found = report_by(rule, BARS, as_of=AS_OF, beside=beside).quarantine.to_pylist()
    assert {r["table_name"] for r in found} <= {table.full_name}
    return sorted((r["ticker"], str(r["session"]), r["item"], r["source"]) for r in found)
