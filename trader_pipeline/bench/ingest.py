"""What ingestion is worth and costs, against a Yahoo on loopback: the storm, and one more session for many tickers."""

import datetime as dt
from pathlib import Path
from typing import Any, Literal

from trader_pipeline.bench import incremental, storm

Part = Literal["storm", "incremental"]
Figures = dict[str, dict[str, Any]]


def measure(home: Path, *, now: dt.datetime, storm_tickers: int = 120, tickers: int = 5000, only: Part | None = None) -> Figures:
    """Return the figures of both parts, or of one; `home` is an empty folder that may go afterwards."""
    figures: Figures = {}
    if only != "incremental":
        figures["storm"] = storm.measure(home / "storm", tickers=storm_tickers, now=now)
    if only != "storm":
        figures["incremental"] = incremental.measure(home / "incremental", tickers=tickers, now=now)
    return figures
