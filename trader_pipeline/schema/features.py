"""What models read and what they are scored on."""

from trader_pipeline.schema.columns import HORIZONS_SESSIONS, SESSION, TICKER, number
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
    description="Labels of a prediction made after the close of `session`: enter at the next open, leave at the close of t + h. Null where the future is not known.",
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
TABLES = (TARGETS,)
