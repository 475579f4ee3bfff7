"""What is judged again where little changed: the newest years, and the whole of the tickers whose older rows did."""

import datetime as dt
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.schema.columns import DATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Rows from `judged_from` on are judged, with those from `seen_from` on as their neighbourhood; of `whole` tickers all rows."""

    seen_from: dt.date
    judged_from: dt.date
    whole: frozenset[str]

    def covers(self, rows: pa.Table, last: str) -> pa.Array | pa.ChunkedArray:
        """Return which rows, whose last day stands in the column `last`, are judged anew."""
        late = pc.greater_equal(rows[last], pa.scalar(self.judged_from, DATE))
        return pc.or_(late, pc.is_in(rows["ticker"], pa.array(sorted(self.whole), pa.string())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What the last checks said, in the columns of the quality tables, to be carried on where nothing near it changed.

    The newest checks that judged everything were those at `whole_at`.
    """

    window: Window
    whole_at: dt.datetime
    findings: pa.Table
    quarantine: pa.Table
    repairs: pa.Table

    def torn(self, findings: pa.Table) -> frozenset[str]:
        """Return the tickers of which one rule said something both earlier and now: judged whole, it says that once."""
        new = self.window.covers(findings, "last_session").to_pylist()
        said: dict[tuple[str, str, str], set[bool]] = {}
        for is_new, *key in zip(new, *(findings[name].to_pylist() for name in ("rule", "ticker", "source")), strict=True):
            said.setdefault((key[0], key[1], key[2]), set()).add(is_new)
        return frozenset(ticker for (_, ticker, _), kinds in said.items() if len(kinds) > 1) - self.window.whole

    def with_whole(self, tickers: frozenset[str]) -> "Earlier":
        """Return it with more tickers that are judged whole."""
        return replace(self, window=replace(self.window, whole=self.window.whole | tickers))

    def findings_with(self, rule: str, found: pa.Table) -> pa.Table:
        """Return what `rule` found now, and what it said of the rows that it was not asked about again."""
        new = found.filter(self.window.covers(found, "last_session"))
        old = self.findings.filter(pc.equal(self.findings["rule"], rule)).select(found.schema.names)
        old = old.filter(pc.invert(self.window.covers(old, "last_session")))
        return pa.concat_tables([_unspoken(old, new), new]).sort_by([(name, "ascending") for name in ("ticker", "source", "first_session")])

    def rows_with(self, stored: pa.Table, rule: str, found: pa.Table) -> pa.Table:
        """Return the rows that `rule` keeps out (or would repair) now, and the `stored` ones that it was not asked about again."""
        new = found.filter(self.window.covers(found, "session"))
        old = stored.filter(pc.equal(stored["rule"], rule)).select(found.schema.names)
        return pa.concat_tables([old.filter(pc.invert(self.window.covers(old, "session"))), new])


def _unspoken(old: pa.Table, new: pa.Table) -> pa.Table:
    """Return the old findings whose days no new finding of the same ticker and source speaks of."""
    since: dict[tuple[str, str], dt.date] = {}
    for ticker, source, first in zip(*(new[name].to_pylist() for name in ("ticker", "source", "first_session")), strict=True):
        since[ticker, source] = min(first, since.get((ticker, source), first))
    kept = [
        (ticker, source) not in since or last < since[ticker, source]
        for ticker, source, last in zip(*(old[name].to_pylist() for name in ("ticker", "source", "last_session")), strict=True)
    ]
    return old.filter(pa.array(kept, pa.bool_()))
