"""A small published lake for tests of what reads it: every table that the dashboard and the report show, made up but plausible."""

import datetime as dt

import numpy as np
import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema import core, outputs, predicted, quality, raw
from trader_pipeline.schema.features import COVERAGE
from trader_pipeline.settings import Settings

SESSION = dt.date(2020, 2, 7)
MADE_AT = dt.datetime(2020, 2, 7, 22, 4, tzinfo=dt.UTC)
MODEL_ID = "three_members-0-5f2c91aa"
DATA_VERSION = "9b1d" * 16
RUN_ID = "0190a000-0000-7000-8000-000000000001"
KNOWN = calendar.known_at("XNYS", SESSION)
HOSTILE = '<script>alert("x")</script> & "Sons"'

NAMES = {
    "AAPL": ("Apple", "Technology", 320.0),
    "ABBV": ("AbbVie", "Health Care", 88.0),
    "AMD": ("Advanced Micro Devices", "Technology", 49.7),
    "AMZN": ("Amazon.com", "Consumer Discretionary", 2079.0),
    "BA": ("Boeing", "Industrials", 336.0),
    "GOOG": ("Alphabet class C", "Communication Services", 1479.0),
    "GOOGL": ("Alphabet class A", "Communication Services", 1479.0),
    "META": ("Meta Platforms", "Communication Services", 212.0),
    "NFLX": ("Netflix", "Communication Services", 366.0),
    "NVDA": (HOSTILE, "Technology", 251.6),
    "TSLA": ("Tesla", "Consumer Discretionary", 748.0),
}
ISSUERS = {"GOOG": "ALPHABET", "GOOGL": "ALPHABET"}
SPLIT_TICKER, SPLIT_SESSION, SPLIT_RATIO = "AAPL", dt.date(2019, 6, 3), 4.0


def publish(settings: Settings, *, sessions: int = 420, seed: int = 7) -> Lake:
    """Publish a whole lake under `settings.dataset_home` that ends at `SESSION`."""
    lake = Lake(settings.dataset_home / "lake", settings.dataset)
    rng = np.random.default_rng(seed)
    days = calendar.sessions("XNYS", dt.date(2015, 1, 1), SESSION)[-sessions:].astype(object).tolist()
    lake.publish(*bars(days, rng), *checks(), *fetches(), *coverage(days), *training(days), *forecasts(days, rng), *evaluation(days, rng))
    daily = lake.snapshot().read(outputs.DAILY).to_pylist()
    lake.publish(*explanations(daily, rng), *changes(daily), *paper_log(days, rng))
    return lake


def publish_bars_only(settings: Settings, *, sessions: int = 250) -> Lake:
    """Publish a lake that has bars and checks but no model."""
    lake = Lake(settings.dataset_home / "lake", settings.dataset)
    days = calendar.sessions("XNYS", dt.date(2015, 1, 1), SESSION)[-sessions:].astype(object).tolist()
    lake.publish(*bars(days, np.random.default_rng(7)), *checks(), *fetches())
    return lake


def bars(days, rng):
    rows, listed = [], {**NAMES, "SPY": ("SPDR S&P 500 ETF", None, 332.0)}
    market = rng.normal(0.0004, 0.008, len(days))
    for ticker, (_, _, last) in listed.items():
        path = np.exp(np.cumsum(market + rng.normal(0.0002, 0.013 if ticker != "SPY" else 0.001, len(days))))
        close = path / path[-1] * last
        for index, day in enumerate(days):
            scale = SPLIT_RATIO if ticker == SPLIT_TICKER and day < SPLIT_SESSION else 1.0
            c = close[index] * scale
            o = c * (1 + rng.normal(0, 0.004))
            rows.append(
                {
                    "ticker": ticker,
                    "session": day,
                    "known_at": calendar.known_at("XNYS", day),
                    "source": "sample",
                    "open": o,
                    "high": max(o, c) * (1 + abs(rng.normal(0, 0.004))),
                    "low": min(o, c) * (1 - abs(rng.normal(0, 0.004))),
                    "close": c,
                    "volume_shares": 1e7 / scale * np.exp(rng.normal(0, 0.3)),
                    "close_usd": c,
                }
            )
    first = days[0]
    yield Change.replace(core.ACCEPTED_BARS, pa.Table.from_pylist(rows))
    yield Change.replace(
        core.TICKER_MAP,
        pa.Table.from_pylist(
            [
                {
                    "ticker": t,
                    "symbol": t,
                    "valid_from": first,
                    "issuer_id": ISSUERS.get(t, t),
                    "exchange": "XNYS",
                    "name": n,
                    "role": "benchmark" if t == "SPY" else "stock",
                }
                for t, (n, _, _) in listed.items()
            ]
        ),
    )
    yield Change.replace(
        core.SECTORS, pa.Table.from_pylist([{"ticker": t, "valid_from": first, "sector": s} for t, (_, s, _) in NAMES.items()])
    )
    if days[0] < SPLIT_SESSION:
        action = {"ticker": SPLIT_TICKER, "session": SPLIT_SESSION, "kind": "split", "known_at": calendar.known_at("XNYS", SPLIT_SESSION)}
        action |= {"known_at_basis": "assumed", "source": "sample", "value": SPLIT_RATIO}
        yield Change.replace(core.CORPORATE_ACTIONS, pa.Table.from_pylist([action]))


