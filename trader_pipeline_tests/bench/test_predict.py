"""Reading one ticker's predictions is cheap, and the bench's own session can be predicted and taken apart."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from trader_pipeline import calendar
from trader_pipeline.bench import predict as bench
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.outputs import DAILY

TICKERS, SESSIONS = 1000, 12
PROMISED_MS = 20


def test_a_ticker_is_read_in_the_time_that_is_promised(tmp_path):
    """In milliseconds of CPU: other work on the machine does not count. The first read, of the whole session, is among them."""
    lake = Lake(tmp_path / "lake", "own")
    rows = TICKERS * len(HORIZONS_SESSIONS)
    numbers = {column.name: np.full(rows, 0.5) for column in DAILY.columns if pa.types.is_floating(column.dtype)}
    for day in calendar.sessions("XNYS", dt.date(2020, 1, 2), dt.date(2020, 3, 1))[:SESSIONS].tolist():
        texts = {column.name: ["x"] * rows for column in DAILY.columns if pa.types.is_string(column.dtype)}
        plain = numbers | texts | {"ticker": np.repeat([f"T{n:04d}" for n in range(TICKERS)], len(HORIZONS_SESSIONS))}
        plain |= {
            "session": pa.array([day] * rows, pa.date32()),
            "horizon_sessions": np.tile(np.array(HORIZONS_SESSIONS, np.int16), TICKERS),
        }
        plain |= {"abstained": np.zeros(rows, bool), "made_at": pa.array([calendar.known_at("XNYS", day)] * rows)}
        lake.publish(Change.append(DAILY, pa.table(plain)))
    costs = bench.read_costs(lake, 300)
    assert costs["read_cpu_ms_p99"] <= PROMISED_MS
    assert costs["read_cpu_ms_p50"] <= PROMISED_MS / 10


@pytest.mark.slow
def test_the_bench_predicts_and_explains_its_own_session(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "LABELLED_SESSIONS", 70)
    monkeypatch.setattr(bench, "STORED_SESSIONS", 3)
    monkeypatch.setitem(bench.LADDER, "panel_former_1m", {"width": 32})
    figures = bench.measure(tmp_path, tickers=30, recipe="panel_former_1m", reads=20)
    assert (figures["rows"], figures["explained_tickers"], figures["stored_rows"]) == (120, 25, 360)
    assert figures["largest_error_z"] < 0.01
    assert figures["predict_cpu_s"] > 0
