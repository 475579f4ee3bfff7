"""Which security a symbol meant on a day: renames are followed, a symbol that another company took over is not.

A security keeps one name, its ticker: the last symbol that it traded under, with `-YYYYMM` of its last month once it
ended or its symbol went to another company. So Waste Management is WM in all years, though its bars of 2005 were asked
for as WMI; and Washington Mutual, which was WM then, is WM-200809.

Vendors may go on to answer a symbol with the bars of the security that left it. Told of such `lingering` symbols, FB of
today means META, which it was renamed to; of what the user says ended, only the sessions before the end are its own.
"""

import datetime as dt
import hashlib
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from trader_pipeline.standardize.symbol_changes import BARS, OWN, SymbolChange, settle


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A symbol of one security. `first` None: since ever; `last` (inclusive) None: until now. `renamed` says why it ended."""

    symbol: str
    first: dt.date | None
    last: dt.date | None
    renamed: bool

    def covers(self, day: dt.date) -> bool:
        """Say whether the security had the symbol on `day`."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vacated:
    """The `period` of a symbol after the security `left` lost it by `change`; whom it means since, nobody told."""

    period: Interval
    left: str
    change: SymbolChange


class Symbols:
    """All that is known of renames and ends. A symbol without any means the same security on every day.

    `lingering` are symbols, each with the day of a change, about which the answers since then are of the security that left.
    """

    def __init__(self, changes: Iterable[SymbolChange] = (), lingering: Iterable[tuple[str, dt.date]] = ()) -> None:
        self.changes = settle(changes)
        self._periods = _periods(self.changes)
        self._starts = {symbol: [p.first or dt.date.min for p in periods] for symbol, periods in self._periods.items()}
        brought = {(c.new_symbol, c.changed_on) for c in self.changes}
        self._left_by = {(c.symbol, c.changed_on): c for c in self.changes if (c.symbol, c.changed_on) not in brought}
        self.lingering = frozenset(lingering) & self._left_by.keys()
        self._securities: dict[str, tuple[Interval, ...]] = {}
        self._tickers: dict[tuple[str, dt.date | None], str] = {}
        for chain in _chains(self._periods, self.changes):
            self._name(self._without_renamed(chain))

    @classmethod
    def of(cls, rows: pa.Table, own: Iterable[SymbolChange] = ()) -> "Symbols":
        """Build it from core.symbol_changes rows, of which the user's are replaced by `own`, the file as it is now."""
        told = [SymbolChange(**row) for row in rows.to_pylist()]
        lingering = [(c.symbol, c.changed_on) for c in told if c.source == BARS]
        return cls([*own, *(c for c in told if c.source not in {OWN, BARS})], lingering)

    def _without_renamed(self, chain: tuple[Interval, ...]) -> tuple[Interval, ...]:
        """Return the periods that are this security's own: a lingering symbol's is that of the security renamed away from it."""
        key = _start(chain[0])
        if key not in self.lingering or self._left_by[key].new_symbol is None:
            return chain
        self._tickers[chain[0].symbol, chain[0].first] = self._before(chain[0])
        return chain[1:]

    def _name(self, chain: tuple[Interval, ...]) -> None:
        if not chain:
            return
        name = _ticker(chain[-1])
        if name in self._securities:  # two that lost one symbol within a month
            name = f"{chain[-1].symbol}-{chain[-1].last:%Y%m%d}"
        self._securities[name] = chain
        self._tickers |= {(i.symbol, i.first): name for i in chain}

    def _before(self, period: Interval) -> str:
        """Return the security that had the symbol until the period began."""
        periods = self._periods[period.symbol]
        return self._tickers[period.symbol, periods[periods.index(period) - 1].first]

    def _period(self, symbol: str, day: dt.date) -> Interval:
        return self._periods[symbol][bisect_right(self._starts[symbol], day) - 1]

    def security(self, symbol: str, day: dt.date) -> str:
        """Return the ticker of the security that `symbol` meant on `day`."""
        return self._tickers[symbol, self._period(symbol, day).first] if symbol in self._periods else symbol

    def sessions_before(self, symbol: str, day: dt.date) -> tuple[str, dt.date] | None:
        """Return (ticker, end) where an answer of `day` about `symbol` is of another security for the sessions before its `end`."""
        period = self._period(symbol, day) if symbol in self._periods else None
        return (self._before(period), _start(period)[1]) if period and _start(period) in self.lingering else None

    def vacated(self) -> Iterator[Vacated]:
        """Yield the period of every symbol that its security left and that no rename brought to another on that day."""
        for (symbol, day), change in self._left_by.items():
            period = self._period(symbol, day)
            yield Vacated(period=period, left=self._before(period), change=change)

    def asked_as(self, ticker: str, day: dt.date) -> str | None:
        """Return the symbol by which vendors know the security on `day`; None when it had none: not yet, or no more."""
        return next((i.symbol for i in self.intervals(ticker) if i.covers(day)), None)

    def intervals(self, ticker: str) -> tuple[Interval, ...]:
        """Return the security's symbols, oldest first."""
        return self._securities.get(ticker) or (Interval(symbol=ticker, first=None, last=None, renamed=False),)

    @property
    def known(self) -> frozenset[str]:
        """Symbols that ever changed their meaning."""
        return frozenset(self._periods)

    def families(self) -> Mapping[str, str]:
        """Return, for every symbol that changes, one name for it and all symbols that renames connect it with."""
        above = {symbol: symbol for symbol in self._periods}

        def top(symbol: str) -> str:
            while above[symbol] != symbol:
                above[symbol] = above[above[symbol]]
                symbol = above[symbol]
            return symbol

        for change in self.changes:
            if change.new_symbol is not None:
                first, second = sorted((top(change.symbol), top(change.new_symbol)))
                above[second] = first
        return {symbol: top(symbol) for symbol in above}

    def version(self, asked: Collection[str]) -> str:
        """Return what changes when an answer about a symbol of `asked` may change; a vendor tells of every rename of the market."""
        families = self.families()
        near = {families[symbol] for symbol in asked if symbol in families}
        told = [c for c in self.changes if families[c.symbol] in near]
        facts = [(c.symbol, c.changed_on.isoformat(), c.new_symbol, (c.symbol, c.changed_on) in self.lingering) for c in told]
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _periods(changes: Iterable[SymbolChange]) -> Mapping[str, tuple[Interval, ...]]:
    """Return, for every symbol that changes name, from when to when it meant one security."""
    away: dict[str, dict[dt.date, bool]] = {}
    for change in changes:
        away.setdefault(change.symbol, {})[change.changed_on] = change.new_symbol is not None
        if change.new_symbol is not None:
            away.setdefault(change.new_symbol, {}).setdefault(change.changed_on, False)
    return {symbol: tuple(_between(symbol, cuts)) for symbol, cuts in away.items()}


