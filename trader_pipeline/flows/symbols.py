"""Which security a symbol means: from core.symbol_changes and the user's symbols.toml."""

from trader_pipeline.lake import Snapshot
from trader_pipeline.schema.core import SYMBOL_CHANGES
from trader_pipeline.settings import Settings
from trader_pipeline.standardize.symbol_changes import OWN, SymbolChange, read_own
from trader_pipeline.standardize.symbols import Symbols


def read_symbols(snapshot: Snapshot, settings: Settings) -> Symbols:
    """Return the symbols' meanings as of the last standardize, with the user's file as it is now. Raises `InputError`."""
    return Symbols.of(snapshot.read(SYMBOL_CHANGES), read_own(settings.symbols_file))


def stored_symbols(snapshot: Snapshot) -> Symbols:
    """Return the symbols' meanings that the core tables were made with."""
    told = snapshot.read(SYMBOL_CHANGES)
    return Symbols.of(told, [SymbolChange(**row) for row in told.to_pylist() if row["source"] == OWN])
