"""A market whose conditional expectation is known: what a model can find at most is a number, the oracle.

Four components are planted in the idiosyncratic return, each findable only by a given ability:

- linear: a slow observable characteristic z (pays at 20 and 60 sessions); any model finds it;
- regime: an observable characteristic w whose sign flips with an observable regime; needs an interaction;
- path: reversal of a moving average of a ticker's own shocks; needs the path of returns;
- lead-lag: a sector leader's shock today moves its followers tomorrow; needs attention across tickers.

`null=True` removes all four: returns are then a martingale difference plus market and sector moves.
Arrays are [session, ticker] = [T, N]; returns are log returns from close to close.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trader_pipeline.schema.columns import HORIZONS_SESSIONS

Floats = npt.NDArray[np.float64]

LINEAR_WEIGHT, REGIME_WEIGHT, PATH_WEIGHT, LEAD_WEIGHT = 0.020, 0.045, 0.045, 0.045
"""Standard deviation of each component's one-session expectation, in units of the ticker's daily volatility."""
Z_PERSISTENCE, W_PERSISTENCE, PATH_DECAY, REGIME_STAY = 0.98, 0.95, 0.80, 0.985
SECTORS = 10
SECTOR_VOLATILITY = 0.005
BURN_IN_SESSIONS = 300
OVERNIGHT_SHARE = 0.15
"""Standard deviation of the overnight gap in units of the day's volatility; it is noise that says nothing of the future."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSize:
    """How large a market to make, and from which seed."""

    tickers: int
    sessions: int
    seed: int
    null: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What was made. `oracle_TN[h]` is E[idiosyncratic log return from close t to close t + h | t].

    `components_TN` holds what each of linear, regime, path and lead adds to the next session's, in units of the idiosyncratic
    volatility `sigma_TN`. `volatility_TN` and `market_volatility_T` are standard deviations of the next session's log return as known
    at t; `beta_N` is each ticker's slope on the market.
    """

    open_TN: Floats
    high_TN: Floats
    low_TN: Floats
    close_TN: Floats
    volume_TN: Floats
    market_open_T: Floats
    market_high_T: Floats
    market_low_T: Floats
    market_close_T: Floats
    z_TN: Floats
    w_TN: Floats
    regime_T: Floats
    sector_N: npt.NDArray[np.int64]
    oracle_TN: dict[int, Floats]
    components_TN: dict[str, Floats]
    sigma_TN: Floats
    volatility_TN: Floats
    market_volatility_T: Floats
    beta_N: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """What is common to all tickers, and how they hang together."""

    market_T: Floats
    market_volatility_T: Floats
    regime_T: Floats
    sector_N: npt.NDArray[np.int64]
    leader_N: npt.NDArray[np.int64]
    follows_N: npt.NDArray[np.bool_]


@dataclass(slots=True)
class _Paths:
    """The state of every session, filled by the recursion."""

    beta_N: Floats
    log_return_TN: Floats
    sigma_TN: Floats
    z_TN: Floats
    w_TN: Floats
    path_TN: Floats
    shock_TN: Floats
    log_volume_TN: Floats


def simulate(size: MarketSize) -> Market:
    """Make a market; the same size and seed give the same bytes.

    The open of a session is the previous close moved by independent noise, so that a label from the next open to the
    close of t + h is the return from close t to close t + h less that noise: the oracle stays its expectation.
    """
    random = np.random.default_rng(size.seed)
    frame = _frame(random, size)
    paths = _run(random, frame, signal=0.0 if size.null else 1.0)
    oracle = {h: _oracle(paths, frame, h) * (not size.null) for h in HORIZONS_SESSIONS}
    return _priced(random, size, frame, paths, oracle)


def _frame(random: np.random.Generator, size: MarketSize) -> _Frame:
    """Return regime and market returns, burn-in included, and each ticker's sector, whose first ticker leads it."""
    regime_T = _regime(random, size.sessions + BURN_IN_SESSIONS)
    sector_N = np.arange(size.tickers) % SECTORS
    leader_N = np.array([np.flatnonzero(sector_N == sector)[0] for sector in range(min(SECTORS, size.tickers))])[sector_N]
    market_T, market_volatility_T = _market_return(random, regime_T)
    return _Frame(
        market_T=market_T,
        market_volatility_T=market_volatility_T,
        regime_T=regime_T,
        sector_N=sector_N,
        leader_N=leader_N,
        follows_N=leader_N != np.arange(size.tickers),
    )


