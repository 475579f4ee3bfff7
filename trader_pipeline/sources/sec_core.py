"""EDGAR's raw rows as core.fundamentals: every filing's figures, dated by that filing.

A figure may be used strictly after the day it was filed (sources/filing_clock.py).
`frame` is never read: the SEC sets it on the newest filing of a figure, which is hindsight.
"""

import datetime as dt
from collections.abc import Mapping

import duckdb
import pyarrow as pa

from trader_pipeline.schema import Table, core
from trader_pipeline.schema.columns import INSTANT
from trader_pipeline.schema.raw_sec import SEC_FACTS
from trader_pipeline.sources.filing_clock import NEW_YORK, usable_at
from trader_pipeline.sources.sec_concepts import CONCEPTS
from trader_pipeline.sources.source import RawTables

LENGTHS = {3: (80, 104), 6: (165, 196), 9: (250, 290), 12: (350, 380)}
"""Days of a period, first and last included, by its months: quarters of 12 to 14 weeks, years of 52 or 53."""
EXCHANGE = "XNYS"
_OPENS, _CLOSES, _SAME_DAY_UNTIL = dt.time(6), dt.time(22), dt.time(17, 30)

_QUERY = """
    with figures as (
        select f.ticker, c.metric, f."end" as period_end, coalesce(l.months, 0) as months, f.val as value, f.unit, f.filed as filed_on,
               a.accepted_at, f.form, f.accn as accession, f.fetched_at, c.place, f.taxonomy, f.start
        from facts f
        join concepts c on f.taxonomy = c.taxonomy and f.concept = c.concept
        left join lengths l on date_diff('day', f.start, f."end") + 1 between l.low and l.high
        left join accepted a on f."acceptanceDateTime" = a.stamp and f.filed = a.filed
        where f.val is not null and c.balance = (f.start is null) and (c.balance or l.months is not null)
    ),
    of_filing as (
        select * from figures
        qualify row_number() over (
            partition by ticker, metric, period_end, months, accession, fetched_at
            order by place, taxonomy desc, unit in ('USD', 'USD/shares'), unit, start) = 1
    )
    select ticker, metric, period_end, months::smallint as months, 'sec' as source, value, unit, filed_on, accepted_at, form,
           accession, fetched_at
    from of_filing
    qualify row_number() over (
        partition by ticker, metric, period_end, months, filed_on, fetched_at
        order by accepted_at desc nulls last, accession desc) = 1
"""
"""Of one filing: the first declared concept, and the company's own currency before a translation into dollars. Of several
filings on one day: the last accepted."""


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return core.fundamentals; figures of periods that are not 3, 6, 9 or 12 months long are left out."""
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        facts = tables[SEC_FACTS.full_name]
        con.register("facts", facts)
        con.register("accepted", _accepted(facts))
        con.register("concepts", _CONCEPTS)
        con.register("lengths", _LENGTHS)
        return {core.FUNDAMENTALS: _with_known_at(con.sql(_QUERY).to_arrow_table())}


def months_of(first: dt.date, last: dt.date) -> int | None:
    """Return how many months a period has, None for a length that no report has."""
    days = (last - first).days + 1
    return next((months for months, (low, high) in LENGTHS.items() if low <= days <= high), None)


def accepted_at(stamp: str | None, filed: dt.date) -> dt.datetime | None:
    """Return the moment of acceptance; None where it cannot be read.

    The stamp ends in Z, but for about a quarter of the companies its digits are the clock of New York. EDGAR accepts from
    6:00 to 22:00 there, and files what comes after 17:30 on the next working day: a reading against that is not the one.
    Where both stand the later one is taken.
    """
    try:
        digits = dt.datetime.fromisoformat(stamp or "").replace(tzinfo=None)
    except ValueError:
        return None
    local = digits.replace(tzinfo=NEW_YORK)
    late = digits.time() > _SAME_DAY_UNTIL and digits.date() == filed
    if _OPENS <= digits.time() <= _CLOSES and not late:
        return local.astimezone(dt.UTC)
    return digits.replace(tzinfo=dt.UTC)


def _accepted(facts: pa.Table) -> pa.Table:
    """Return the moment of acceptance of each stamp and day of filing among the figures."""
    filings = facts.select(["acceptanceDateTime", "filed"]).group_by(["acceptanceDateTime", "filed"]).aggregate([])
    stamps, days = filings["acceptanceDateTime"], filings["filed"]
    moments = [accepted_at(stamp, filed) for stamp, filed in zip(stamps.to_pylist(), days.to_pylist(), strict=True)]
    return pa.table({"stamp": stamps, "filed": days, "accepted_at": pa.array(moments, INSTANT)})


def _with_known_at(rows: pa.Table) -> pa.Table:
    filings = list(zip(rows["accepted_at"].to_pylist(), rows["filed_on"].to_pylist(), strict=True))
    usable = {filing: usable_at(*filing, EXCHANGE) for filing in set(filings)}
    known = [usable[filing] for filing in filings]
    return rows.append_column("known_at", pa.array(known, INSTANT))


_CONCEPTS = pa.table(
    {
        "taxonomy": [c.taxonomy for c in CONCEPTS],
        "concept": [c.name for c in CONCEPTS],
        "metric": [c.metric for c in CONCEPTS],
        "place": [c.place for c in CONCEPTS],
        "balance": [c.balance for c in CONCEPTS],
    }
)
_LENGTHS = pa.table({"months": list(LENGTHS), "low": [low for low, _ in LENGTHS.values()], "high": [high for _, high in LENGTHS.values()]})
