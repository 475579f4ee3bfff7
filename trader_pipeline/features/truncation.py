"""The proof that nothing looks ahead: what was computed on a day comes out of that day's knowledge alone, bit for bit.

Truncation recomputes from tables cut to what was known; perturbation leaves every row in its place and scrambles the figures
that were not known yet, or that lie before a look-back. Only rows of the panel are compared: ticker-sessions with a bar.

Legend: N tickers, T sessions.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trader_pipeline.calendar import KNOWN_AFTER_CLOSE
from trader_pipeline.features.assemble import CoreTables, Instants, assemble
from trader_pipeline.features.feature import Feature
from trader_pipeline.features.intervals import still_open
from trader_pipeline.features.market import Float, Market
from trader_pipeline.panel import Days

Tables = TypeVar("Tables", bound=CoreTables)
Flags = npt.NDArray[np.bool_]
_ROLES = "ticker_map"
"""Which ticker is the benchmark is a setting and no fact about markets: never cut."""
_HEADLINE = "text_sha256"
"""A table that has it is of headlines: after the close they belong to the next session."""
_OBSERVED = ("session", "observed_on")
"""The days that a look-back counts. Filings and headlines are read as known, whatever day they speak of."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Cells with a value that were compared, and cells whose bits differ."""

    compared: int = 0
    differing: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Return both together."""
        return Tally(self.compared + other.compared, self.differing + other.differing)


@dataclass(frozen=True, eq=False, kw_only=True)
class Proof(Generic[Tables]):
    """What `computes` make of `tables` on `sessions`, whose bars are known at `known_at` (both [T]); each returns [N, T]."""

    tables: Tables
    sessions: Days
    known_at: Instants
    computes: Mapping[str, Callable[[Tables, Market], Float]]

    @cached_property
    def full(self) -> dict[str, Float]:
        """Everything from all tables, NaN where the panel has no row."""
        return {name: np.where(self._market.rows, compute(self.tables, self._market), np.nan) for name, compute in self.computes.items()}

    def truncated(self, at: int) -> dict[str, Tally]:
        """Compare the full values up to the session number `at` with those of tables cut to what was known at its close + 30 min."""
        return self._compared(cut(self.tables, self.sessions[at], self.known_at[at]), at + 1, slice(0, at + 1))

    def perturbed(self, at: int, random: np.random.Generator) -> dict[str, Tally]:
        """Compare the full values up to `at` with those of tables whose figures not known by then are others."""
        tables = scrambled(self.tables, lambda table: _not_yet(table, self.sessions[at], self.known_at[at]), random)
        return self._compared(tables, len(self.sessions), slice(0, at + 1))

    def shortened(self, at: int, lookback: int, random: np.random.Generator) -> dict[str, Tally]:
        """Compare the full values of `at` alone with those of tables whose figures of sessions before the look-back are others."""
        tables = scrambled(self.tables, lambda table: _before(table, self.sessions[at - lookback]), random)
        tables = replace(tables, corporate_actions=self.tables.corporate_actions)  # they say what later prices mean
        return self._compared(tables, len(self.sessions), slice(at, at + 1))

    @cached_property
    def _market(self) -> Market:
        return assemble(self.tables, self.sessions, self.known_at)

    def _compared(self, tables: Tables, count: int, span: slice) -> dict[str, Tally]:
        market = assemble(tables, self.sessions[:count], self.known_at[:count])
        place = self._market.grid.ticker_index(pa.array(market.grid.tickers, pa.string()))
        tallies = {}
        for name, compute in self.computes.items():
            found, expected = np.full((len(self.full[name]), count), np.nan), self.full[name][:, span]
            found[place] = np.where(market.rows, compute(tables, market), np.nan)
            tallies[name] = Tally(int(np.isfinite(expected).sum()), differing(found[:, span], expected))
        return tallies


def proof_of(features: Iterable[Feature], tables: CoreTables, sessions: Days, known_at: Instants) -> Proof[CoreTables]:
    """Return the proof of declared features, which see the market alone."""

    def of(feature: Feature) -> Callable[[CoreTables, Market], Float]:
        return lambda _, market: feature.compute(market)

    return Proof(tables=tables, sessions=sessions, known_at=known_at, computes={f.name: of(f) for f in features})


def summed(tallies: Iterable[Mapping[str, Tally]]) -> dict[str, Tally]:
    """Return the tallies of several days by name."""
    total: dict[str, Tally] = {}
    for tally in tallies:
        for name, more in tally.items():
            total[name] = total.get(name, Tally()) + more
    return total


def differing(a_NT: npt.NDArray[np.floating], b_NT: npt.NDArray[np.floating]) -> int:
    """Return how many cells are not the same bits; every NaN is the same null."""
    a_bits, b_bits = (np.where(np.isnan(x), np.nan, x).astype(np.float64).view(np.int64) for x in (a_NT, b_NT))
    return int((a_bits != b_bits).sum())


def cut(tables: Tables, session: np.datetime64, moment: np.datetime64) -> Tables:
    """Return what was known at `moment` (close + 30 min, UTC without zone) of sessions up to `session`; later ends are open."""
    return _each(tables, lambda table: still_open(table.filter(pa.array(~_not_yet(table, session, moment))), session))


def scrambled(tables: Tables, which: Callable[[pa.Table], Flags], random: np.random.Generator) -> Tables:
    """Return the tables with every figure of the rows that `which` marks times a positive number at random."""

    def shaken(table: pa.Table) -> pa.Table:
        rows = which(table)
        for place, field in enumerate(table.schema):
            if pa.types.is_floating(field.type):
                values = table.column(place).to_numpy().copy()
                values[rows] *= np.exp(random.standard_normal(int(rows.sum())))
                table = table.set_column(place, field, pa.array(values, field.type, from_pandas=True))
        return table

    return _each(tables, shaken)


def told_with_session(tables: Tables, sessions: Days, known_at: Instants) -> Tables:
    """Return the tables with bars and actions known with their session at the latest.

    A correction stands in the place of what it corrects and changes history on purpose: it is no look-ahead of a feature.
    """

    def told(table: pa.Table) -> pa.Table:
        position = np.searchsorted(sessions, moments(table, "session")).clip(max=len(sessions) - 1)
        place = table.column_names.index("known_at")
        earlier = pa.array(np.minimum(moments(table, "known_at"), known_at[position]))
        return table.set_column(place, table.schema.field(place), earlier.cast(table.schema.field(place).type))

    return replace(tables, accepted_bars=told(tables.accepted_bars), corporate_actions=told(tables.corporate_actions))


def moments(table: pa.Table, name: str) -> Instants:
    """Return a column of days or instants without zone, NaT where null."""
    kind = table.schema.field(name).type
    found: Instants = table[name].to_numpy().astype("datetime64[D]" if pa.types.is_date(kind) else "datetime64[us]")
    return found


def _each(tables: Tables, change: Callable[[pa.Table], pa.Table]) -> Tables:
    names = [field.name for field in fields(tables) if field.name != _ROLES]
    return replace(tables, **{name: change(getattr(tables, name)) for name in names})


def _not_yet(table: pa.Table, session: np.datetime64, moment: np.datetime64) -> Flags:
    """Mark the rows that cannot be known yet: by their clock, their session, or the first day of their interval."""
    if _HEADLINE in table.column_names:
        moment = moment - np.timedelta64(KNOWN_AFTER_CLOSE)
    limits = {"known_at": moment, "session": session, "valid_from": session}
    return _any(table, [moments(table, name) > limit for name, limit in limits.items() if name in table.column_names])


def _before(table: pa.Table, session: np.datetime64) -> Flags:
    """Mark the rows that were observed before a session."""
    return _any(table, [moments(table, name) < session for name in _OBSERVED if name in table.column_names])


def _any(table: pa.Table, marks: list[Flags]) -> Flags:
    marked: Flags = np.logical_or.reduce([np.zeros(table.num_rows, np.bool_), *marks])
    return marked
