"""What all quality rules cost on a lake of clean bars: CPU-seconds and the largest memory of a process that does nothing else."""

import datetime as dt
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.flows.check import check
from trader_pipeline.lake import Change, Lake, Part
from trader_pipeline.operations.memory import PeakMemory
from trader_pipeline.schema.columns import DATE, INSTANT
from trader_pipeline.schema.core import DAILY_BARS, TICKER_MAP
from trader_pipeline.settings import CheckSettings

EXCHANGE = "XNYS"
LAST = dt.date(2024, 12, 31)
LONGEST_SESSIONS = 8_000
DATASET = "live"
SOURCE = "yahoo"


def measure(home: Path, *, rows: int) -> dict[str, object]:
    """Return rows, and the CPU-seconds and peak MB of a check of everything, and of one that after a new session looks at what changed.

    Tickers have 2,520 sessions each, or as many more as keep their number within 6,000.
    """
    sessions = min(LONGEST_SESSIONS, max(2_520, rows // 6_000))
    tickers = max(1, rows // sessions)
    with _alone() as pool:
        pool.submit(_fill, home, tickers, sessions).result()
    with _alone() as pool:
        whole = pool.submit(_checked, home, LAST).result()
    day = calendar.sessions(EXCHANGE, LAST + dt.timedelta(days=1), LAST + dt.timedelta(days=9))[0].item()
    with _alone() as pool:
        pool.submit(_append, home, tickers, day).result()
    with _alone() as pool:
        more = pool.submit(_checked, home, day).result()
    return {"rows": tickers * sessions, "tickers": tickers, **whole, "one_more_session": more}


def _alone() -> ProcessPoolExecutor:
    """Return one process that inherits no memory, so that a step's peak is its own."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def _checked(home: Path, day: dt.date) -> dict[str, float]:
    lake = Lake(home, DATASET)
    began = time.process_time()
    with PeakMemory() as memory:
        report = check(
            lake, as_of=calendar.known_at(EXCHANGE, day), settings=CheckSettings(only_changed=True), run_id=f"bench-{day}", order=(SOURCE,)
        )
    found = sum(rule.findings.num_rows for rule in report.results)
    return {"cpu_s": round(time.process_time() - began, 2), "peak_mb": round(memory.peak_mb), "findings": found}


def _fill(home: Path, tickers: int, sessions: int) -> None:
    """Write the bars year by year, so that 30 million rows need little memory."""
    lake = Lake(home, DATASET)
    days = calendar.sessions(EXCHANGE, dt.date(1990, 1, 2), LAST)[-sessions:]
    years = days.astype("datetime64[Y]")
    staged: list[Part] = []
    for year in np.unique(years):
        staged += lake.stage(DAILY_BARS, _bars(tickers, days[years == year]))
    listed = [
        {
            "ticker": _ticker(n),
            "symbol": _ticker(n),
            "valid_from": days[0].item(),
            "issuer_id": _ticker(n),
            "exchange": EXCHANGE,
            "role": "stock",
        }
        for n in range(tickers)
    ]
    lake.publish(Change.replace_staged(DAILY_BARS, tuple(staged)), Change.replace(TICKER_MAP, pa.Table.from_pylist(listed)))


def _append(home: Path, tickers: int, day: dt.date) -> None:
    Lake(home, DATASET).publish(Change.append(DAILY_BARS, _bars(tickers, np.array([day], dtype="datetime64[D]"))))


def _bars(tickers: int, days: calendar.Days) -> pa.Table:
    """Return bars without a fault; closes walk on from year to year by a seed that ticker and day give."""
    position = calendar.sessions(EXCHANGE, dt.date(1990, 1, 2), days[0].item()).size + np.arange(len(days))
    phase_N = np.random.default_rng(0).uniform(0, 2 * np.pi, tickers)
    level_N = np.random.default_rng(1).uniform(10, 200, tickers)
    noise_NT = np.random.default_rng(int(position[0])).normal(0, 0.004, (tickers, len(days)))
    close_NT = level_N[:, None] * np.exp(0.3 * np.sin(phase_N[:, None] + position[None] / 250) + noise_NT)
    open_NT = close_NT * np.exp(noise_NT[:, ::-1] / 2)
    columns = {
        "open": open_NT,
        "high": np.maximum(open_NT, close_NT) * 1.004,
        "low": np.minimum(open_NT, close_NT) * 0.996,
        "close": close_NT,
        "volume_shares": np.round(1e6 * np.exp(40 * noise_NT)),
    }
    rows = tickers * len(days)
    known = pa.array(calendar.known_at_array(EXCHANGE, days)).cast(INSTANT)
    every_day = pa.array(np.tile(np.arange(len(days)), tickers))
    constants = {"source": SOURCE, "known_at_basis": "assumed", "currency": "USD", "price_unit": "USD"}
    return DAILY_BARS.conform(
        pa.table(
            {
                "ticker": pa.array([_ticker(n) for n in range(tickers)]).take(pa.array(np.repeat(np.arange(tickers), len(days)))),
                "session": pa.array(days).cast(DATE).take(every_day),
                "known_at": known.take(every_day),
                **{name: pa.array(values.ravel()) for name, values in columns.items()},
                **{name: pa.repeat(value, rows) for name, value in constants.items()},
            }
        )
    )


def _ticker(n: int) -> str:
    return f"T{n:05d}"
