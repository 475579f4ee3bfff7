"""The features with pandas: a groupby on the ticker, rolling windows in each group."""

from pathlib import Path
from typing import Any

import numpy as np

from trader_pipeline.bench.rivals import F14
from trader_pipeline.features.alpha158.rows import WINDOWS


def compute(path: Path, names: tuple[str, ...], *, tickers: int | None = None) -> Any:
    """Return a frame of the named features, by ticker and session, of the first `tickers` or of all."""
    import pandas as pd  # noqa: PLC0415 - slow to import, and only this engine needs it

    bars = pd.read_parquet(path)
    if tickers is not None:
        bars = bars[bars["ticker"].isin(bars["ticker"].unique()[:tickers])]
    sessions = pd.Index(np.sort(bars["session"].unique()), name="session")
    few = not set(names) - set(F14)

    def one(group: Any) -> Any:
        dense = group.set_index("session").drop(columns="ticker")
        dense = dense.reindex(sessions[(sessions >= dense.index[0]) & (sessions <= dense.index[-1])]).astype("float64")
        columns = _candle(dense)
        for n in WINDOWS:
            columns |= _window(dense, n, few=few)
        return pd.DataFrame({name: columns[name] for name in names}).astype("float32")

    return pd.concat({ticker: one(group) for ticker, group in bars.groupby("ticker", observed=True)}, names=["ticker"])


def _candle(b: Any) -> dict[str, Any]:
    o, h, l, c = b["open"], b["high"], b["low"], b["close"]  # noqa: E741 - as the formulas name them
    span, top, bottom = h - l + 1e-12, np.maximum(o, c), np.minimum(o, c)
    return {
        "KMID": (c - o) / o,
        "KLEN": (h - l) / o,
        "KMID2": (c - o) / span,
        "KUP": (h - top) / o,
        "KUP2": (h - top) / span,
        "KLOW": (bottom - l) / o,
        "KLOW2": (bottom - l) / span,
        "KSFT": (2 * c - h - l) / o,
        "KSFT2": (2 * c - h - l) / span,
        "OPEN0": o / c,
        "HIGH0": h / c,
        "LOW0": l / c,
        "VWAP0": b["vwap"] / c,
    }


def _window(b: Any, n: int, *, few: bool) -> dict[str, Any]:
    """Return one window's statistics; with `few` those that the 14 factors take theirs from."""
    h, l, c, v = b["high"], b["low"], b["close"], b["volume"]  # noqa: E741
    time = c.where(c.isna(), np.arange(len(c), dtype="float64"))

    def over(x: Any) -> Any:
        return x.rolling(n, min_periods=1)

    highest, lowest = over(h).max(), over(l).min()
    slope = over(c).cov(time) / over(time).var()
    columns = {
        "ROC": c.shift(n) / c,
        "MA": over(c).mean() / c,
        "STD": over(c).std() / c,
        "BETA": slope / c,
        "MAX": highest / c,
        "MIN": lowest / c,
        "RSV": (c - lowest) / (highest - lowest + 1e-12),
        "CORR": over(c).corr(np.log(v + 1)),
        "VMA": over(v).mean() / (v + 1e-12),
    }
    if not few:
        columns |= _more(b, n, time, slope)
    return {f"{name}{n}": values for name, values in columns.items()}


def _more(b: Any, n: int, time: Any, slope: Any) -> dict[str, Any]:
    h, l, c, v = b["high"], b["low"], b["close"], b["volume"]  # noqa: E741
    change, turn, growth = c.diff(), v.diff(), c / c.shift(1)
    weighted = (growth - 1).abs() * v

    def over(x: Any) -> Any:
        return x.rolling(n, min_periods=1)

    high_at, low_at = over(h).apply(np.argmax, raw=True) + 1, over(l).apply(np.argmin, raw=True) + 1
    rises, falls = over((change > 0).astype("float64")).mean(), over((change < 0).astype("float64")).mean()
    columns = {
        "RSQR": over(c).corr(time).pow(2).where(over(c).std() > 2e-5),  # noqa: PLR2004 - Qlib's
        "RESI": (c - over(c).mean() - slope * (time - over(time).mean())) / c,
        "QTLU": over(c).quantile(0.8) / c,
        "QTLD": over(c).quantile(0.2) / c,
        "RANK": over(c).rank(pct=True),
        "IMAX": high_at / n,
        "IMIN": low_at / n,
        "IMXD": (high_at - low_at) / n,
        "CORD": over(growth).corr(np.log(v / v.shift(1) + 1)),
        "CNTP": rises,
        "CNTN": falls,
        "CNTD": rises - falls,
        "VSTD": over(v).std() / (v + 1e-12),
        "WVMA": over(weighted).std() / (over(weighted).mean() + 1e-12),
    }
    for prefix, x in (("SUM", change), ("VSUM", turn)):
        moves, gains, losses = over(x.abs()).sum() + 1e-12, over(x.clip(lower=0)).sum(), over((-x).clip(lower=0)).sum()
        columns |= {f"{prefix}P": gains / moves, f"{prefix}N": losses / moves, f"{prefix}D": (gains - losses) / moves}
    return columns
