"""A small market that moves and trades, for the rules on returns and volumes: 12 tickers that share a market, T01 to T12."""

import math

import numpy as np

from trader_pipeline_tests.checks.build import DAYS, row, table

TICKERS = [f"T{i:02d}" for i in range(1, 13)]
"""T01 has 11 peers."""


def market(sessions=120, tickers=TICKERS, *, source="own"):
    """Return rows by ticker: prices of 1 % a day around 50, volumes of a third around a million, the same in every run."""
    rng = np.random.default_rng(7)
    common = rng.normal(0, 0.005, sessions)
    rows = {}
    for ticker in tickers:
        close = 50 * np.exp(np.cumsum(common + rng.normal(0, 0.01, sessions)))
        volume = 1e6 * np.exp(rng.normal(0, 0.3, sessions))
        rows[ticker] = [
            row(ticker, day, source=source, open=c * 0.998, high=c * 1.01, low=c * 0.99, close=c, volume_shares=math.floor(v))
            for day, c, v in zip(DAYS[:sessions], close.tolist(), volume.tolist(), strict=True)
        ]
    return rows


def bars_of(rows):
    return table([r for series in rows.values() for r in series])


def scaled(bar, factor):
    """Return the bar with all four prices multiplied."""
    return bar | {name: bar[name] * factor for name in ("open", "high", "low", "close")}
