"""What the ticker page draws: candles in the split back-adjusted view, and the forecast fan over the coming sessions."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import adjustment, calendar
from trader_pipeline.dashboard.queries import Row
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema.quantiles import QUANTILE_NAMES

Floats = npt.NDArray[np.float64]

CANDLES = 756
"""Sessions of history that the page holds: three years."""

_PRICE_DECIMALS = 4
_PRICES = ("open", "high", "low", "close")


def bars(snapshot: Snapshot, ticker: str) -> pa.Table:
    """Return the ticker's newest accepted bars, split back-adjusted: the last bar is as traded. Sorted by session."""
    table = snapshot.sql(
        """select session, open, high, low, close, volume_shares from core.accepted_bars where ticker = ?
           qualify row_number() over (partition by session order by known_at desc) = 1 order by session""",
        [ticker],
    )
    actions = snapshot.actions(ticker=ticker)
    splits = actions.filter(pc.equal(actions["kind"], "split"))
    if not table.num_rows:
        return table
    days = np.asarray(table["session"].to_numpy(), dtype="datetime64[D]")
    factor = adjustment.split_factors(days, np.asarray(splits["session"].to_numpy(), dtype="datetime64[D]"), splits["value"].to_numpy())
    view = factor / factor[-1]
    for name in (*_PRICES, "volume_shares"):
        values = table[name].to_numpy(zero_copy_only=False).astype(np.float64)
        adjusted = values / view if name == "volume_shares" else values * view
        table = table.set_column(table.column_names.index(name), name, pa.array(adjusted, from_pandas=True))
    return table


def fan(exchange: str, session: dt.date, close: float, forecasts: Sequence[Row]) -> list[dict[str, Any]]:
    """Return price quantiles for every session to the longest horizon, starting at the close of `session`.

    Quantile returns stand at their horizons; between two horizons they are interpolated linearly in sqrt(sessions), as
    the spread of a random walk grows. Returns count from the next open, which is not known yet: the close stands in.
    """
    forecasts = sorted(forecasts, key=lambda row: int(row["horizon_sessions"]))
    horizons = [0, *(int(row["horizon_sessions"]) for row in forecasts)]
    steps = np.arange(horizons[-1] + 1)
    points: list[dict[str, Any]] = [{"time": calendar.offset(exchange, session, int(n)).isoformat()} for n in steps]
    for name in QUANTILE_NAMES:
        returns = np.array([0.0, *(row[name] if row[name] is not None else np.nan for row in forecasts)])
        for point, value in zip(points, np.interp(np.sqrt(steps), np.sqrt(horizons), returns), strict=True):
            point[name] = None if np.isnan(value) else round(close * (1 + float(value)), _PRICE_DECIMALS)
    return points


def payload(snapshot: Snapshot, ticker: str, exchange: str, session: dt.date | None, forecasts: Sequence[Row]) -> dict[str, Any]:
    """Return what the chart script reads: candles, volume and the fan, times as ISO dates."""
    rows = bars(snapshot, ticker).to_pylist()
    close = {row["session"]: row["close"] for row in rows}
    known = session is not None and close.get(session) is not None and bool(forecasts)
    candles = [
        {"time": row["session"].isoformat(), "volume": row["volume_shares"]} | {name: _rounded(row[name]) for name in _PRICES}
        for row in rows[-CANDLES:]
        if row["close"] is not None and row["open"] is not None and row["high"] is not None and row["low"] is not None
    ]
    points = fan(exchange, session, close[session], forecasts) if known and session is not None else []
    return {"ticker": ticker, "candles": candles, "fan": points, "session": session.isoformat() if session else None}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _PRICE_DECIMALS)
