"""From which columns the market state, labels and coverage are made."""

from trader_pipeline.schema import features
from trader_pipeline.schema.lineage import EVERY, Lineage, same
from trader_pipeline.schema.lineage_words import FORWARD, RANK, SCALED, of_horizons

_BENCHMARK = f"beta, {of_horizons('benchmark_return')}, {RANK}"
_FITTED_STATE = "p_turbulent, mean_calm, mean_turbulent, volatility_calm, volatility_turbulent, stay_calm, stay_turbulent"
MARKET_STATE = Lineage(
    table=features.MARKET_STATE,
    reads={
        "core.accepted_bars": {"session, known_at, fitted_on": "session", _FITTED_STATE: "close"},
        "core.corporate_actions": {_FITTED_STATE: "session, kind, value"},
        "core.ticker_map": {_FITTED_STATE: "role"},
    },
    made={},
)
TARGETS = Lineage(
    table=features.TARGETS,
    reads={
        "core.accepted_bars": {
            **same("ticker, session"),
            "volatility_daily": "close",
            f"{FORWARD}, {SCALED}, {_BENCHMARK}": "open, close",
        },
        "core.corporate_actions": {f"volatility_daily, {FORWARD}, {SCALED}, {_BENCHMARK}": "session, kind, value"},
        "core.ticker_map": {_BENCHMARK: "role"},
        "core.universe": {_BENCHMARK: "universe, ticker, valid_from, valid_to"},
    },
    made={},
)
COVERAGE = Lineage(
    table=features.COVERAGE,
    reads={"features.panel": {"session": "session", "tickers": "ticker", "values": EVERY}},
    made={"family, features": "as the features are declared"},
)
LINEAGES = (MARKET_STATE, TARGETS, COVERAGE)