def checks():
    common = {"run_id": RUN_ID, "table_name": "core.daily_bars", "known_at": KNOWN}
    rules = ("duplicates", "missing_dates", "nan_ratio", "ohlc_order", "staleness")
    metrics = [common | {"rule": rule, "name": "tickers_failed", "value": float(rule == "ohlc_order"), "passed": True} for rule in rules]
    finding = common | {
        "rule": "ohlc_order",
        "source": "sample",
        "ticker": "BA",
        "severity": "error",
        "scope": "ticker_day",
        "sessions": 1,
        "value": 1.0,
    }
    finding |= {"first_session": dt.date(2019, 11, 29), "last_session": dt.date(2019, 11, 29)}
    finding |= {"message": "BA 2019-11-29: high 366.1 under close 366.2; the row is quarantined until the source corrects it"}
    hole = common | {
        "rule": "missing_dates",
        "source": "sample",
        "ticker": "TSLA",
        "severity": "warning",
        "scope": "ticker",
        "sessions": 1,
        "value": 0.002,
    }
    hole |= {"first_session": dt.date(2019, 8, 5), "last_session": dt.date(2019, 8, 5), "message": "TSLA misses 1 of 420 sessions (0.2 %)"}
    yield Change.replace(quality.METRICS, pa.Table.from_pylist(metrics))
    yield Change.replace(quality.FINDINGS, pa.Table.from_pylist([finding, hole]))
    row = {
        "ticker": "BA",
        "session": dt.date(2019, 11, 29),
        "source": "sample",
        "rule": "ohlc_order",
        "reason": "high 366.1 under close 366.2",
    }
    since = {"table_name": "core.daily_bars", "item": "", "first_seen": KNOWN, "strikes": 1}
    yield Change.replace(quality.QUARANTINE, pa.Table.from_pylist([row | since | {"known_at": KNOWN, "run_id": RUN_ID}]))


def fetches():
    at = MADE_AT - dt.timedelta(minutes=3)
    rows = [
        {"source": "sample", "ticker": t, "at": at, "outcome": "ok", "rows": 420, "requests": 0, "retries": 0, "run_id": RUN_ID}
        for t in (*NAMES, "SPY")
    ]
    lost = {"source": "sample", "ticker": "GONE", "at": at, "outcome": "unknown_symbol", "detail": "GONE is not in the sample"}
    yield Change.replace(
        raw.FETCH_ATTEMPTS, pa.Table.from_pylist([*rows, lost | {"rows": 0, "requests": 0, "retries": 0, "run_id": RUN_ID}])
    )


def coverage(days):
    """Momentum from the 60th session on, no statements."""
    counted = [("momentum", t >= 60) for t in range(len(days))] + [("valuation", False)] * len(days)
    rows = [
        {"family": family, "session": day, "features": 4, "tickers": 11, "values": 44 * there}
        for (family, there), day in zip(counted, 2 * days, strict=True)
    ]
    yield Change.replace(COVERAGE, pa.Table.from_pylist(rows))


