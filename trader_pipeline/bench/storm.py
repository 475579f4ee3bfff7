"""A storm: four processes ask at once for more than a server allows, three ways, against three such servers."""

import datetime as dt
import logging
import multiprocessing
import sys
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import structlog

from trader_pipeline import calendar
from trader_pipeline.bench.market import EXCHANGE
from trader_pipeline.bench.ways import WAYS, Brought, Share
from trader_pipeline.bench.yahoo_server import serving

PROCESSES = 4
PER_SECOND = 12
SESSIONS = 62
LATENCY_SECONDS = 0.05
"""An answer takes this long to come, as over a network."""

MARGIN = 0.8
"""Of what the server allows, our gate asks for this share: requests arrive later than they are sent, not evenly so."""

_START_SECONDS = 300.0


def measure(home: Path, *, tickers: int, now: dt.datetime, per_second: int = PER_SECOND, margin: float = MARGIN) -> dict[str, Any]:
    """Return by column: tickers that came complete, of how many, requests and 429 as the server counted them, seconds."""
    last = calendar.last_closed_session(EXCHANGE, now)
    first = calendar.offset(EXCHANGE, last, 1 - SESSIONS)
    names = tuple(f"T{number:04}" for number in range(tickers))
    columns: dict[str, Any] = {}
    for column, paced in (("plain", per_second), ("naive", per_second), ("ours", per_second * margin)):
        with serving(first, last, per_second=per_second, latency_seconds=LATENCY_SECONDS) as yahoo:
            folder = home / column
            folder.mkdir(parents=True)
            shares = [
                Share(tickers=names[n::PROCESSES], url=yahoo.url, home=folder, first=first, last=last, per_second=paced)
                for n in range(PROCESSES)
            ]
            brought, seconds = _all_at_once(column, shares)
            complete = sum(sessions == SESSIONS for sessions in brought.values())
            columns[column] = {"complete": complete, "of": tickers, **yahoo.counts(), "wall_s": round(seconds, 1)}
    return columns


def _all_at_once(column: str, shares: Sequence[Share]) -> tuple[Brought, float]:
    """Run a share a process, all from one moment on; return what came and the seconds until the last was done."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(shares), context, _set_off_together, (context.Barrier(len(shares)),)) as pool:
        ran = list(pool.map(_run, [column] * len(shares), shares))
    brought = {ticker: sessions for found, _, _ in ran for ticker, sessions in found.items()}
    return brought, max(ended for *_, ended in ran) - min(began for _, began, _ in ran)


class _Start:
    """Where the processes of a column wait for each other."""

    barrier: Barrier


def _set_off_together(barrier: Barrier) -> None:
    _Start.barrier = barrier
    quiet()


def quiet() -> None:
    """Keep a measured process from writing: what fails is in the figures, and stdout belongs to --json."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR), logger_factory=lambda *_: structlog.PrintLogger(sys.stderr)
    )
    logging.getLogger("yfinance").setLevel(logging.CRITICAL)


def _run(column: str, share: Share) -> tuple[Brought, float, float]:
    """Return what the share brought, and when it began and ended (monotonic seconds, which all processes share)."""
    import yfinance  # noqa: PLC0415 - loaded before the start, so that it is in no column's seconds

    cache = share.home / f"cache-{share.tickers[0]}"
    yfinance.set_tz_cache_location(str(cache))
    warnings.simplefilter("ignore")  # its use of pandas; it sets its own filter when it is loaded
    _Start.barrier.wait(_START_SECONDS)
    began = time.monotonic()
    brought = WAYS[column](share)
    return brought, began, time.monotonic()
