"""Turn the feeds' raw rows into core tables; what is known already is never written again.

Rows that came since the last time are judged against what is stored and appended. When that cannot be trusted (other code,
other renames, a table of an older release, raw rows gone) everything is made anew, in pieces, and replaced in one commit.
Both ways end with the same tables.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa

from trader_pipeline.flows.lingering import lingering
from trader_pipeline.flows.standardize_core import Found, Known, core_rows, first_news
from trader_pipeline.flows.standardize_local import replaced_or_grown
from trader_pipeline.flows.standardize_securities import Listed, securities
from trader_pipeline.flows.standardize_work import Done, Progress, RawRows, asked, done, fetched_before, pieces, rows_since
from trader_pipeline.lake import Change, Lake, Part, Snapshot
from trader_pipeline.schema import Table, core
from trader_pipeline.schema.raw import FETCH_ATTEMPTS
from trader_pipeline.sources.source import Feed
from trader_pipeline.standardize.symbol_changes import BARS, OWN, SymbolChange, read_own
from trader_pipeline.standardize.symbols import Symbols

CODE_VERSION = "7"
"""Rises when the same raw rows would give other core rows."""

DERIVED = tuple(table for table in core.TABLES if table not in core.MADE_LATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardizeOutcome:
    """Rows of every core table afterwards, whether the lake changed, and which securities one source alone presumes delisted."""

    rows: Mapping[str, int]
    changed: bool
    presumed_delisted: tuple[str, ...]


def standardize(
    lake: Lake, feeds: tuple[Feed, ...], *, as_of: dt.datetime, run_id: str, symbols_file: Path | None = None
) -> StandardizeOutcome:
    """Bring the core tables up to date with the feeds' raw tables; do nothing when they are.

    `symbols_file` holds the user's own renames. All versions are kept whatever `as_of` says: readers ask for what was known
    with `Snapshot.known`. Raises `InputError` when the file cannot be read.
    """
    del as_of, run_id  # every flow takes both
    snapshot = lake.snapshot()
    told, symbols, now = _state(snapshot, feeds, symbols_file)
    before = _before(snapshot)
    if before == now:
        return _outcome(snapshot, changed=False)
    if any(feed.local for feed in feeds):
        changes = _local(snapshot, feeds, symbols)
    else:
        changes = _vendors(lake, snapshot, feeds, symbols, before if before and before.comparable(now) else None)
    changes[core.SYMBOL_CHANGES] = Change.replace(core.SYMBOL_CHANGES, told)
    lake.publish(*(now.stamp(changes.get(table) or Change.replace(table, table.empty())) for table in DERIVED))
    return _outcome(lake.snapshot(), changed=True)


def is_due(lake: Lake, feeds: tuple[Feed, ...], *, symbols_file: Path | None = None) -> bool:
    """Say whether `standardize` would write anything: raw rows came alone, or the user's renames changed."""
    snapshot = lake.snapshot()
    return _before(snapshot) != _state(snapshot, feeds, symbols_file)[2]


def _state(snapshot: Snapshot, feeds: tuple[Feed, ...], symbols_file: Path | None) -> tuple[pa.Table, Symbols, Progress]:
    """Return what is told of symbols, what they mean, and all that the core tables are derived from as it is now."""
    own = read_own(symbols_file) if symbols_file else ()
    told = _symbol_changes(snapshot, feeds, own)
    heard = asked(snapshot, feeds)
    still = lingering(snapshot, feeds, Symbols.of(told, own), heard)
    told = pa.concat_tables([told, _as_rows(replace(change, source=BARS) for change in still)])
    symbols = Symbols.of(told, own)
    now = Progress(
        code=_code(feeds),
        symbols=symbols.version(heard),
        raw=_raw_version(snapshot, feeds),
        done={f.name: done(snapshot, f) for f in feeds},
    )
    return told, symbols, now


def _local(snapshot: Snapshot, feeds: Sequence[Feed], symbols: Symbols) -> dict[Table, Change]:
    """Make everything anew; where all that is stored still holds, only what is new is written."""
    raw = {feed: {table.full_name: snapshot.read(table) for table in feed.raw_tables} for feed in feeds}
    found = _core_of(raw, Known(None, symbols, first_news(snapshot, feeds, symbols)))
    found |= securities(snapshot, feeds, symbols, Listed().with_rows(found))
    return {table: replaced_or_grown(snapshot, table, rows) for table, rows in found.items()}


