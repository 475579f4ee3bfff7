"""The ensemble's forecast of one session, calibrated: rows of predictions.daily."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.models.calibrate import Calibration, apply
from trader_pipeline.schema.outputs import DAILY
from trader_pipeline.schema.quantiles import QUANTILE_NAMES

Floats = npt.NDArray[np.float64]

LOWEST_RETURN = -0.9999
"""A price cannot fall by more than all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was known at the session, by ticker or by ticker and horizon.

    Volatility (fraction / sqrt(session)), base rate, novelty 0-1, sector; the benchmark's mean return by horizon (NaN without one);
    whether an earnings report or an ex-dividend day lies inside the horizon, absent where none ahead is known.
    """

    volatility_daily: Mapping[str, float]
    base_rate: Mapping[tuple[str, int], float]
    novelty: Mapping[str, float]
    benchmark_mean: Mapping[int, float]
    sectors: Mapping[str, str]
    earnings_inside: Mapping[tuple[str, int], bool]
    ex_dividend_inside: Mapping[tuple[str, int], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Where a row comes from."""

    model_id: str
    data_version: str
    made_at: dt.datetime
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Abstention:
    """A forecast under `confidence`, or on inputs over `novelty`, abstains."""

    confidence: float
    novelty: float


def daily_rows(ensemble: pa.Table, calibrations: Mapping[int, Calibration], known: Known, abstention: Abstention, stamp: Stamp) -> pa.Table:
    """Return rows of predictions.daily from the ensemble's rows of one session.

    Sigmas become simple returns by volatility_daily * sqrt(horizon); quantiles are rearranged into order (Chernozhukov et
    al. 2010) and never under `LOWEST_RETURN`. A ticker without a volatility has no returns and abstains; it keeps its rank.
    """
    tables = []
    for horizon, calibration in calibrations.items():
        rows = ensemble.filter(pc.equal(ensemble["horizon_sessions"], horizon))
        tables.append(_horizon_rows(rows, horizon, calibration, known, abstention))
    table = pa.concat_tables(tables)
    for name in ("model_id", "data_version", "made_at", "run_id"):
        table = table.append_column(name, pa.array([getattr(stamp, name)] * table.num_rows, DAILY.arrow_schema.field(name).type))
    return DAILY.sorted(DAILY.conform(table))


def _horizon_rows(rows: pa.Table, horizon: int, calibration: Calibration, known: Known, abstention: Abstention) -> pa.Table:
    tickers = rows["ticker"].to_pylist()
    base = np.array([known.base_rate[ticker, horizon] for ticker in tickers])
    novelty = np.array([known.novelty[ticker] for ticker in tickers])
    sigma = np.array([known.volatility_daily.get(ticker, np.nan) for ticker in tickers]) * np.sqrt(horizon)
    result = apply(
        calibration,
        score=rows["score"].to_numpy(),
        scaled_mean=rows["scaled_mean"].to_numpy(),
        scaled_quantiles_Q=np.stack([rows[f"scaled_{name}"].to_numpy() for name in QUANTILE_NAMES]),
        base_rate=base,
        up_signal=rows["up_signal"].to_numpy() if calibration.pooled else None,
    )
    quantiles = np.maximum(np.sort(result.scaled_quantiles * sigma, axis=0), LOWEST_RETURN)
    sure = (result.confidence >= abstention.confidence) & (novelty <= abstention.novelty) & np.isfinite(sigma)
    mean = np.maximum(result.scaled_mean * sigma, LOWEST_RETURN)
    columns = {
        "session": rows["session"],
        "ticker": rows["ticker"],
        "horizon_sessions": rows["horizon_sessions"],
        "return_mean": mean,
        **dict(zip(QUANTILE_NAMES, quantiles, strict=True)),
        "p_up": result.p_up,
        "p_outperform": result.p_outperform,
        "base_rate": base,
        "score": rows["score"],
        "confidence": result.confidence,
        "disagreement": rows["disagreement"],
        "novelty": novelty,
        "abstained": ~sure,
        "excess_benchmark": mean - known.benchmark_mean[horizon],
        "excess_sector": excess_over_sector(mean, [known.sectors.get(ticker) for ticker in tickers]),
        "earnings_inside": pa.array([known.earnings_inside.get((ticker, horizon)) for ticker in tickers], pa.bool_()),
        "ex_dividend_inside": pa.array([known.ex_dividend_inside.get((ticker, horizon)) for ticker in tickers], pa.bool_()),
    }
    return pa.table(columns)


def excess_over_sector(mean: Floats, sectors: Sequence[str | None]) -> Floats:
    """Return each mean less that of its sector's tickers that have one; NaN without a sector."""
    names = np.array([name or "" for name in sectors])
    excess = np.full(len(mean), np.nan)
    for name in set(names.tolist()) - {""}:
        own = names == name
        if np.isfinite(mean[own]).any():
            excess[own] = mean[own] - np.nanmean(mean[own])
    return excess
