"""How much of a simulated market's planted components a trained network finds: `trader bench models`.

Inputs are what a panel would hold: returns over volatility, volume, the characteristics, a flag of the sector's leader (in life its
size tells), and market-wide the regime and the market's volatility. The last fifth of the sessions is never learnt from.
Legend: N tickers, T sessions, F features, H horizons.
"""

import datetime as dt
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from trader_pipeline import calendar
from trader_pipeline.features.targets import rank_normal
from trader_pipeline.measures import rank_ic
from trader_pipeline.models.examples import Examples, Labels
from trader_pipeline.models.network_member import NETWORKS
from trader_pipeline.panel import Grid
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.sources.simulated import EXCHANGE, LAST_SESSION
from trader_pipeline.sources.simulation import Floats, Market, MarketSize, simulate
from trader_pipeline.training.fit_network import fit_network
from trader_pipeline.training.optimisation import Optimisation
from trader_pipeline.training.recipes import FitContext
from trader_pipeline.training.splits import EMBARGO_SESSIONS

FEATURES = ("residual_return", "return", "volume_surprise_1d", "z", "w", "leader", "regime", "market_volatility")
_FAMILIES = {"z": "characteristics", "w": "characteristics", "leader": "characteristics"}
_VOLATILITY_SESSIONS = 20
_TEST_SHARE, _TAIL_SHARE = 0.2, 0.15

SIZES: dict[str, dict[str, int | float]] = {
    "panel_former": {"width": 48, "heads": 4, "key_value_heads": 2, "blocks": 2, "window_sessions": 24, "dropout": 0.1},
    "gru": {"width": 48, "window_sessions": 24, "dropout": 0.1},
    "patch_tst": {"width": 48, "window_sessions": 24, "dropout": 0.1},
    "i_transformer": {"width": 48, "window_sessions": 24, "dropout": 0.1},
}
"""Small networks: a market of five signals needs no more, and two cores can afford no more."""


def measure(kind: str, *, tickers: int, sessions: int, seed: int, epochs: int) -> dict[str, Any]:
    """Train one network on a market of its own and return what it recovered on the held-out sessions.

    `share_of_NAME` is the mean daily correlation of the 1-session score with a component, over that of the oracle with it;
    `rank_ic_5d` stands beside the oracle's.
    """
    market = simulate(MarketSize(tickers=tickers, sessions=sessions, seed=seed, null=False))
    test_first = int(sessions * (1 - _TEST_SHARE))
    examples = examples_of(market, test_first)
    began, used = time.perf_counter(), _cpu_s()
    epochs_told: list[object] = []
    settings = Optimisation(epochs=epochs, patience=epochs, learning_rate=3e-3, rows_per_step=tickers * 24)
    with TemporaryDirectory(prefix="trader-bench-") as scratch:
        context = FitContext(seed=seed, fold=1, report=epochs_told.append, scratch=Path(scratch))
        member = fit_network(examples, context, NETWORKS[kind][0](**SIZES[kind]), settings)
    cost = {"cpu_s": round(_cpu_s() - used, 1), "wall_s": round(time.perf_counter() - began, 1)}
    whole = examples_of(market, sessions)
    said = member.predict(whole.x_NTF, whole.grid, whole.sectors).sessions(test_first, sessions)
    return recovered(market, whole.every, said.score_TNH, test_first) | cost | {"epochs": len(epochs_told) - 1}


def recovered(market: Market, labels: Labels, score_TNH: Any, first: int) -> dict[str, float]:
    """Return the shares of the components and the rank ICs at 5 sessions, from session `first` on."""
    score_TN = np.asarray(score_TNH[:, :, 0], np.float64)
    expected_TN = np.sum([values_TN[first:] for values_TN in market.components_TN.values()], axis=0)
    figures = {
        f"share_of_{name}": round(_correlation(score_TN, values_TN[first:]) / _correlation(expected_TN, values_TN[first:]), 3)
        for name, values_TN in market.components_TN.items()
    }
    label_TN = labels.score_NTH[:, first:, HORIZONS_SESSIONS.index(5)].T
    oracle_TN = market.oracle_TN[5][first:] / market.sigma_TN[first:]
    own = float(np.nanmean(rank_ic(score_TNH[:, :, HORIZONS_SESSIONS.index(5)], label_TN)))
    oracle = float(np.nanmean(rank_ic(oracle_TN, label_TN)))
    return figures | {"rank_ic_5d": round(own, 4), "oracle_rank_ic_5d": round(oracle, 4), "share_of_oracle": round(own / oracle, 3)}