def _vendors(lake: Lake, snapshot: Snapshot, feeds: Sequence[Feed], symbols: Symbols, before: Progress | None) -> dict[Table, Change]:
    followed = first_news(snapshot, feeds, symbols)
    news = _news(snapshot, feeds, before) if before else None
    found = _core_of(news, Known(snapshot, symbols, followed)) if news is not None else None
    if found is None or core.TICKER_MAP in found:
        return _anew(lake, snapshot, feeds, Known(None, symbols, followed))
    listed = Listed.stored(snapshot).with_rows(found)
    changes = {table: Change.append(table, found.get(table, table.empty())) for table in DERIVED}
    return changes | _replaced(securities(snapshot, feeds, symbols, listed))


def _anew(lake: Lake, snapshot: Snapshot, feeds: Sequence[Feed], known: Known) -> dict[Table, Change]:
    listed = Listed()
    staged: dict[Table, tuple[Part, ...]] = {}
    for piece in pieces(snapshot, feeds, known.symbols):
        found = _core_of(piece, known)
        listed = listed.with_rows(found)
        for table, rows in found.items():
            staged[table] = (*staged.get(table, ()), *lake.stage(table, rows))
    changes = {table: Change.replace_staged(table, staged.get(table, ())) for table in DERIVED}
    return changes | _replaced(securities(snapshot, feeds, known.symbols, listed))


def _replaced(tables: Found) -> dict[Table, Change]:
    return {table: Change.replace(table, rows) for table, rows in tables.items()}


def _news(snapshot: Snapshot, feeds: Sequence[Feed], before: Progress) -> dict[Feed, RawRows] | None:
    """Return the raw rows that came since; None when everything must be made anew.

    Bars that were fetched before some of another source that are standardized already would have come before those.
    """
    found = {feed: rows_since(snapshot, feed, before.done.get(feed.name, Done(0, {}))) for feed in feeds}
    bars = [feed for feed in feeds if feed.kind == "bars"]
    until = max((before.done[feed.name].until_us for feed in bars if feed.name in before.done), default=0)
    if None in found.values() or any(fetched_before(found[feed] or {}, until) for feed in bars):
        return None
    return {feed: rows for feed, rows in found.items() if rows is not None}


def _core_of(raw: Mapping[Feed, RawRows], known: Known) -> Found:
    """Return the new rows of all feeds, joined by table; symbols and members are read as a whole elsewhere."""
    return core_rows({feed: rows for feed, rows in raw.items() if feed.kind not in {"symbols", "members"}}, known)


def _symbol_changes(snapshot: Snapshot, feeds: Sequence[Feed], own: Sequence[SymbolChange]) -> pa.Table:
    """Return core.symbol_changes: what vendors tell, newest telling last, and what the user wrote."""
    table = core.SYMBOL_CHANGES
    rows: dict[tuple[object, ...], dict[str, object]] = {}
    for feed in feeds:
        if feed.kind == "symbols":
            told = feed.to_core({t.full_name: snapshot.read(t) for t in feed.raw_tables})[table]
            rows |= {tuple(row[name] for name in table.key): row for row in told.to_pylist()}
    written = _as_rows(change for change in own if change.source == OWN).to_pylist()
    rows |= {tuple(row[name] for name in table.key): row for row in written}
    return table.conform(pa.Table.from_pylist(list(rows.values()), schema=table.arrow_schema))


def _as_rows(changes: Iterable[SymbolChange]) -> pa.Table:
    return pa.Table.from_pylist([asdict(change) for change in changes], schema=core.SYMBOL_CHANGES.arrow_schema)


def _code(feeds: Sequence[Feed]) -> str:
    return f"{CODE_VERSION} {' '.join(f'{table.name}:{table.version}' for table in DERIVED)} {' '.join(feed.name for feed in feeds)}"


def _raw_version(snapshot: Snapshot, feeds: Sequence[Feed]) -> str:
    return snapshot.data_version([FETCH_ATTEMPTS, *(table for feed in feeds for table in feed.raw_tables)])


def _before(snapshot: Snapshot) -> Progress | None:
    """Return how far the last run came; None when any of its tables is gone, damaged, or of an older schema."""
    found = Progress.of(snapshot.inputs(core.DAILY_BARS))
    entries = [snapshot.commit.tables.get(table.full_name) for table in DERIVED]
    same = all(entry and entry.schema_version == table.version for table, entry in zip(DERIVED, entries, strict=True))
    whole = found and all(snapshot.inputs(table) == found.short for table in DERIVED if table is not core.DAILY_BARS)
    return found if same and whole else None


def _outcome(snapshot: Snapshot, *, changed: bool) -> StandardizeOutcome:
    presumed = snapshot.sql("select distinct ticker from core.ticker_map where ended = 'presumed' order by ticker")
    return StandardizeOutcome(
        rows={table.full_name: snapshot.rows(table) for table in DERIVED},
        changed=changed,
        presumed_delisted=tuple(presumed["ticker"].to_pylist()),
    )
