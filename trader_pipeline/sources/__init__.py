"""Vendors, one file each. To add one: write its file, then name it here."""

import datetime as dt

from trader_pipeline.errors import UsageError
from trader_pipeline.sources import sample, simulated
from trader_pipeline.sources.own_files import OWN
from trader_pipeline.sources.sample import SAMPLE
from trader_pipeline.sources.simulated import SIMULATED
from trader_pipeline.sources.source import Source
from trader_pipeline.sources.yahoo import YAHOO

SOURCES: tuple[Source, ...] = (
    SAMPLE,
    OWN,
    SIMULATED,
    YAHOO,
)

_OF_DATASET = {"deep": "sample", "broad": "sample", "own": "own", "simulated": "simulated", "live": "yahoo"}


def source_of(dataset: str) -> Source:
    """Return the source that fills a dataset's lake."""
    name = _OF_DATASET.get(dataset)
    found = next((source for source in SOURCES if source.name == name), None)
    if found is None:
        raise UsageError(f"no source fills the dataset {dataset!r}; choose one of {sorted(_OF_DATASET)}")
    return found


def last_session_of(dataset: str) -> dt.date | None:
    """Return the last session of a dataset that does not grow, None of one that does."""
    return simulated.LAST_SESSION if dataset == "simulated" else sample.LAST_SESSIONS.get(dataset)


__all__ = ["SOURCES", "Source", "last_session_of", "source_of"]
