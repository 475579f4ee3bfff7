"""Predictions for spreadsheets and scripts: the tables' own column names, unrounded."""

import csv
import datetime as dt
import io
from collections.abc import Sequence
from typing import Any

from trader_pipeline.dashboard.queries import Row
from trader_pipeline.schema.quantiles import QUANTILE_NAMES

COLUMNS = (
    *("session", "horizon_sessions", "rank", "ticker", "name", "sector"),
    *("return_mean", *QUANTILE_NAMES, "p_up", "base_rate", "p_outperform"),
    *("confidence", "disagreement", "novelty", "score", "abstained", "action", "target_weight"),
    *("excess_benchmark", "excess_sector", "earnings_inside", "ex_dividend_inside"),
    *("made_at", "model_id", "data_version"),
)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def to_csv(rows: Sequence[Row]) -> str:
    """Return the rows as CSV with a header; text that a spreadsheet would run as a formula gets an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_harmless(value) for value in row.values()] for row in to_plain(rows))
    return out.getvalue()


def to_plain(rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> list[dict[str, Any]]:
    """Return the rows with the exported columns only, dates and instants as ISO text."""
    return [{name: _iso(row[name]) for name in columns} for row in rows]


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def _iso(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date | dt.datetime) else value
