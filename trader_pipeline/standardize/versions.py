"""Which of the rows that came are new versions of a fact, judged against what is stored: a fold over the order of fetching.

What is stored is all that the fold remembers, so rows that come one fetch at a time end as rows that come at once.
"""

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

import duckdb
import pyarrow as pa

from trader_pipeline.schema import Table, core

RELATIVE_TOLERANCE = 1e-6
"""Vendors send float32: two values closer than this are the same value."""

SAID: Mapping[Table, tuple[str, ...]] = {
    core.DAILY_BARS: ("open", "high", "low", "close", "volume_shares", "currency", "price_unit"),
    core.CORPORATE_ACTIONS: ("value",),
    core.MACRO: ("value", "vintage"),
    core.FUNDAMENTALS: ("value", "unit"),
    core.EARNINGS: ("eps_estimate", "eps_actual", "revenue_estimate", "revenue_actual"),
    core.NEWS: ("title", "summary"),
    core.FACTOR_RETURNS: ("value",),
}
"""What a version is judged by. A figure that a later filing repeats is no new version. A release that says what a newest value said
before is one: backtests read releases alone."""

_WEAK = {core.DAILY_BARS: "close is null"}
"""A bar without a close never supersedes one that has it."""

_VOID = {core.CORPORATE_ACTIONS: "value = case kind when 'split' then 1.0 else 0.0 end"}
"""A split of 1 or cash of 0 only takes an earlier action back."""


@dataclass(frozen=True, slots=True)
class _Version:
    known_at: int
    basis: str
    weak: bool
    void: bool
    said: tuple[Any, ...]


def identity_of(table: Table) -> tuple[str, ...]:
    """Return the columns that name a fact of one source, whatever its version."""
    names = [name for name in table.key if name != "known_at"]
    return (*names, *(["source"] if "source" not in names else []))


def new_versions(table: Table, rows: pa.Table, stored: pa.Table) -> pa.Table:
    """Return the rows of `table` to append to `stored`, the versions of the same facts that are in the lake already.

    `rows` have `fetched_at`, `first_known_at` and `first_basis` in the place of the clocks. The first version of a fact has
    those; a later one that differs was known when it was fetched. One with basis `released` is dated by its publisher and
    dropped when it repeats the one before it. A restatement of anything but the newest release is dropped: it would
    supersede what was released since.
    """
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("came", rows)
        con.register("stored", stored)
        con.execute(_candidates(table))
        con.register("chosen", _chosen(con.sql(_contested(table)).to_arrow_table()))
        return table.conform(con.sql(_kept(table)).to_arrow_table())


def _candidates(table: Table) -> str:
    """Return the query for the rows that do not say exactly what the fetch before said; every identifier is the schema's.

    Of dated releases all rows stay: one that is repeated may follow another that came between.
    """
    identity = ", ".join(identity_of(table))
    same = " and ".join(f"{name} is not distinct from lag({name}) over fetches" for name in SAID[table])
    return f"""
        create temp table candidates as
        with ordered as (
            select *, not bool_or(first_basis = 'released') over (partition by {identity})
                and lag(fetched_at) over fetches is not null and {same} as repeats
            from came
            window fetches as (partition by {identity} order by fetched_at)
        ), facts as (select distinct {identity}, true as is_stored from stored)
        select o.*, row_number() over () as place, dense_rank() over (order by {identity}) as fact,
            {_flags(table)}, count(*) over (partition by {identity}) = 1 and f.is_stored is null as alone
        from ordered o left join facts f using ({identity})
        where not repeats
    """  # noqa: S608 - identifiers come from the schema, there are no values


def _contested(table: Table) -> str:
    """Return the query for all versions, stored and new, of the facts that have more than one; oldest first, stored ones before."""
    identity, said = ", ".join(identity_of(table)), ", ".join(SAID[table])
    return f"""
        with facts as (select distinct fact, {identity} from candidates where not alone)
        select fact, 0 as place, epoch_us(known_at) as came_us, epoch_us(known_at) as first_known_at, known_at_basis as first_basis,
            {_flags(table)}, {said}
        from stored join facts using ({identity})
        union all
        select fact, place, epoch_us(fetched_at), epoch_us(first_known_at), first_basis, weak, void, {said}
        from candidates where not alone
        order by fact, place > 0, came_us, first_known_at, place
    """  # noqa: S608 - identifiers come from the schema, there are no values


def _flags(table: Table) -> str:
    return f"{_WEAK.get(table, 'false')} as weak, {_VOID.get(table, 'false')} as void"


def _kept(table: Table) -> str:
    names = ", ".join(c.name for c in table.columns if c.name not in {"known_at", "known_at_basis"})
    return f"""
        select {names}, first_known_at as known_at, first_basis as known_at_basis from candidates where alone and not void
        union all
        select {names}, make_timestamptz(chosen.known_at), chosen.basis from candidates join chosen using (place)
    """  # noqa: S608 - identifiers come from the schema, there are no values


def _chosen(versions: pa.Table) -> pa.Table:
    """Return place, known_at (microseconds) and basis of the new versions among `versions`, fact by fact."""
    columns = [versions[name].to_pylist() for name in versions.column_names]
    chosen: list[tuple[int, int, str]] = []
    for _, group in groupby(zip(*columns, strict=True), key=itemgetter(0)):
        kept: list[_Version] = []
        for _, place, at, first_known_at, first_basis, weak, void, *values in group:
            version = _Version(first_known_at, first_basis, weak, void, tuple(values))
            new = version if not place else _new(kept, version, at)
            if new is not None:
                insort(kept, new, key=attrgetter("known_at"))
                if place:
                    chosen.append((place, new.known_at, new.basis))
    names = {"place": pa.int64(), "known_at": pa.int64(), "basis": pa.string()}
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in chosen], schema=pa.schema(list(names.items())))


def _new(kept: list[_Version], version: _Version, fetched_at: int) -> _Version | None:
    """Return `version` with the clock that it gets after those of its fact that are `kept`, None when it adds nothing."""
    if not kept:
        return None if version.void else version
    before: _Version | None = kept[-1]
    dated = version
    released = [k.known_at for k in kept if k.basis == "released"]
    if version.basis != "released" or version.known_at == max(released, default=None):
        dated = replace(version, known_at=fetched_at, basis="observed")
    elif version.known_at in released:
        return None
    else:
        before = next((k for k in reversed(kept) if k.known_at <= version.known_at), None)
    if before is not None and (_same(before.said, version.said) or (version.weak and not before.weak)):
        return None
    return None if any(k.known_at == dated.known_at for k in kept) else dated


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return all(
        a == b or (_is_number(a) and _is_number(b) and abs(a - b) <= RELATIVE_TOLERANCE * abs(a)) for a, b in zip(one, other, strict=True)
    )


def _is_number(value: object) -> bool:
    return isinstance(value, float)
