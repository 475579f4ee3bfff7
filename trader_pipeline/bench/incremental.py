"""One more session for thousands of tickers whose history is stored: what a day of `flows.ingest` costs beside its HTTP calls."""

import datetime as dt
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import calendar
from trader_pipeline.bench.market import EXCHANGE, series_of
from trader_pipeline.bench.storm import quiet
from trader_pipeline.bench.ways import live_settings
from trader_pipeline.bench.yahoo_server import Served, serving
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.lake import Change, Lake
from trader_pipeline.operations.memory import PeakMemory
from trader_pipeline.schema import raw
from trader_pipeline.settings import Settings
from trader_pipeline.sources import bars_feed

SESSIONS = 250
_RUN = "bench"
_UNPACED_AN_HOUR = 3.6e9
_P = ParamSpec("_P")
_R = TypeVar("_R")


def measure(home: Path, *, tickers: int, now: dt.datetime, sessions: int = SESSIONS) -> dict[str, object]:
    """Return what one more session costs when `sessions` are stored. A fresh process does it, so its memory is its own, not the server's.

    `cpu_ms_per_ticker` is CPU beyond the HTTP calls; `cpu_ms_http` is what the same URLs cost without anything else.
    """
    last = calendar.last_closed_session(EXCHANGE, now)
    first = calendar.offset(EXCHANGE, last, -sessions)
    names = tuple(f"T{number:05}" for number in range(tickers))
    with serving(first, last) as yahoo:
        settings = live_settings(home, yahoo.url, first=first, benchmark=names[0], requests_per_hour=_UNPACED_AN_HOUR, burst=10 * tickers)
        _apart(fill, settings, names, calendar.known_at(EXCHANGE, calendar.offset(EXCHANGE, last, -1)))
        return _apart(_day, settings, names, calendar.known_at(EXCHANGE, last), yahoo)


def _apart(function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """Call it in a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), quiet) as pool:
        return pool.submit(function, *args, **kwargs).result()


def fill(settings: Settings, tickers: tuple[str, ...], as_of: dt.datetime) -> None:
    """Store the history of all tickers: one a price series is fetched, the others are copies of it under their own name."""
    lake, feed = Lake(settings.dataset_home / "lake", settings.dataset), bars_feed(settings)
    first_of: dict[int, str] = {}
    for ticker in tickers:
        first_of.setdefault(series_of(ticker), ticker)
    ingest(lake, feed, settings, as_of=as_of, fetched_at=as_of, run_id=_RUN, tickers=tuple(first_of.values()))
    copies = [(ticker, first_of[series_of(ticker)]) for ticker in tickers if ticker not in first_of.values()]
    snapshot = lake.snapshot()
    if copies:
        lake.publish(*(Change.append(table, _copied(snapshot.read(table), copies)) for table in (*feed.raw_tables, raw.FETCH_ATTEMPTS)))
    standardize(lake, (feed,), as_of=as_of, run_id=_RUN)


def _copied(rows: pa.Table, copies: list[tuple[str, str]]) -> pa.Table:
    """Return, for every (ticker, original), the rows of the original under the ticker's name."""
    place = rows.schema.get_field_index("ticker")
    of = {original: rows.filter(pc.equal(rows["ticker"], original)) for original in {original for _, original in copies}}
    pieces = [
        of[original].set_column(place, rows.schema.field(place), pa.repeat(ticker, of[original].num_rows)) for ticker, original in copies
    ]
    return pa.concat_tables(pieces)


def _day(settings: Settings, tickers: tuple[str, ...], as_of: dt.datetime, yahoo: Served) -> dict[str, object]:
    """Ingest one session in this process and weigh it against the bare requests."""
    lake, feed = Lake(settings.dataset_home / "lake", settings.dataset), bars_feed(settings)
    asked_before = len(yahoo.targets())
    wall, cpu = time.perf_counter(), time.process_time()
    with PeakMemory() as memory:
        outcome = ingest(lake, feed, settings, as_of=as_of, fetched_at=as_of, run_id=_RUN, tickers=tickers)
    wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    targets = yahoo.targets()[asked_before:]
    http_s = _bare(yahoo.url, targets)
    cpu = time.process_time()
    standardize(lake, (feed,), as_of=as_of, run_id=_RUN)
    return {
        "tickers": len(tickers),
        "ok": sum(attempt.outcome == "ok" for attempt in outcome.attempts),
        "new_rows": outcome.new_rows,
        "requests": len(targets),
        "cpu_ms_per_ticker": round(1e3 * (cpu_s - http_s) / len(tickers), 2),
        "cpu_ms_http": round(1e3 * http_s / len(tickers), 2),
        "peak_mb": round(memory.peak_mb),
        "wall_s": round(wall_s, 1),
        "standardize_cpu_s": round(time.process_time() - cpu, 1),
    }


def _bare(url: str, targets: list[str]) -> float:
    """Return the CPU seconds of one curl_cffi session that asks for the same and does nothing with it."""
    from curl_cffi.requests import Session  # noqa: PLC0415 - brings libcurl

    cpu = time.process_time()
    with Session(impersonate="chrome") as session:
        for target in targets:
            session.get(url + target)
    return time.process_time() - cpu
