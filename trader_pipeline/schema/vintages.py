"""How much of a macro series' past is known, and what a backtest may read of it.

A backtest reads `select ... from core.macro where vintage in ('released', 'final')`.
"""

RELEASED = "released"
"""One row a vintage, known at its release."""
FINAL = "final"
"""Never revised: what is known now was known then, a declared lag after its day."""
LATEST = "latest"
"""Revised later, and only the newest value is known: in the past it is look-ahead."""

OF_BACKTESTS = (RELEASED, FINAL)


def allowed_in_backtest(vintage: str) -> bool:
    """Say whether a row of core.macro may be read in a backtest."""
    return vintage in OF_BACKTESTS
