"""`trader faults training`: what training survives, shown by doing it."""

from pathlib import Path
from typing import Annotated

import typer

from trader_pipeline.cli.output import grid, print_json
from trader_pipeline.errors import TrainingError

faults_app = typer.Typer(no_args_is_help=True, help="Put faults in and see what survives; nothing is kept.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    faults_app.command("training")(training)
    faults_app.callback()(lambda: None)  # one command would otherwise stand without its name
    app.add_typer(faults_app, name="faults")


def training(
    kills: Annotated[int, typer.Option(help="Random moments at which a training is killed.", min=1)] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the moments.")] = 0,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")] = False,
) -> None:
    """Break a small training in every way it must survive: values, memory, kills, damaged files, a full disk, signals.

    Exit 1 when one is not survived.
    """
    from tempfile import TemporaryDirectory

    from trader_pipeline.bench.training_faults import measure

    with TemporaryDirectory(prefix="trader-faults-") as home:
        figures = measure(Path(home), kills=kills, seed=seed)
    if as_json:
        print_json("faults_training", figures)
    else:
        grid([{"fault": c["fault"], "survived": "yes" if c["survived"] else "NO", "detail": c["detail"]} for c in figures["cells"]])
    if not figures["survived"]:
        raise TrainingError("not survived: " + ", ".join(c["fault"] for c in figures["cells"] if not c["survived"]))
