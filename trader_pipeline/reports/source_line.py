"""Which bytes a number came from."""

from collections.abc import Sequence

from trader_pipeline.reports.facts import Facts

SHORT = 12
"""Characters of a data version that are shown; the sources section holds the whole one."""


def source_line(facts: Facts, tables: Sequence[str]) -> str:
    """Return `Source: predictions.daily · data 9b1d… · model …` of the named tables as one data version."""
    version = facts.snapshot.data_version(tables)[:SHORT]
    model = f" · model {facts.model_id}" if facts.model_id else ""
    return f"Source: {', '.join(tables)} · data version {version}{model}"
