"""`trader leaks`: the proof that no feature looks ahead."""

from pathlib import Path
from typing import Annotated

import typer

from trader_pipeline.cli.output import grid, line, print_json
from trader_pipeline.errors import LeakError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(leaks)


def leaks(
    tickers: Annotated[int, typer.Option(help="Tickers of the simulated market.", min=8)] = 40,
    sessions: Annotated[int, typer.Option(help="Sessions of the simulated market; the longest look-back is 504.", min=510)] = 800,
    cuts: Annotated[int, typer.Option(help="Random sessions at which the tables are cut.", min=4)] = 24,
    seed: Annotated[int, typer.Option(help="Seed of the market and of the cuts.")] = 0,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")] = False,
) -> None:
    """Prove on a simulated market that no feature looks ahead, and that planted leaks are caught; nothing is kept.

    Exit 1 when a value depends on what was not known, or when a planted leak gets past.
    """
    from tempfile import TemporaryDirectory

    from trader_pipeline.bench.leaks import VERDICTS, leaking, measure

    with TemporaryDirectory(prefix="trader-leaks-") as home:
        figures = measure(Path(home), tickers=tickers, sessions=sessions, cuts=cuts, seed=seed)
    if as_json:
        print_json("leaks", figures)
    else:
        line(f"{tickers} tickers, {figures['sessions']} sessions, cut at {cuts} of them; seed {seed}")
        grid(
            [
                {"proof": name, "features": row["features"], "violations": row["violations"], "violating": ", ".join(row["violating"])}
                for name, row in ((name, figures[name]) for name in VERDICTS)
            ]
        )
        line()
        grid(figures["truncation"]["by_family"])
        line("\nPlanted leaks: cells that differ, rows stamped too early")
        grid(figures["detected"])
    if found := leaking(figures):
        raise LeakError("; ".join(found))
