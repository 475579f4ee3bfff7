"""`trader ablate`: what each part of a recipe is worth."""

import datetime as dt
import sys
from typing import Annotated, Any

import typer

from trader_pipeline.cli.output import grid, line, print_json
from trader_pipeline.cli.run import Sample
from trader_pipeline.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(ablate)


def ablate(
    sample: Annotated[Sample | None, typer.Option(help="The panel of an embedded market, made by `trader demo`.")] = None,
    rows: Annotated[str, typer.Option(help="Ablations, with commas; empty: all.")] = "",
    seeds: Annotated[int, typer.Option(help="Seeds a row, whose mean counts.", min=1)] = 2,
    recipe: Annotated[str, typer.Option(help="Baseline on a sample.")] = "panel_former_1m",
    *,
    tickers: Annotated[int, typer.Option(help="Tickers of the simulated market.", min=8)] = 60,
    sessions: Annotated[int, typer.Option(help="Sessions of the simulated market.", min=800)] = 1000,
    market_seed: Annotated[int, typer.Option(help="Seed of the simulated market.")] = 0,
    simulated: Annotated[bool, typer.Option("--simulated", help="A simulated market; so it is without --sample, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")] = False,
) -> None:
    """Fit a network with one change at a time and say out of fold what each is worth; each counts as a trial in training.trials.

    A row's difference has a 95 % interval; * marks one that leaves out 0 with the same sign for every seed.
    """
    from trader_pipeline.bench.ablate import measure
    from trader_pipeline.bench.ablate_markets import of_lake
    from trader_pipeline.bench.ablate_markets import simulated as simulated_market
    from trader_pipeline.bench.ablations import SIMULATED, chosen
    from trader_pipeline.flows.due import default_as_of
    from trader_pipeline.lake import Change, Lake
    from trader_pipeline.schema.training import TRIALS
    from trader_pipeline.settings import Settings
    from trader_pipeline.training.job import recipe_of

    if sample and simulated:
        raise UsageError("--sample and --simulated are two markets; take one")
    ablations, now = chosen(rows), dt.datetime.now(dt.UTC)
    settings = Settings(dataset=sample.value if sample else "simulated")
    lake = Lake(settings.dataset_home / "lake", settings.dataset)
    if sample:
        base = recipe_of(recipe)
        market = of_lake(lake, recipe=recipe, as_of=default_as_of(settings, now=now), now=now, checks=settings.checks)
    else:
        base = SIMULATED
        market = simulated_market(tickers=tickers, sessions=sessions, seed=market_seed, now=now)

    def record(trials: Any) -> None:
        lake.publish(Change.upsert(TRIALS, trials, by=("model_id",)))

    def tell(text: str) -> None:
        sys.stderr.write(text + "\n")

    figures = measure(market, base, ablations, seeds=seeds, record=record, tell=tell)
    figures = {"market": market.request.data_version, "recipe": base.name} | figures
    if as_json:
        print_json("ablate", figures)
        return
    line(f"{figures['market']}; {figures['test_sessions']} test sessions, {seeds} seeds; out of fold, and minus the baseline's")
    for measured in ("rank_ic", "brier"):
        line(f"\n{measured}")
        grid([_shown(row, measured) for row in figures["rows"]])


def _shown(row: dict[str, Any], measured: str) -> dict[str, Any]:
    shown = {"row": row["row"]}
    for cell in row["horizons"]:
        h = cell["horizon_sessions"]
        shown[f"{h}d"] = f"{cell[measured]:.4f}"
        star = "*" if cell[f"{measured}_told_apart"] else ""
        shown[f"difference {h}d"] = f"{cell[f'{measured}_difference']:+.4f} ±{cell[f'{measured}_half_width']:.4f}{star}"
    return shown | {"gap": row["gap"], "CPU-s": row["cpu_s"]}
