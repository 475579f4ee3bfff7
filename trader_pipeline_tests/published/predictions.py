"""Forecasts and decisions of the last two sessions."""

import datetime as dt

import numpy as np
import pyarrow as pa

from trader_pipeline.lake import Change
from trader_pipeline.schema import outputs
from trader_pipeline_tests.published.facts import DATA_VERSION, ISSUERS, MADE_AT, MODEL_ID, NAMES, RUN_ID, SESSION


def forecasts(days, rng):
    rows, held = [], []
    for session in days[-2:]:
        made_at = MADE_AT if session == SESSION else MADE_AT - dt.timedelta(days=1)
        stamp = {"session": session, "model_id": MODEL_ID, "data_version": DATA_VERSION, "made_at": made_at, "run_id": RUN_ID}
        scores = {t: float(rng.normal(0, 0.35)) for t in NAMES}
        rows += [stamp | forecast(t, h, scores[t], rng) for t in NAMES for h in (1, 5, 20, 60)]
        held += [stamp | row for row in decisions(scores, rng)]
    yield Change.replace(outputs.DAILY, pa.Table.from_pylist(rows))
    yield Change.replace(outputs.DECISIONS, pa.Table.from_pylist(held))


def forecast(ticker, horizon, score, rng):
    sigma, drift = 0.019 * np.sqrt(horizon), 0.0007 * horizon
    mean = drift + 0.08 * score * sigma
    base = 0.52 + 0.012 * np.sqrt(horizon)
    up = float(np.clip(base + 0.05 * score, 0.02, 0.98))
    confidence = float(min(1.0, abs(up - base) / 0.04))
    spread = zip(("q05", "q25", "q50", "q75", "q95"), (-1.7, -0.66, 0.02, 0.68, 1.66), strict=True)
    quantiles = {name: float(mean + z * sigma) for name, z in spread}
    judged = {"p_up": up, "p_outperform": 0.5 + 0.09 * score, "base_rate": float(base), "score": score + 0.2 * float(rng.normal())}
    doubts = {"confidence": confidence, "disagreement": abs(float(rng.normal(0.12, 0.05))), "novelty": float(rng.uniform(0.2, 0.97))}
    beside = {"excess_benchmark": mean - 0.0004 * horizon, "excess_sector": mean - drift, "ex_dividend_inside": None}
    beside |= {"earnings_inside": horizon >= 20 if ticker in {"AAPL", "AMD"} else None}
    plain = {"ticker": ticker, "horizon_sessions": horizon, "return_mean": mean, "abstained": confidence < 0.05}
    return plain | quantiles | judged | doubts | beside


def decisions(scores, rng):
    momentum = {t: float(rng.normal(0, 1)) for t in NAMES}
    total = {t: 0.4 * momentum[t] + 0.6 * scores[t] / 0.35 for t in NAMES}
    order = sorted(total, key=total.get, reverse=True)
    for rank, ticker in enumerate(order, start=1):
        weight = 0.15 if rank <= 3 else 0.08 if rank == 4 else 0.0
        reason = f"momentum {0.4 * momentum[ticker]:+.2f}, ML {0.6 * scores[ticker] / 0.35:+.2f}"
        yield {
            "ticker": ticker,
            "issuer_id": ISSUERS.get(ticker, ticker),
            "momentum_score": momentum[ticker],
            "ml_score": scores[ticker] / 0.35,
            "momentum_part": 0.4 * momentum[ticker],
            "ml_part": 0.6 * scores[ticker] / 0.35,
            "score": total[ticker],
            "rank": rank,
            "momentum_share": 0.41,
            "ml_share": 0.59,
            "momentum_share_covariance": 0.36,
            "ml_share_covariance": 0.64,
            "action": "buy" if weight else "hold",
            "target_weight": weight,
            "uncut_weight": weight * 1.4,
            "reasons": reason + ("; cut from 21.0 % to the name limit of 15 %" if weight == 0.15 else ""),
        }
