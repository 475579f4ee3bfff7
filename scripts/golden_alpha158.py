"""Make trader_pipeline_tests/resources/alpha158.npz: what pyqlib 0.9.7 itself says of a small market.

Run it in an environment of its own: `pip install pyqlib==0.9.7`, then `python scripts/golden_alpha158.py`.
Prices are multiples of 1/64, which Qlib's float32 files hold exactly. Eight tickers of 180 sessions: 0 plain, 1 with gaps of a
session and more, 2 listed late, 3 ending early, 4 standing still for 70 sessions, 5 with volumes of zero and volumes that never
change, 6 a penny stock in ticks of 1/64 and 7 in thousands.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import qlib
from qlib.contrib.data.loader import Alpha158DL
from qlib.data import D
from qlib.data.storage.file_storage import FileFeatureStorage

TARGET = Path(__file__).parents[1] / "trader_pipeline_tests" / "resources" / "alpha158.npz"
FIELDS = ("open", "high", "low", "close", "volume", "vwap")
IN_FLOAT32 = ("CORR", "CORD", "WVMA")
"""Of logs and returns, which Qlib rounds to float32 before it subtracts."""
TICKERS, SESSIONS, STEP = 8, 180, 64


def bars() -> list[np.ndarray]:
    """Return the six fields, each [N, T] float32, NaN where there is no bar."""
    generator = np.random.default_rng(158)
    scale = np.array([50, 80, 30, 120, 20, 60, 1, 3000])[:, None]
    close = scale * np.exp(np.cumsum(0.02 * generator.standard_normal((TICKERS, SESSIONS)), axis=1))
    opened = close * np.exp(0.008 * generator.standard_normal(close.shape))
    high = np.maximum(opened, close) * np.exp(np.abs(0.008 * generator.standard_normal(close.shape)))
    low = np.minimum(opened, close) * np.exp(-np.abs(0.008 * generator.standard_normal(close.shape)))
    opened, high, low, close = (np.maximum(np.round(x * STEP), 1) / STEP for x in (opened, high, low, close))
    volume = np.round(np.exp(13 + 0.5 * generator.standard_normal(close.shape)) / 100) * 100
    for price in (opened, high, low, close):
        price[4, 60:130] = close[4, 60]
    volume[5, 40:44], volume[5, 90], volume[5, 100:170] = 0, 0, 123400
    vwap = np.round((high + low + 2 * close) / 4 * STEP) / STEP
    absent = np.zeros(close.shape, dtype=bool)
    absent[1, [9, 30, 31, 32, 99]], absent[1, 110:173] = True, True
    absent[2, :75], absent[3, 140:] = True, True
    return [np.where(absent, np.nan, x).astype(np.float32) for x in (opened, high, low, close, volume, vwap)]


def write(folder: Path, fields: list[np.ndarray], days: pd.DatetimeIndex) -> None:
    """Write Qlib's store of files."""
    for name in ("calendars", "instruments"):
        (folder / name).mkdir()
    (folder / "calendars" / "day.txt").write_text("\n".join(str(day.date()) for day in days) + "\n")
    known = np.isfinite(fields[3])
    lines = []
    for i in range(TICKERS):
        first, last = np.flatnonzero(known[i])[[0, -1]]
        lines.append(f"S{i}\t{days[first].date()}\t{days[last].date()}\n")
        (folder / "features" / f"s{i}").mkdir(parents=True)
        for name, values in zip(FIELDS, fields, strict=True):
            np.hstack([first, values[i, first : last + 1]]).astype("<f4").tofile(folder / "features" / f"s{i}" / f"{name}.day.bin")
    (folder / "instruments" / "all.txt").write_text("".join(lines))


def asked(expressions: list[str], days: pd.DatetimeIndex) -> np.ndarray:
    """Return what Qlib says, [158, N, T] float32; NaN where it has no row."""
    frame = D.features(D.instruments("all"), expressions, freq="day")
    tickers = frame.index.get_level_values(0).str[1:].astype(int)
    answer = np.full((len(expressions), TICKERS, SESSIONS), np.nan, np.float32)
    answer[:, tickers, days.get_indexer(frame.index.get_level_values(1))] = frame.to_numpy(np.float32).T
    return answer


def main() -> None:
    """Ask Qlib twice: as it is, and with its files read as float64, which its operators then compute in."""
    days = pd.bdate_range("2020-01-01", periods=SESSIONS)
    fields = bars()
    expressions, names = Alpha158DL.get_feature_config()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), fields, days)
        qlib.init(provider_uri=folder, region="us", kernels=1, expression_cache=None, dataset_cache=None)
        plain = asked(expressions, days)
        stored = FileFeatureStorage.__getitem__
        FileFeatureStorage.__getitem__ = lambda self, i: stored(self, i).astype(np.float64)
        exact = asked(expressions, days)
    fine = np.array([name.startswith(IN_FLOAT32) for name in names])
    np.savez_compressed(
        TARGET, bars=np.stack(fields), plain=plain, exact=exact[fine], names=np.array(names), expressions=np.array(expressions)
    )


if __name__ == "__main__":
    main()