def _between(symbol: str, cuts: Mapping[dt.date, bool]) -> Iterable[Interval]:
    first: dt.date | None = None
    for cut in sorted(cuts):
        yield Interval(symbol=symbol, first=first, last=cut - dt.timedelta(days=1), renamed=cuts[cut])
        first = cut
    yield Interval(symbol=symbol, first=first, last=None, renamed=False)


def _chains(periods: Mapping[str, tuple[Interval, ...]], changes: Iterable[SymbolChange]) -> Iterable[tuple[Interval, ...]]:
    """Yield every security's periods, oldest first, joined by the renames."""
    by_first = {(p.symbol, p.first): p for group in periods.values() for p in group}
    after = {(c.symbol, c.changed_on): (c.new_symbol, c.changed_on) for c in changes if c.new_symbol is not None}
    joined = set(after.values())
    for key in sorted(by_first, key=lambda k: (k[1] or dt.date.min, k[0])):
        if key in joined:
            continue
        chain = [by_first[key]]
        while chain[-1].renamed:
            last: Any = chain[-1].last
            chain.append(by_first[after[chain[-1].symbol, last + dt.timedelta(days=1)]])
        yield tuple(chain)


def _start(period: Interval) -> tuple[str, dt.date]:
    return period.symbol, period.first or dt.date.min


def _ticker(period: Interval) -> str:
    return period.symbol if period.last is None else f"{period.symbol}-{period.last:%Y%m}"
