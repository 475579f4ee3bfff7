"""Whether a new session is all that is new: then the panel's older rows stand, bit for bit, and the new ones are added."""

import datetime as dt
import hashlib
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.features.assemble import CoreTables, benchmark_of, benchmarks
from trader_pipeline.features.intervals import still_open
from trader_pipeline.flows.feature_tables import History
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema.columns import DATE
from trader_pipeline.schema.core import ACCEPTED_BARS

_BARS = """
select count(*) as n, sum(hash({columns})::hugeint)::varchar as rows from core.accepted_bars
where known_at <= $as_of and session <= $last and year(session) = year($last::date)
"""
_COUNT = "select count(*) as n from core.accepted_bars where known_at <= $as_of and session <= $last"


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What every row of the panel up to the session `last` was made from, by a digest, as known at `as_of`."""

    last: dt.date
    as_of: dt.datetime
    digest: str

    def __str__(self) -> str:
        return f"{self.last}|{self.as_of.isoformat()}|{self.digest}"

    @classmethod
    def read(cls, text: str) -> "Past | None":
        """Return what `str` wrote, None for anything else."""
        parts = text.split("|")
        if len(parts) != 3:  # noqa: PLR2004 - the fields
            return None
        return cls(last=dt.date.fromisoformat(parts[0]), as_of=dt.datetime.fromisoformat(parts[1]), digest=parts[2])


def past(snapshot: Snapshot, tables: CoreTables, history: History, *, last: dt.date, as_of: dt.datetime) -> Past:
    """Return the past up to `last`. Of facts beside bars and actions those count that were known by its close + 30 minutes.

    Bars of older years count by their files. A split or dividend that is learnt of later changes the past; sectors and memberships count
    as they stood at `last`, with no end that was still to come.
    """
    known_by = history.known_at[np.searchsorted(history.sessions, np.datetime64(last))]
    facts = [
        *(f"{part.year} {part.sha256}" for part in snapshot.parts(ACCEPTED_BARS) if part.year != last.year and _before(part.year, last)),
        snapshot.sql(_BARS.format(columns=", ".join(column.name for column in ACCEPTED_BARS.columns)), {"as_of": as_of, "last": last}),
        snapshot.sql(_COUNT, {"as_of": as_of, "last": last}),
        _digest(_until(tables.corporate_actions, "session", pa.scalar(last, DATE))),
        _digest(_until(still_open(tables.sectors, np.datetime64(last)), "valid_from", pa.scalar(last, DATE))),
        _digest(_until(still_open(tables.universe, np.datetime64(last)), "valid_from", pa.scalar(last, DATE))),
        [benchmark_of(tables.ticker_map, history.first_bars), *sorted(benchmarks(tables.ticker_map))],
        _digest(_until(tables.market_state.select(["session", "known_at", "p_turbulent"]), "session", pa.scalar(last, DATE))),
        *(
            _digest(_until(table, "known_at", pa.scalar(known_by, pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))))
            for table in (
                tables.characteristics,
                tables.macro,
                tables.fundamentals,
                tables.earnings,
                tables.scored_news,
                tables.option_quotes,
            )
        ),
        history.sessions[history.sessions <= np.datetime64(last)].tobytes(),
    ]
    told = [fact.to_pylist() if isinstance(fact, pa.Table) else fact for fact in facts]
    return Past(last=last, as_of=as_of, digest=hashlib.sha256(repr(told).encode()).hexdigest())


def _before(year: int | None, last: dt.date) -> bool:
    return year is not None and year < last.year


def _until(table: pa.Table, column: str, last: pa.Scalar) -> pa.Table:
    return table.filter(pc.less_equal(table[column], last))


def _digest(rows: pa.Table) -> str:
    """Return a digest of the rows, whatever their order."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("given", rows)
        columns = ", ".join(f'"{name}"' for name in rows.column_names)
        found = connection.sql(f"select count(*), sum(hash({columns})::hugeint)::varchar from given").fetchall()  # noqa: S608 - names of the schema
    return str(found[0])
