"""Whether the live market's sources can be asked: keys and contacts that are set (never shown), and the user's own lists."""

import datetime as dt
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.overrides import read_overrides
from trader_pipeline.errors import TraderError
from trader_pipeline.flows import universe
from trader_pipeline.operations.doctor import Finding
from trader_pipeline.settings import Settings
from trader_pipeline.sources import feeds_of
from trader_pipeline.sources.source import Feed
from trader_pipeline.standardize.symbol_changes import read_own


def readiness(settings: Settings) -> list[Finding]:
    """Return a finding a source that is set for live data, one for each of universe.toml, symbols.toml and overrides.toml that exists."""
    live = settings.model_copy(update={"dataset": "live"})
    try:
        feeds = feeds_of(live)
    except TraderError as error:
        return [Finding(name="sources", state="fail", fact=str(error), mend="docs/runbook.md, E100")]
    sources = list(dict.fromkeys(feed.source for feed in feeds))
    return [*(_source(live, [feed for feed in feeds if feed.source == name]) for name in sources), *_lists(live)]


def _source(settings: Settings, feeds: list[Feed]) -> Finding:
    name = feeds[0].source
    unready = next((text for feed in feeds if (text := feed.unready(settings))), None)
    if unready:
        fact, _, mend = unready.partition("; ")
        return Finding(name="source", state="fail", fact=f"{fact} ({', '.join(feed.kind for feed in feeds)})", mend=mend)
    return Finding(name="source", state="ok", fact=f"{name}: {', '.join(feed.kind for feed in feeds)}{_secret(settings, name)}")


def _secret(settings: Settings, source: str) -> str:
    """Return whether a key or a contact is set, where the vendor has one; never what it is."""
    vendor = getattr(settings, source)
    for field, word in (("api_key", "key"), ("contact", "contact")):
        if field in type(vendor).model_fields:
            return f"; {word} set" if getattr(vendor, field) else f"; no {word}"
    return ""


def _lists(settings: Settings) -> Iterator[Finding]:
    mend = "mend the file; the message names the place"
    readers: tuple[tuple[Path, Callable[[Path], object]], ...] = (
        (settings.universe_file, universe.lists),
        (settings.symbols_file, read_own),
        (settings.overrides_file, partial(read_overrides, rules=CHECKS, today=dt.date.min)),
    )
    for path, read in readers:
        if not path.exists():
            continue
        try:
            read(path)
        except TraderError as error:
            yield Finding(name=path.name, state="fail", fact=str(error), mend=mend)
        else:
            yield Finding(name=path.name, state="ok", fact=f"{path} can be read")
