"""A seeded market as the engines read it: one Parquet file sorted by ticker and date, and Qlib's store of files."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

FIELDS = ("open", "high", "low", "close", "volume", "vwap")
PARQUET, QLIB = "bars.parquet", "qlib"
_FIRST = np.datetime64("2007-01-01")
_GAPS = 0.003
_LISTED_LATE, _LONG_GAP = 5, 3
"""Each so manyth ticker."""

Float32 = npt.NDArray[np.float32]


def write_market(folder: Path, *, tickers: int, sessions: int) -> None:
    """Write the market, encoded as the lake's parts are: a fifth of the tickers listed late, gaps of a session and more.

    Prices have four digits, so that they hardly ever stand still: what sliding sums leave of a movement then would drown all other
    differences.
    """
    days = _FIRST + np.arange(2 * sessions)
    days = days[np.is_busday(days)][:sessions]
    fields = simulated_fields(tickers, sessions)
    names = [f"S{i:05d}" for i in range(tickers)]
    row, column = np.nonzero(np.isfinite(fields[3]))
    table = {
        "ticker": pa.DictionaryArray.from_arrays(pa.array(row.astype(np.int32)), pa.array(names)).cast(pa.string()),
        "session": pa.array(days[column]),
        **{name: pa.array(values[row, column]) for name, values in zip(FIELDS, fields, strict=True)},
    }
    pq.write_table(pa.table(table), folder / PARQUET, compression="zstd", row_group_size=122_880, use_dictionary=["ticker"])
    _write_qlib(folder / QLIB, fields, names, days)


def simulated_fields(tickers: int, sessions: int) -> list[Float32]:
    """Return FIELDS, each [N, T], NaN where there is no bar."""
    generator = np.random.default_rng(0)
    shape = (tickers, sessions)
    volatility = np.exp(generator.normal(np.log(0.018), 0.3, (tickers, 1)))
    market = 0.007 * generator.standard_normal(sessions)
    moves = np.clip(generator.uniform(0.5, 1.5, (tickers, 1)) * market + volatility * generator.standard_normal(shape), -0.4, 0.4)
    close = np.exp(generator.normal(3.5, 0.8, (tickers, 1)) + np.cumsum(moves, axis=1))
    opened = close * np.exp(0.4 * volatility * generator.standard_normal(shape))
    high = np.maximum(opened, close) * np.exp(0.5 * volatility * np.abs(generator.standard_normal(shape)))
    low = np.minimum(opened, close) * np.exp(-0.5 * volatility * np.abs(generator.standard_normal(shape)))
    opened, high, low, close = (np.round(price, 4) for price in (opened, high, low, close))
    shares = generator.normal(13.5, 1.2, (tickers, 1)) + 0.6 * generator.standard_normal(shape) + 10 * np.abs(moves)
    volume = np.maximum(np.round(np.exp(shares) / 100) * 100, 100)
    absent = generator.random(shape) < _GAPS
    for i in range(tickers):
        if not i % _LISTED_LATE:
            absent[i, : generator.integers(sessions * 7 // 10)] = True
        if not i % _LONG_GAP:
            gap = generator.integers(sessions - 80)
            absent[i, gap : gap + generator.integers(3, 75)] = True
    vwap = (opened + high + low + close) / 4
    return [np.where(absent, np.nan, values).astype(np.float32) for values in (opened, high, low, close, volume, vwap)]


def _write_qlib(folder: Path, fields: list[Float32], names: list[str], days: npt.NDArray[np.datetime64]) -> None:
    for part in ("calendars", "instruments", "features"):
        (folder / part).mkdir(parents=True)
    (folder / "calendars" / "day.txt").write_text("".join(f"{day}\n" for day in days))
    lines = []
    for i, name in enumerate(names):
        known = np.flatnonzero(np.isfinite(fields[3][i]))
        first, last = known[0], known[-1]
        lines.append(f"{name}\t{days[first]}\t{days[last]}\n")
        (folder / "features" / name.lower()).mkdir()
        for field, values in zip(FIELDS, fields, strict=True):
            stored = np.concatenate([[first], values[i, first : last + 1]]).astype("<f4")
            stored.tofile(folder / "features" / name.lower() / f"{field}.day.bin")
    (folder / "instruments" / "all.txt").write_text("".join(lines))