def training(days):
    run = {"model_id": MODEL_ID, "run_id": RUN_ID, "recipe": "three_members", "members": "ridge,lightgbm,panel_former", "seed": 0}
    run |= {"data_version": DATA_VERSION, "as_of": KNOWN, "trained_through": days[-62], "first_session": days[0], "tickers": 11}
    run |= {"sessions": len(days) - 62, "features": "return_1d,return_21d,volatility_21d", "folder": MODEL_ID, "manifest_sha256": "ab" * 32}
    run |= {"git_revision": "acd4e2e", "wall_s": 71.4, "cpu_s": 118.9, "peak_mb": 812.0, "finished_at": MADE_AT - dt.timedelta(minutes=1)}
    yield Change.replace(outputs.RUNS, pa.Table.from_pylist([run]))
    fitted = {column.name: 0.0 for column in outputs.CALIBRATION.columns if column.dtype == pa.float64()}
    fitted |= {"model_id": MODEL_ID, "fold": -1, "model": "ensemble", "pooled": False, "rows": 3080, "known_at": KNOWN}
    rows = [fitted | {"horizon_sessions": h} for h in (1, 5, 20, 60)]
    yield Change.replace(outputs.CALIBRATION, pa.Table.from_pylist(rows, outputs.CALIBRATION.arrow_schema))
    thirds = np.array_split(np.array(days[120:]), 3)
    trials = [
        {"model_id": MODEL_ID, "model": model, "fold": fold, "horizon_sessions": h, "train_first": days[0], "train_last": part[0]}
        | {"test_first": part[0], "test_last": part[-1], "rank_ic": 0.01 * (fold + 1) + 0.002 * k, "rows": 1100, "run_id": RUN_ID}
        for k, model in enumerate(("ridge", "lightgbm", "panel_former"))
        for fold, part in enumerate(thirds)
        for h in (1, 5, 20, 60)
    ]
    yield Change.replace(outputs.TRIALS, pa.Table.from_pylist(trials))


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
            rows.append(
                row | {"net_return": position * realised - 0.0005, "logged_at": MADE_AT, "data_version": DATA_VERSION, "run_id": RUN_ID}
            )
    yield Change.replace(predicted.PAPER_LOG, pa.Table.from_pylist(rows, predicted.PAPER_LOG.arrow_schema))


