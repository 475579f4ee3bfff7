"""How a fetch says how far it is: often on a terminal, seldom in Dagster's event log, which keeps every line."""

import math
import time
from collections.abc import Callable

import dagster as dg

from trader_pipeline.defs.console import Progress
from trader_pipeline.flows.ingest import FetchProgress

LOG_SECONDS = 30.0
"""Between two lines of one fetch in the event log."""
_HOUR_MINUTES, _FEW_MINUTES = 60, 5


def reporter(
    log: dg.DagsterLogManager, progress: Progress | None, clock: Callable[[], float] = time.monotonic
) -> Callable[[FetchProgress], None]:
    """Return what a fetch calls after each ticker: it shows the first, the last, and one in so many seconds."""
    every = progress.every_seconds if progress else LOG_SECONDS
    shown = -math.inf

    def report(fetch: FetchProgress) -> None:
        nonlocal shown
        if clock() - shown < every and fetch.done < fetch.of:
            return
        shown = clock()
        if progress:
            progress.fetched(fetch.done, fetch.of, describe(fetch))
        else:
            log.info(describe(fetch))

    return report


def describe(fetch: FetchProgress) -> str:
    """Return one line for people: "yahoo bars 120/500, 11.2/s, 3 retries, 0 throttled, 34 s left"."""
    rate = fetch.done / fetch.seconds if fetch.seconds > 0 else 0.0
    left = f", {_span((fetch.of - fetch.done) / rate)} left" if rate and fetch.done < fetch.of else ""
    counted = f"{rate:.1f}/s, {fetch.retries} retries, {fetch.throttled} throttled"
    return f"{fetch.feed.replace('_', ' ')} {fetch.done}/{fetch.of}, {counted}{left}"


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes >= _HOUR_MINUTES:
        return f"{minutes // _HOUR_MINUTES} h {minutes % _HOUR_MINUTES} min"
    return f"{minutes} min" if minutes >= _FEW_MINUTES else f"{seconds:.0f} s"
