"""What Alpha158 of a large market costs through the engine, block by block into a lake: `trader bench features --scale`."""

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import calendar
from trader_pipeline.bench.rivals.market import simulated_fields
from trader_pipeline.features import alpha
from trader_pipeline.features.build import LEAST_BLOCK_SESSIONS, blocks, build_panel
from trader_pipeline.features.known import Known, splits_of
from trader_pipeline.features.market import Market, Prices
from trader_pipeline.lake import Change, Lake, Part
from trader_pipeline.operations.memory import PeakMemory
from trader_pipeline.panel import Grid
from trader_pipeline.schema.core import CORPORATE_ACTIONS
from trader_pipeline.schema.features import panel_table

_EXCHANGE, _LAST = "XNYS", dt.date(2025, 12, 31)
_PANEL = panel_table(tuple(feature.column for feature in alpha.FEATURES))
Result = TypeVar("Result")


def measure(home: Path, *, tickers: int, sessions: int) -> dict[str, Any]:
    """Return what all sessions but the newest cost, read to written, then the newest: its compute, and its part beside it.

    `one_day_equal` says whether the newest session is bitwise that of a longer stretch. Memory counts the market's own arrays.
    """
    market, lake = simulated(tickers, sessions), Lake(home / "lake", "simulated")
    newest = sessions - 1
    with PeakMemory() as memory:
        cpu, wall, _ = _timed(lambda: _publish(lake, market, newest))
    one_day_cpu, _, rows = _timed(lambda: build_panel(market, alpha.FEATURES, start=newest))
    append_cpu, _, _ = _timed(lambda: lake.publish(Change.append(_PANEL, rows)))
    stretch = build_panel(market, alpha.FEATURES, start=max(0, sessions - LEAST_BLOCK_SESSIONS))
    again = stretch.filter(pc.equal(stretch["session"], pa.scalar(market.grid.sessions[newest].item())))
    return {
        "tickers": tickers,
        "sessions": sessions,
        "features": len(alpha.FEATURES),
        "rows": lake.snapshot().rows(_PANEL),
        "cpu_s": round(cpu, 2),
        "wall_s": round(wall, 2),
        "peak_mb": round(memory.peak_mb),
        "file_mb": round(sum(part.size_bytes for part in lake.snapshot().parts(_PANEL)) / 1e6),
        "one_day_cpu_s": round(one_day_cpu, 3),
        "one_day_append_cpu_s": round(append_cpu, 3),
        "one_day_equal": rows.equals(again),
    }


def simulated(tickers: int, sessions: int) -> Market:
    """Return a seeded market of bars alone, the sessions those up to the newest of 2025."""
    days = calendar.sessions(_EXCHANGE, _LAST - dt.timedelta(days=2 * sessions), _LAST)[-sessions:]
    grid = Grid(tuple(f"S{i:05d}" for i in range(tickers)), days)
    opened, high, low, close, volume = (x_NT.astype(np.float64) for x_NT in simulated_fields(tickers, sessions)[:5])
    nothing = Known(
        event_NT=np.full(grid.shape, -1),
        day_T=days.astype(np.int64),
        day_E=np.empty(0, np.int64),
        split_S=splits_of(CORPORATE_ACTIONS.empty(), grid),
        figures={},
    )
    return Market(
        grid=grid,
        rows=np.isfinite(close),
        members=np.isfinite(close),
        prices=Prices(
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            dividend_step=np.ones(grid.shape),
            dollar_volume=close * volume,
            close_usd=close,
        ),
        benchmark=None,
        sector=np.full(grid.shape, -1),
        statements=nothing,
        reports=nothing,
    )


def _publish(lake: Lake, market: Market, stop: int) -> None:
    """Put the rows of the sessions before `stop` into the lake."""
    staged: list[Part] = []
    for first, last in blocks(market, alpha.FEATURES):
        if first < stop:
            staged += lake.stage(_PANEL, build_panel(market, alpha.FEATURES, start=first, stop=min(last, stop)))
    lake.publish(Change.replace_staged(_PANEL, tuple(staged)))


def _timed(work: Callable[[], Result]) -> tuple[float, float, Result]:
    """Return CPU-seconds, wall seconds and the result."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    return time.process_time() - cpu, time.perf_counter() - wall, result
