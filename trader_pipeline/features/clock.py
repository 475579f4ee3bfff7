"""When the newest row that a feature reads can be known, by the table it reads."""

from collections.abc import Iterable

from trader_pipeline.schema import Table

BAR = "close + 30 min"
CLOCKS = {
    "core.accepted_bars": BAR,
    "core.corporate_actions": BAR,
    "features.market_state": BAR,
    "core.fundamentals": "filing accepted, else the day after it",
    "core.earnings": "report",
    "core.macro": "release",
    "core.characteristics": "publication",
    "core.news": "headline, after the close: next session",
    "core.news_scores": "headline, after the close: next session",
    "core.option_quotes": "snapshot of quotes",
}
DATED = frozenset({"core.sectors", "core.ticker_map", "core.universe"})
"""Held by dates of validity; they have no moment of their own."""


def clock_of(inputs: Iterable[Table]) -> str:
    """Return the clocks of the tables, each once, those of facts before the bars'. Raises `KeyError` for a table without one."""
    told = dict.fromkeys(CLOCKS[table.full_name] for table in inputs if table.full_name not in DATED)
    return "; ".join(sorted(told, key=lambda clock: clock == BAR))