def examples_of(market: Market, end: int) -> Examples:
    """Return what may be learnt before session `end`."""
    x_NTF, log_return_TN, market_return_T = _features(market)
    sessions, tickers = log_return_TN.shape
    volatility_TN = _volatility(log_return_TN)
    beta_N = _beta(log_return_TN[:end], market_return_T[:end])
    score, scaled = [], []
    for horizon in HORIZONS_SESSIONS:
        scale_TN = volatility_TN * np.sqrt(horizon)
        own_TN, common_T1 = _forward(log_return_TN, horizon), _forward(market_return_T[:, None], horizon)
        score.append(rank_normal(((own_TN - beta_N * common_T1) / scale_TN).T))
        scaled.append((own_TN / scale_TN).T)
    labels = Labels(np.stack(score, 2).astype(np.float32), np.stack(scaled, 2).astype(np.float32)).until(end)
    days_T = calendar.sessions(EXCHANGE, dt.date(1990, 1, 2), LAST_SESSION)[-sessions:]
    names = tuple(f"SIM{index:04d}" for index in range(tickers))
    tail_first = int(end * (1 - _TAIL_SHARE))
    return Examples(
        grid=Grid(names, days_T[:end]),
        x_NTF=x_NTF[:, :end],
        features=FEATURES,
        sectors={name: f"Sector {sector}" for name, sector in zip(names, market.sector_N, strict=True)},
        fit=labels.within(_VOLATILITY_SESSIONS, tail_first, embargo=EMBARGO_SESSIONS),
        tail=labels.within(tail_first, end, embargo=EMBARGO_SESSIONS),
        every=labels.within(_VOLATILITY_SESSIONS, end),
        families=_FAMILIES,
    )


def _features(market: Market) -> tuple[Any, Floats, Floats]:
    log_return_TN = np.diff(np.log(market.close_TN), axis=0, prepend=np.log(market.close_TN[:1]))
    market_return_T = np.diff(np.log(market.market_close_T), prepend=np.log(market.market_close_T[0]))
    sector_TN = np.stack([log_return_TN[:, market.sector_N == sector].mean(axis=1) for sector in market.sector_N], axis=1)
    volatility_TN = _volatility(log_return_TN)
    log_volume_TN = np.log(market.volume_TN)
    leader_N = np.zeros(len(market.sector_N))
    leader_N[np.unique(market.sector_N, return_index=True)[1]] = 1.0

    def everywhere(values_T: Floats) -> Floats:
        return np.repeat(values_T[:, None], log_return_TN.shape[1], axis=1)

    columns = (
        (log_return_TN - sector_TN) / volatility_TN,
        log_return_TN / volatility_TN,
        log_volume_TN - log_volume_TN.mean(axis=1, keepdims=True),
        market.z_TN,
        market.w_TN,
        np.broadcast_to(leader_N, log_return_TN.shape),
        everywhere(market.regime_T),
        everywhere(np.log(_volatility(market_return_T[:, None])[:, 0])),
    )
    return np.stack(columns, axis=-1).swapaxes(0, 1).astype(np.float32), log_return_TN, market_return_T


def _volatility(log_return_TN: Floats) -> Floats:
    """Return the root mean square of the last 20 sessions, of those there are."""
    total = np.cumsum(np.pad(log_return_TN**2, ((1, 0), (0, 0))), axis=0)
    first = np.maximum(np.arange(len(log_return_TN)) + 1 - _VOLATILITY_SESSIONS, 0)
    count = np.arange(1, len(log_return_TN) + 1) - first
    return np.asarray(np.sqrt((total[1:] - total[first]) / count[:, None]) + 1e-4)


def _beta(log_return_TN: Floats, market_return_T: Floats) -> Floats:
    return np.asarray(market_return_T @ log_return_TN / (market_return_T @ market_return_T))


def _forward(log_return_TN: Floats, horizon: int) -> Floats:
    total = np.cumsum(np.pad(log_return_TN, ((1, 0), (0, 0))), axis=0)
    out = np.full_like(log_return_TN, np.nan)
    out[:-horizon] = total[1 + horizon :] - total[1:-horizon]
    return out


def _correlation(a_TN: Floats, b_TN: Floats) -> float:
    """Return the mean over sessions of the correlation between tickers."""
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (a_TN, b_TN))
    return float(np.mean((a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))))


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