def _fat_tailed(random: np.random.Generator, *shape: int) -> Floats:
    """Return Student t draws with 5 degrees of freedom, scaled to variance 1."""
    return np.asarray(random.standard_t(5, size=shape) / np.sqrt(5 / 3))


def _regime(random: np.random.Generator, total: int) -> Floats:
    """Return a symmetric two-state Markov chain: +1 calm, -1 turbulent."""
    flips_T = np.where(random.random(total) > REGIME_STAY, -1.0, 1.0)
    flips_T[0] = 1.0
    return np.asarray(np.cumprod(flips_T), dtype=np.float64)


def _market_return(random: np.random.Generator, regime_T: Floats) -> tuple[Floats, Floats]:
    """Return GARCH(1, 1) market returns, and their volatility of the next session while the regime lasts.

    The turbulent regime doubles volatility and turns the drift negative.
    """
    shock_T = _fat_tailed(random, len(regime_T))
    drift_T, scale_T = np.where(regime_T > 0, 6e-4, -3e-4), np.where(regime_T > 0, 1.0, 2.0)
    return_T, volatility_T = np.empty(len(regime_T)), np.empty(len(regime_T))
    variance = 1e-4
    for t, shock in enumerate(shock_T):
        return_T[t] = drift_T[t] + np.sqrt(variance) * scale_T[t] * shock
        variance = 2e-6 + 0.08 * variance * shock**2 + 0.90 * variance
        volatility_T[t] = np.sqrt(variance) * scale_T[t]
    return return_T, volatility_T


def _run(random: np.random.Generator, frame: _Frame, *, signal: float) -> _Paths:
    """Step through the sessions: the expectation is decided from the state of the session before."""
    T, N = len(frame.market_T), len(frame.sector_N)
    sector_return_TS = SECTOR_VOLATILITY * _fat_tailed(random, T, SECTORS)
    beta_N = np.clip(1 + 0.3 * random.standard_normal(N), 0.2, 2)
    base_sigma_N = 0.012 * np.exp(0.35 * random.standard_normal(N))
    shock_TN = _fat_tailed(random, T, N)
    z_noise_TN, w_noise_TN, sigma_noise_TN, volume_noise_TN = (random.standard_normal((T, N)) for _ in range(4))
    paths = _Paths(
        beta_N=beta_N,
        log_return_TN=np.empty((T, N)),
        sigma_TN=np.empty((T, N)),
        z_TN=np.empty((T, N)),
        w_TN=np.empty((T, N)),
        path_TN=np.empty((T, N)),
        shock_TN=shock_TN,
        log_volume_TN=np.empty((T, N)),
    )
    z_N, w_N, path_N, log_sigma_N, sigma_N = np.zeros(N), np.zeros(N), np.zeros(N), np.zeros(N), base_sigma_N
    before_N = np.zeros(N)
    for t in range(T):
        led_N = _led(frame, before_N)
        expectation_N = signal * sigma_N * _sum(_components(z_N, w_N * frame.regime_T[max(t - 1, 0)], path_N, led_N))
        common_N = beta_N * frame.market_T[t] + sector_return_TS[t, frame.sector_N]
        paths.log_return_TN[t] = common_N + expectation_N + sigma_N * shock_TN[t]
        before_N = shock_TN[t]
        path_N = PATH_DECAY * path_N + (1 - PATH_DECAY) * before_N
        z_N = Z_PERSISTENCE * z_N + np.sqrt(1 - Z_PERSISTENCE**2) * z_noise_TN[t]
        w_N = W_PERSISTENCE * w_N + np.sqrt(1 - W_PERSISTENCE**2) * w_noise_TN[t]
        log_sigma_N = 0.97 * log_sigma_N + 0.08 * sigma_noise_TN[t]
        sigma_N = base_sigma_N * np.exp(log_sigma_N + 0.04 * np.clip(np.abs(before_N) - 0.8, -1, 3))
        paths.sigma_TN[t], paths.z_TN[t], paths.w_TN[t], paths.path_TN[t] = sigma_N, z_N, w_N, path_N
        paths.log_volume_TN[t] = 0.5 * log_sigma_N + 0.25 * np.abs(before_N) + 0.3 * volume_noise_TN[t]
    return paths


