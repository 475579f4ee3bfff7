"""Whether a new session is all that is new: then the panel's older rows stand, bit for bit, and the new ones are added."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.features.assemble import CoreTables, benchmark_of, benchmarks
from trader_pipeline.features.intervals import still_open
from trader_pipeline.flows.feature_tables import History
from trader_pipeline.flows.known_facts import held_facts
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema import Table
from trader_pipeline.schema.columns import DATE
from trader_pipeline.schema.core import ACCEPTED_BARS, CHARACTERISTICS, EARNINGS, FUNDAMENTALS, MACRO, OPTION_QUOTES

_ROWS = """
select count(*) as n, sum(hash({columns})::hugeint)::varchar as rows from {table}
where known_at <= $known_by and session <= $last and year(session) = year($last::date)
"""
_COUNT = "select count(*) as n from core.accepted_bars where known_at <= $as_of and session <= $last"


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What every row of the panel up to the session `last` was made from, by a digest of each table, as known at `as_of`."""

    last: dt.date
    as_of: dt.datetime
    digests: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.last}|{self.as_of.isoformat()}|{json.dumps(self.digests)}"

    def differing(self, other: "Past") -> list[str]:
        """Return the names of what has another digest in `other`."""
        return sorted(name for name in {*self.digests, *other.digests} if self.digests.get(name) != other.digests.get(name))

    @classmethod
    def read(cls, text: str) -> "Past | None":
        """Return what `str` wrote, None for anything else."""
        parts = text.split("|")
        if len(parts) != 3:  # noqa: PLR2004 - the fields
            return None
        return cls(last=dt.date.fromisoformat(parts[0]), as_of=dt.datetime.fromisoformat(parts[1]), digests=json.loads(parts[2]))


def past(snapshot: Snapshot, tables: CoreTables, history: History, *, last: dt.date, as_of: dt.datetime) -> Past:
    """Return the past up to `last`. Of facts beside bars and actions those count that were known by its close + 30 minutes.

    Bars and option quotes of older years count by their files. A split or dividend that is learnt of later changes the past; sectors
    and memberships count as they stood at `last`, with no end that was still to come.
    """
    place = np.searchsorted(history.sessions, np.datetime64(last))
    known_by = pa.scalar(history.known_at[place], pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
    day = pa.scalar(last, DATE)
    known = (CHARACTERISTICS, MACRO, FUNDAMENTALS, EARNINGS)
    facts = {
        "sessions": history.sessions[history.sessions <= np.datetime64(last)].tobytes(),
        "core.accepted_bars": [
            *_by_session(snapshot, ACCEPTED_BARS, last, as_of),
            snapshot.sql(_COUNT, {"as_of": as_of, "last": last}).to_pylist(),
        ],
        "core.corporate_actions": _digest(_until(tables.corporate_actions, "session", day)),
        "core.sectors": _digest(_until(still_open(tables.sectors, np.datetime64(last)), "valid_from", day)),
        "core.universe": _digest(_until(still_open(tables.universe, np.datetime64(last)), "valid_from", day)),
        "the benchmark": [benchmark_of(tables.ticker_map, history.first_bars), *sorted(benchmarks(tables.ticker_map))],
        "features.market_state": _digest(_until(tables.market_state.select(["session", "known_at", "p_turbulent"]), "session", day)),
        **{table.full_name: _digest(_until(getattr(tables, table.name), "known_at", known_by)) for table in known},
        "core.news": _digest(_until(tables.scored_news, "known_at", known_by)),
        "core.option_quotes": [
            *_by_session(snapshot, OPTION_QUOTES, last, known_by.as_py()),
            *(row for row in held_facts(snapshot) if row["table_name"] == OPTION_QUOTES.full_name and str(row["session"]) <= str(last)),
        ],
    }
    digests = {name: hashlib.sha256(repr(fact).encode()).hexdigest()[:16] for name, fact in facts.items()}
    return Past(last=last, as_of=as_of, digests=digests)


def _by_session(snapshot: Snapshot, table: Table, last: dt.date, known_by: dt.datetime) -> list[object]:
    """Return a digest of a table's rows up to `last`: of older years by their files, of its own year those known at `known_by`."""
    columns = ", ".join(column.name for column in table.columns)
    rows = snapshot.sql(_ROWS.format(columns=columns, table=table.full_name), {"known_by": known_by, "last": last})
    return [*(f"{part.year} {part.sha256}" for part in snapshot.parts(table) if _before(part.year, last)), rows.to_pylist()]


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