def evaluation(days, rng):
    base = {
        1: (0.514, 0.521, 0.011, 0.012),
        5: (0.531, 0.522, 0.014, 0.021),
        20: (0.561, 0.575, 0.031, 0.018),
        60: (0.602, 0.641, 0.062, -0.004),
    }
    cards = []
    for model in ("ridge", "lightgbm", "panel_former", "ensemble"):
        for h, (accuracy, rate, half, ic) in base.items():
            verdict = f"{accuracy:.1%} vs {rate:.1%} base (±{100 * half:.1f}), target 70 %: not met".replace("%", " %").replace("  ", " ")
            card = {"model_id": MODEL_ID, "model": model, "horizon_sessions": h, "accuracy": accuracy, "base_rate": rate}
            card |= {
                "accuracy_half_width": half,
                "target": 0.7,
                "target_met": False,
                "coverage": 1.0,
                "rank_ic": ic,
                "rank_ic_half_width": half,
            }
            card |= {"brier": 0.249, "brier_skill": 0.002 if h < 20 else -0.006, "ece": 0.018, "ece_noise_floor": 0.021}
            card |= {"interval_90_coverage": 0.893, "rows": 3080 - 11 * h, "windows": 280 // h, "oracle_rank_ic": None}
            cards.append(card | {"verdict": verdict, "leak_alarm": None, "known_at": KNOWN})
    yield Change.replace(outputs.SCORECARD, pa.Table.from_pylist(cards))
    market = rng.normal(0.0005, 0.009, 300)
    gross = 0.9 * market + rng.normal(0.0002, 0.006, 300)
    rows = [
        {"model_id": MODEL_ID, "session": day, "strategy_return": float(g - 0.0001), "gross_return": float(g), "cost": 0.0001}
        | {"turnover": 0.3, "exposure": 0.95, "benchmark_return": float(m), "benchmark": "SPY"}
        for day, g, m in zip(days[-300:], gross, market, strict=True)
    ]
    yield Change.replace(outputs.BACKTEST, pa.Table.from_pylist(rows))
    yield from judged_in_depth(days, rng)


def judged_in_depth(days, rng):
    """Segments, targets, Sharpe ratios, skill by session and by coverage, of the shape that evaluate writes."""
    stamp = {"model_id": MODEL_ID, "known_at": KNOWN}
    kinds = {"all": ["all"], "regime": ["calm", "wild"], "sector": ["Information Technology"], "confidence": ["01", "10"]}
    segments, points, sessions = [], [], []
    for h in (1, 5, 20, 60):
        for kind, names in (kinds | {"volatility": ["low"], "year": ["2019", "2020"]}).items():
            for name in names:
                row = dict.fromkeys((c.name for c in outputs.SEGMENTS.columns if c.dtype == pa.float64()), 0.02)
                row |= {"model": "ensemble", "horizon_sessions": h, "kind": kind, "segment": name, "n_effective": 400.0 / h}
                half = 0.01 + 0.01 * h**0.5
                row |= {"accuracy": 0.52, "base_rate": 0.53, "low": 0.52 - half, "high": 0.52 + half, "coverage": 1.0, "issuers": 10}
                worst = {("year", "2020", 1): 1, ("regime", "calm", 5): 2}.get((kind, name, h))
                line = f"{kind} {name}, {h} sessions: 52.0 % vs 53.0 % base"
                windows = 280 // h
                segments.append(stamp | row | {"windows": windows, "rows": 3000, "grey": windows < 20, "worst": worst, "line": line})
        for asked in (1.0, 0.5, 0.1) if h < 20 else ():
            point = {"asked": asked, "coverage": asked, "accuracy": 0.54, "base_rate": 0.53, "low": 0.5, "high": 0.58, "windows": 90}
            points.append(stamp | {"horizon_sessions": h} | point)
        for n, day in enumerate(days[-300:-h]):
            row = {"horizon_sessions": h, "session": day, "rank_ic": float(rng.normal(0.02, 0.3)), "rows": 11 if n > 100 else 0}
            skill = {name: 0.5 + 0.03 * float(rng.normal()) if n > 100 else None for name in ("accuracy", "base_accuracy", "p_up", "up")}
            sessions.append(stamp | row | skill | {"inside_90": 0.9 if n > 100 else None})
    yield Change.replace(outputs.SEGMENTS, frame(outputs.SEGMENTS, segments))
    yield Change.replace(outputs.COVERAGE_CURVE, frame(outputs.COVERAGE_CURVE, points))
    yield Change.replace(outputs.SESSIONS, frame(outputs.SESSIONS, sessions))
    names = [f"stock_direction_{h}d" for h in (1, 5, 20, 60)] + [f"selective_stock_direction_{h}d" for h in (1, 5, 20, 60)]
    names += ["volatility_direction_5d", "volatility_direction_20d", "index_direction_60d", "sharpe_gain"]
    reached = {"target": 0.7, "value": 0.531, "base_rate": 0.522, "coverage": 1.0, "n_effective": 500.0, "low": 0.517, "high": 0.545}
    line = "53.1 % vs 52.2 % base (±1.4), target 70 %: not met"
    tasks = [
        stamp | reached | {"name": name, "position": n, "windows": 14 if name.endswith("60d") else 183, "passed": False, "line": line}
        for n, name in enumerate(names)
    ]
    yield Change.replace(outputs.TASKS, frame(outputs.TASKS, tasks))
    sharpe = {
        "sharpe": 1.3,
        "baseline_sharpe": 1.1,
        "difference": 0.2,
        "low": -0.3,
        "high": 0.7,
        "bootstrap_low": -0.3,
        "bootstrap_high": 0.7,
    }
    sharpe |= {"probabilistic_sharpe": 0.99, "deflated_sharpe": 0.9, "trials": 4, "trials_effective": 1.5, "overfitting_probability": 0.4}
    sharpe |= {"cvar_95": 0.02, "max_drawdown": 0.2, "turnover": 0.3, "sessions": 300}
    strategy = [stamp | sharpe | {"against": a, "cost_multiple": k} for a in ("momentum", "benchmark") for k in (0, 1, 2)]
    yield Change.replace(outputs.STRATEGY, frame(outputs.STRATEGY, strategy))


def frame(table, rows):
    return table.conform(pa.Table.from_pylist(rows, schema=table.arrow_schema))
