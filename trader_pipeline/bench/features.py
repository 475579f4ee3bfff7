"""What raw to features costs on a simulated market: `trader bench features --flows`."""

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path

from trader_pipeline.flows.build_features import build_features
from trader_pipeline.flows.check import accept, check
from trader_pipeline.flows.due import default_as_of
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.lake import Lake
from trader_pipeline.operations.memory import PeakMemory
from trader_pipeline.settings import Settings
from trader_pipeline.sources import bars_feed

RUN = "bench"


def measure(home: Path, *, tickers: int, sessions: int, now: dt.datetime) -> dict[str, object]:
    """Return wall and CPU seconds of each flow, the rows of the panel, and the largest resident memory of the process in MB."""
    settings = Settings(home=home, dataset="simulated", simulated_tickers=tickers, simulated_days=sessions)
    lake, source = Lake(settings.dataset_home / "lake", settings.dataset), bars_feed(settings)
    as_of = default_as_of(settings, now=now)
    flows: dict[str, Callable[[], object]] = {
        "ingest": lambda: ingest(lake, source, settings, as_of=as_of, fetched_at=now, run_id=RUN),
        "standardize": lambda: standardize(lake, (source,), as_of=as_of, run_id=RUN),
        "check": lambda: check(lake, as_of=as_of, settings=settings.checks, run_id=RUN),
        "accept": lambda: accept(lake, as_of=as_of, run_id=RUN),
        "build_features": lambda: build_features(lake, as_of=as_of, run_id=RUN),
    }
    seconds = {}
    with PeakMemory() as memory:
        for name, flow in flows.items():
            wall, cpu = time.perf_counter(), time.process_time()
            flow()
            seconds[name] = {"wall_s": round(time.perf_counter() - wall, 3), "cpu_s": round(time.process_time() - cpu, 3)}
    rows = lake.snapshot().rows("features.panel")
    return {"tickers": tickers, "sessions": sessions, "rows": rows, "flows": seconds, "peak_mb": round(memory.peak_mb)}
