"""Which securities the live dataset follows: a list of universe.toml, or the members of an index on that day."""

import datetime as dt
from collections.abc import Sequence

from trader_pipeline.errors import UsageError
from trader_pipeline.flows.symbols import read_symbols
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema.core import UNIVERSE
from trader_pipeline.settings import Settings, load_universe
from trader_pipeline.sources import feeds_of
from trader_pipeline.sources.listings import with_hyphen
from trader_pipeline.standardize.symbols import Symbols
from trader_pipeline.toml_file import read_toml


def followed(snapshot: Snapshot, settings: Settings, symbols: Symbols, today: dt.date) -> set[str]:
    """Return the securities of `settings.live_universe`; a list of universe.toml comes before an index of the same name.

    A listed symbol (BRK.B is BRK-B) meant what it meant on the day when it was added, a member's what it means `today`. Members are read
    from the raw files, so that the first run of an index needs no run before it. Raises `UsageError` where there is neither.
    """
    name, path = settings.live_universe, settings.universe_file
    members = set() if name in read_toml(path) else {symbols.security(symbol, today) for symbol in _members(snapshot, settings, today)}
    if members:
        return members
    tickers = load_universe(path, name)
    added = {str(member["ticker"]): member.get("added") for member in read_toml(path)[name]["members"]}
    return {symbols.security(with_hyphen(ticker), _day(added[ticker], today)) for ticker in tickers}


def not_followed(snapshot: Snapshot, settings: Settings, tickers: Sequence[str], today: dt.date) -> list[str]:
    """Return those of `tickers` that no later run asks for unless it names them; all, where no universe is there yet."""
    symbols = read_symbols(snapshot, settings)
    try:
        wanted = followed(snapshot, settings, symbols, today)
    except UsageError:
        wanted = set()
    return [t for t in tickers if t != settings.benchmark and symbols.security(t, today) not in wanted]


def _members(snapshot: Snapshot, settings: Settings, today: dt.date) -> set[str]:
    """Return the symbols that the configured sources of members list for the universe on `today`."""
    found = set()
    for feed in feeds_of(settings):
        if feed.kind == "members":
            rows = feed.to_core({table.full_name: snapshot.read(table) for table in feed.raw_tables})[UNIVERSE]
            found |= {
                row["ticker"]
                for row in rows.to_pylist()
                if row["universe"] == settings.live_universe and row["valid_from"] <= today and (row["valid_to"] or today) >= today
            }
    return found


def _day(added: object, today: dt.date) -> dt.date:
    return added if type(added) is dt.date and added <= today else today
