"""Bars, what the checks and the fetches said, and how far features reach."""

import datetime as dt

import numpy as np
import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.lake import Change
from trader_pipeline.schema import core, quality, raw
from trader_pipeline.schema.features import COVERAGE
from trader_pipeline_tests.published.facts import ISSUERS, KNOWN, MADE_AT, NAMES, RUN_ID, SPLIT_RATIO, SPLIT_SESSION, SPLIT_TICKER


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
