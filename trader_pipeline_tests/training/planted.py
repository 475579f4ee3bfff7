"""A small panel with a planted linear signal, as arrays and as the Parquet parts that a request names."""

import datetime as dt

import numpy as np
import pyarrow.parquet as pq

from trader_pipeline import calendar, durable, panel
from trader_pipeline.models.examples import Examples, Labels
from trader_pipeline.panel import Grid
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.training.data import TrainingData
from trader_pipeline.training.request import PartFile, TrainingRequest

FEATURES = ("signal", "noise", "holes", "never")
"""`signal` drives every label; `holes` is null every third session; `never` has no value at all."""
SIGNAL = 0.3
SECTORS = {"T0": "odd", "T1": "even", "T2": "odd", "T3": "even", "T4": "odd"}
AS_OF = dt.datetime(2026, 1, 5, 22, tzinfo=dt.UTC)


def planted(tickers=6, sessions=1000, seed=0):
    """Grid, x_NTF and labels: score and scaled return are SIGNAL * signal + noise, NaN where t + h lies past the end."""
    rng = np.random.default_rng(seed)
    days = calendar.sessions("XNYS", dt.date(2010, 1, 4), dt.date(2025, 12, 31))[:sessions]
    grid = Grid(tuple(f"T{i}" for i in range(tickers)), days)
    x = rng.standard_normal((tickers, sessions, len(FEATURES))).astype(np.float32)
    x[:, ::3, 2] = np.nan
    x[:, :, 3] = np.nan
    x[0, :100] = np.nan  # T0 lists late
    noise = rng.standard_normal((2, tickers, sessions, len(HORIZONS_SESSIONS)))
    score, scaled = (SIGNAL * np.nan_to_num(x[:, :, :1]) + noise).astype(np.float32)
    labels = Labels(score, scaled + np.float32(0.1)).within(0, sessions)
    listed = np.isfinite(x).any(axis=2)
    for values in (labels.score_NTH, labels.scaled_NTH):
        values[~listed] = np.nan
    return TrainingData(grid, x, labels)


def examples(data, tail_first=800):
    """All sessions known, the tail from `tail_first` on."""
    end = len(data.grid.sessions)
    return Examples(
        grid=data.grid,
        x_NTF=data.x_NTF,
        features=FEATURES,
        sectors=SECTORS,
        fit=data.labels.within(0, tail_first, embargo=5),
        tail=data.labels.within(tail_first, end),
        every=data.labels,
    )


def request(folder, data, *, recipe="ridge", seed=0, model_id="20131227-abc"):
    """Write the panel's and the targets' parts beside `folder` and return the request that names them."""
    listed = np.isfinite(data.x_NTF).any(axis=2)
    features = {name: data.x_NTF[:, :, f] for f, name in enumerate(FEATURES)}
    targets = {f"residual_rank_{h}d": data.labels.score_NTH[:, :, k].astype(float) for k, h in enumerate(HORIZONS_SESSIONS)}
    targets |= {f"scaled_return_{h}d": data.labels.scaled_NTH[:, :, k].astype(float) for k, h in enumerate(HORIZONS_SESSIONS)}
    parts = {}
    for name, columns in (("panel", features), ("targets", targets)):
        path = folder.parent / f"{name}.parquet"
        pq.write_table(panel.long(data.grid, listed, columns), path)
        parts[name] = (PartFile(path=str(path), sha256=durable.sha256_file(path)),)
    return TrainingRequest(
        model_id=model_id,
        run_id="run",
        recipe=recipe,
        seed=seed,
        as_of=AS_OF,
        last_session=data.grid.sessions[-1].item(),
        data_version="version",
        out_folder=str(folder),
        panel_parts=parts["panel"],
        target_parts=parts["targets"],
        features=FEATURES,
        sectors=SECTORS,
    )