def _components(
    z: Floats, switched_w: Floats, path: Floats, led: Floats, multiples: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> dict[str, Floats]:
    """Return the four components in sigmas; `multiples` of the first three sum them over a horizon."""
    path_scale = np.sqrt((1 + PATH_DECAY) / (1 - PATH_DECAY))
    return {
        "linear": LINEAR_WEIGHT * z * multiples[0],
        "regime": REGIME_WEIGHT * switched_w * multiples[1],
        "path": -PATH_WEIGHT * path * path_scale * multiples[2],
        "lead": LEAD_WEIGHT * led,
    }


def _led(frame: _Frame, shock: Floats) -> Floats:
    """Return, for every ticker that follows one, its leader's shock of the session; else 0."""
    return np.where(frame.follows_N, shock[..., frame.leader_N], 0.0)


def _oracle(paths: _Paths, frame: _Frame, horizon_sessions: int) -> Floats:
    """Return E[idiosyncratic log return over the horizon]: each component decays geometrically, lead-lag lasts one session."""

    def multiple(decay: float) -> float:
        return float((1 - decay**horizon_sessions) / (1 - decay))

    multiples = (multiple(Z_PERSISTENCE), multiple(W_PERSISTENCE * (2 * REGIME_STAY - 1)), multiple(PATH_DECAY))
    switched_TN = paths.w_TN * frame.regime_T[:, None]
    return paths.sigma_TN * _sum(_components(paths.z_TN, switched_TN, paths.path_TN, _led(frame, paths.shock_TN), multiples))


def _sum(components: dict[str, Floats]) -> Floats:
    return components["linear"] + components["regime"] + components["path"] + components["lead"]


def _priced(random: np.random.Generator, size: MarketSize, frame: _Frame, paths: _Paths, oracle: dict[int, Floats]) -> Market:
    """Turn returns into bars, and cut the burn-in off."""
    kept = slice(BURN_IN_SESSIONS, None)
    common_TN = (paths.beta_N * frame.market_volatility_T[:, None]) ** 2 + SECTOR_VOLATILITY**2
    components = _components(paths.z_TN, paths.w_TN * frame.regime_T[:, None], paths.path_TN, _led(frame, paths.shock_TN))
    first_close_N = np.exp(random.uniform(np.log(20), np.log(200), size.tickers))
    base_volume_N = np.exp(random.uniform(np.log(3e5), np.log(3e7), size.tickers))
    stocks = _bars(random, first_close_N, paths.log_return_TN[kept], paths.sigma_TN[kept])
    market = _bars(random, np.array([100.0]), frame.market_T[kept, None], np.full((size.sessions, 1), 0.01))
    return Market(
        open_TN=stocks[0],
        high_TN=stocks[1],
        low_TN=stocks[2],
        close_TN=stocks[3],
        volume_TN=np.round(base_volume_N * np.exp(paths.log_volume_TN[kept])),
        market_open_T=market[0][:, 0],
        market_high_T=market[1][:, 0],
        market_low_T=market[2][:, 0],
        market_close_T=market[3][:, 0],
        z_TN=paths.z_TN[kept],
        w_TN=paths.w_TN[kept],
        regime_T=frame.regime_T[kept],
        sector_N=frame.sector_N,
        oracle_TN={h: values_TN[kept] for h, values_TN in oracle.items()},
        components_TN={name: values_TN[kept] * (not size.null) for name, values_TN in components.items()},
        sigma_TN=paths.sigma_TN[kept],
        volatility_TN=np.sqrt(common_TN + paths.sigma_TN**2)[kept],
        market_volatility_T=frame.market_volatility_T[kept],
        beta_N=paths.beta_N,
    )


def _bars(random: np.random.Generator, first_N: Floats, log_return_TN: Floats, sigma_TN: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return open, high, low and close: gaps and wicks are noise in units of the session's volatility."""
    close_TN = first_N * np.exp(np.cumsum(log_return_TN, axis=0))
    before_TN = np.vstack([first_N[None], close_TN[:-1]])
    open_TN = before_TN * np.exp(OVERNIGHT_SHARE * sigma_TN * random.standard_normal(sigma_TN.shape))
    wick_up_TN, wick_down_TN = (0.3 * sigma_TN * np.abs(random.standard_normal(sigma_TN.shape)) for _ in range(2))
    high_TN = np.maximum(open_TN, close_TN) * np.exp(wick_up_TN)
    low_TN = np.minimum(open_TN, close_TN) * np.exp(-wick_down_TN)
    return open_TN, high_TN, low_TN, close_TN
