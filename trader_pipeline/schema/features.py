"""What models read and what they are scored on."""

from trader_pipeline.schema.columns import HORIZONS_SESSIONS, KNOWN_AT, SESSION, TICKER, count, day, number, text
from trader_pipeline.schema.table import Column, Table


def panel_table(features: tuple[Column, ...]) -> Table:
    """Return features.panel for the declared features (float32, null where a window is incomplete)."""
    return Table(
        layer="features",
        name="panel",
        year_of="session",
        key=("ticker", "session"),
        description="One row a ticker-session: every declared feature, from what was known at the close + 30 min.",
        columns=(TICKER, SESSION, *features),
    )


def _per_horizon(stem: str, unit: str, description: str) -> tuple[Column, ...]:
    return tuple(number(f"{stem}_{h}d", unit, description.replace("{h}", str(h))) for h in HORIZONS_SESSIONS)


TARGETS = Table(
    layer="features",
    name="targets",
    year_of="session",
    key=("ticker", "session"),
    description="Labels of a prediction made after the close of `session`: enter at the next open (in a market without opens at the close of t), leave at the close of t + h. Null where the future is not known.",
    columns=(
        TICKER,
        SESSION,
        number("volatility_daily", "fraction / sqrt(session)", "Trailing volatility that scales the labels; known at the session."),
        number("beta", "-", "Trailing 252-session beta on the benchmark, Vasicek-shrunk; known at the session."),
        *_per_horizon("forward_return", "fraction", "Simple return from the next open to the close of t + {h}."),
        *_per_horizon("benchmark_return", "fraction", "The benchmark's return over the same span."),
        *_per_horizon(
            "scaled_return", "sigmas", "forward_return_{h}d / (volatility_daily * sqrt({h})): target of the return distribution."
        ),
        *_per_horizon(
            "residual_rank",
            "normal score",
            "Rank-normal, within the date's universe, of the beta-residual scaled return: target of the score.",
        ),
    ),
)
MARKET_STATE = Table(
    layer="features",
    name="market_state",
    year_of="session",
    key=("session",),
    description="Calm or turbulent: two states of the benchmark's returns, filtered forward under parameters fitted each January on the past alone.",
    columns=(
        SESSION,
        KNOWN_AT,
        number(
            "p_turbulent",
            "fraction",
            "Filtered probability of the state of higher variance, from returns up to the session.",
            nullable=False,
        ),
        day("fitted_on", "First session under these parameters: they are fitted on the returns before it.", nullable=False),
        number("mean_calm", "fraction / session", "Mean log return of the calm state.", nullable=False),
        number("mean_turbulent", "fraction / session", "Mean log return of the turbulent state.", nullable=False),
        number("volatility_calm", "fraction / sqrt(session)", "Standard deviation of the calm state.", nullable=False),
        number("volatility_turbulent", "fraction / sqrt(session)", "Standard deviation of the turbulent state.", nullable=False),
        number("stay_calm", "fraction", "Probability that calm lasts another session.", nullable=False),
        number("stay_turbulent", "fraction", "Probability that turbulence lasts another session.", nullable=False),
    ),
)
COVERAGE = Table(
    layer="features",
    name="coverage",
    year_of="session",
    key=("family", "session"),
    description="How far each family of features has values in features.panel. A family without data is absent: null columns, never 0.",
    columns=(
        text("family", "momentum, volatility, valuation, ..."),
        SESSION,
        count("features", "features", "Features of the family."),
        count("tickers", "tickers", "Tickers with a row of the panel."),
        count("values", "values", "Values that are not null, of features * tickers."),
    ),
)
TABLES = (MARKET_STATE, TARGETS, COVERAGE)
