"""What stands beside forecasts: why, what changed, how earlier ones came out."""

import pyarrow as pa

from trader_pipeline.lake import Change
from trader_pipeline.schema import predicted
from trader_pipeline_tests.published.facts import DATA_VERSION, MADE_AT, MODEL_ID, NAMES, RUN_ID, SESSION


def explanations(daily, rng):
    """What each forecast of the last session is made of, by the ensemble and its members; NVDA is explained by no network."""
    features = ("momentum_12_1", "alpha_corr60", "return_21d", "amihud_illiquidity_21d", "volatility_21d")
    rows = []
    for row in daily:
        if row["session"] != SESSION:
            continue
        stamp = {name: row[name] for name in ("session", "ticker", "horizon_sessions", "model_id", "data_version", "made_at", "run_id")}
        models = ("ridge", "lightgbm") if row["ticker"] == "NVDA" else ("ensemble", "ridge", "lightgbm", "panel_former")
        for model in models:
            score = row["score"] if model == "ensemble" else float(rng.normal(0, 0.5))
            parts = sorted((float(rng.normal(0, 0.4)) for _ in features), key=abs, reverse=True)
            base, error = (0.11, 0.0004) if model in {"ensemble", "panel_former"} else (0.0, 0.0)
            told = [("base value", base, None), *zip(features, parts, (0.31, -0.2, None, 1.4e-9, 0.02), strict=True)]
            told.append(("all others", score - error - base - sum(parts), None))
            rows += [
                stamp
                | {"model": model, "rank": rank, "feature": name, "contribution": part, "value": value, "method": "linear"}
                | {"score": score, "completeness_error": error}
                for rank, (name, part, value) in enumerate(told)
            ]
    yield Change.replace(predicted.EXPLANATIONS, pa.Table.from_pylist(rows, predicted.EXPLANATIONS.arrow_schema))


def changes(daily):
    before = {(r["ticker"], r["horizon_sessions"]): r for r in daily if r["session"] != SESSION}
    now = {(r["ticker"], r["horizon_sessions"]): r for r in daily if r["session"] == SESSION}
    rows = []
    for (ticker, horizon), row in now.items():
        old = before[ticker, horizon]
        ranks = [1 + sum(r["score"] > one[ticker, horizon]["score"] for (_, h), r in one.items() if h == horizon) for one in (now, before)]
        price = row["score"] - old["score"] - (0.05 if ticker == "BA" else 0.0)
        told = {"kind": "moved" if ranks[0] != ranks[1] else "same", "rank": ranks[0], "previous_rank": ranks[1]}
        told |= {"rank_move": ranks[1] - ranks[0], "score": row["score"], "previous_score": old["score"], "p_up": row["p_up"]}
        told |= {"previous_p_up": old["p_up"], "data_effect": 0.05 if ticker == "BA" else 0.0, "model_effect": 0.0, "price_effect": price}
        stamp = {name: row[name] for name in ("session", "model_id", "data_version", "made_at", "run_id")}
        stamp |= {"ticker": ticker, "horizon_sessions": horizon, "previous_session": old["session"], "previous_model_id": MODEL_ID}
        rows.append(stamp | told | {"cause": "data" if ticker == "BA" else "price"})
    yield Change.replace(predicted.CHANGES, pa.Table.from_pylist(rows, predicted.CHANGES.arrow_schema))


def paper_log(days, rng):
    """Ten sessions of predictions that came to their end at one session, and one made in hindsight."""
    rows = []
    for session in days[-12:-2]:
        leave = days[days.index(session) + 1]
        for ticker in NAMES:
            up, realised = float(rng.uniform(0.48, 0.56)), float(rng.normal(0.0005, 0.018))
            position = 1 if up > 0.5 else -1
            row = {"session": session, "ticker": ticker, "horizon_sessions": 1, "model_id": MODEL_ID, "predicted_at": MADE_AT}
            row |= {"in_time": session != days[-3], "return_mean": 0.0007, "p_up": up, "base_rate": 0.52, "score": 0.1, "abstained": False}
            row |= {"entry_session": leave, "entry_price": 100.0, "exit_session": leave, "exit_price": 100 * (1 + realised)}
            row |= {"realised_return": realised, "benchmark_return": 0.001, "position": position, "cost": 0.0005}
            row |= {"entry": "open", "ended": "delisted" if (session, ticker) == (days[-12], "BA") else None}
            rows.append(
                row | {"net_return": position * realised - 0.0005, "logged_at": MADE_AT, "data_version": DATA_VERSION, "run_id": RUN_ID}
            )
    yield Change.replace(predicted.PAPER_LOG, pa.Table.from_pylist(rows, predicted.PAPER_LOG.arrow_schema))
