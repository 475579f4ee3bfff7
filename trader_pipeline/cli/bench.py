"""Commands that measure: `trader bench features`, `ingest`, `models`, `predict`, `quality`, `gather`, `training`; nothing is kept."""

import datetime as dt
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from trader_pipeline.cli.output import grid, line, print_json

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
bench_app = typer.Typer(no_args_is_help=True, help="Measure what the flows cost; nothing is kept.")


class Part(StrEnum):
    """A part of `bench ingest`."""

    STORM = "storm"
    INCREMENTAL = "incremental"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    bench_app.command("features")(features)
    bench_app.command("ingest")(ingest)
    bench_app.command("models")(models)
    bench_app.command("predict")(predict)
    bench_app.command("quality")(quality)
    bench_app.command("gather")(gather)
    bench_app.command("training")(training)
    app.add_typer(bench_app, name="bench")


def features(
    tickers: Annotated[int, typer.Option(help="Tickers of the market.", min=2)] = 800,
    sessions: Annotated[int, typer.Option(help="Sessions of the market.", min=300)] = 3400,
    runs: Annotated[int, typer.Option(help="Paired runs of every engine, whose medians count.", min=1)] = 3,
    pandas_tickers: Annotated[int, typer.Option(help="Tickers that pandas computes Alpha158 of; the answer is scaled to all.", min=1)] = 40,
    cache: Annotated[Path, typer.Option(help="Folder that keeps the environment of pyqlib.")] = Path("~/.cache/trader-bench"),
    *,
    flows: Annotated[bool, typer.Option("--flows", help="Instead: seconds and memory from raw to features on a simulated market.")] = False,
    scale: Annotated[
        bool,
        typer.Option("--scale", help="Instead: Alpha158 block by block into a lake; 5,000 tickers x 6,300 sessions take 20 GB of disk."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure Alpha158 and Qlib's 14 factors against pyqlib, DuckDB SQL and pandas on one market."""
    if flows:
        _flows(tickers, sessions, as_json=as_json)
        return
    if scale:
        _scale(tickers, sessions, as_json=as_json)
        return
    from trader_pipeline.bench.rivals.compare import measure

    figures = measure(cache.expanduser(), tickers=tickers, sessions=sessions, runs=runs, pandas_tickers=pandas_tickers)
    if as_json:
        print_json("bench_features", figures)
        return
    grid([{"engine": name, **engine} for name, engine in figures.pop("engines").items()])
    _told(figures)


def _flows(tickers: int, sessions: int, *, as_json: bool) -> None:
    from tempfile import TemporaryDirectory

    from trader_pipeline.bench.features import measure

    with TemporaryDirectory(prefix="trader-bench-") as home:
        figures = measure(Path(home), tickers=tickers, sessions=sessions, now=dt.datetime.now(dt.UTC))
    if as_json:
        print_json("bench_features_flows", figures)
        return
    told: Any = figures.pop("flows")
    grid([{"flow": name, **seconds} for name, seconds in told.items()])
    _told(figures)


def _scale(tickers: int, sessions: int, *, as_json: bool) -> None:
    from tempfile import TemporaryDirectory

    from trader_pipeline.bench.scale import measure

    with TemporaryDirectory(prefix="trader-bench-") as home:
        figures = measure(Path(home), tickers=tickers, sessions=sessions)
    if as_json:
        print_json("bench_features_scale", {"scale": figures})
        return
    _told(figures)


def ingest(
    storm_tickers: Annotated[int, typer.Option(help="Tickers of the storm.", min=4)] = 120,
    tickers: Annotated[int, typer.Option(help="Tickers of the incremental part.", min=1)] = 5000,
    only: Annotated[Part | None, typer.Option(help="One part instead of both.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Measure ingestion against a Yahoo on loopback: a storm asked three ways, and what one more session of many tickers costs."""
    from tempfile import TemporaryDirectory

    from trader_pipeline.bench.ingest import measure

    with TemporaryDirectory(prefix="trader-bench-") as home:
        figures = measure(
            Path(home), now=dt.datetime.now(dt.UTC), storm_tickers=storm_tickers, tickers=tickers, only=only.value if only else None
        )
    if as_json:
        print_json("bench_ingest", figures)
        return
    if storm := figures.get("storm"):
        line("Four processes against a server that answers 12 requests a second, then 429:")
        grid([{"asked by": name, **column} for name, column in storm.items()])
    if incremental := figures.get("incremental"):
        line("\nOne more session of tickers whose history is stored, CPU beyond the bare HTTP calls:")
        _told(incremental)


class Kind(StrEnum):
    """A trained network."""

    PANEL_FORMER = "panel_former"
    GRU = "gru"
    PATCH_TST = "patch_tst"
    I_TRANSFORMER = "i_transformer"


def models(
    kinds: Annotated[list[Kind] | None, typer.Argument(help="The networks; all of them without any.")] = None,
    tickers: Annotated[int, typer.Option(help="Tickers of the market.", min=20)] = 150,
    sessions: Annotated[int, typer.Option(help="Sessions of the market.", min=400)] = 1500,
    seed: Annotated[int, typer.Option(help="Seed of market and training.", min=0)] = 0,
    epochs: Annotated[int, typer.Option(help="Most epochs of each fit.", min=1)] = 16,
    *,
    as_json: Json = False,
) -> None:
    """Train small networks on a simulated market and print how much of each planted component they find out of sample."""
    from trader_pipeline.bench.models import measure

    figures = {
        kind.value: measure(kind.value, tickers=tickers, sessions=sessions, seed=seed, epochs=epochs) for kind in kinds or tuple(Kind)
    }
    if as_json:
        print_json("bench_models", figures)
        return
    grid([{"model": name, **found} for name, found in figures.items()])


def predict(
    tickers: Annotated[int, typer.Option(help="Tickers of the session.", min=20)] = 5000,
    recipe: Annotated[str, typer.Option(help="Recipe of PanelFormer alone; its weights are as they start.")] = "panel_former_1m",
    reads: Annotated[int, typer.Option(help="Reads of one ticker's predictions.", min=20)] = 500,
    *,
    as_json: Json = False,
) -> None:
    """Measure one session's predictions and explanations of a large universe, and what reading one ticker's costs."""
    from tempfile import TemporaryDirectory

    from trader_pipeline.bench.predict import measure

    with TemporaryDirectory(prefix="trader-bench-") as home:
        figures = measure(Path(home), tickers=tickers, recipe=recipe, reads=reads)
    if as_json:
        print_json("bench_predict", figures)
        return
    _told(figures)


def quality(
    defects: Annotated[
        Path | None, typer.Option(help="Folder of CSV files with real faults, each named by its kind, and their twins.", exists=True)
    ] = None,
    mutations: Annotated[int, typer.Option(help="Faults of each kind that are put into the samples; 0 leaves them out.", min=0)] = 1000,
    rows: Annotated[int, typer.Option(help="Clean bars that all rules are timed on; 0 leaves that out.", min=0)] = 1_260_000,
    *,
    as_json: Json = False,
) -> None:
    """Measure which faults the quality rules find, and to what sound data they object."""
    from tempfile import TemporaryDirectory

    from trader_pipeline.bench import quality_defects, quality_mutations, quality_speed

    figures: dict[str, Any] = {"defects": None if defects is None else quality_defects.measure(defects, now=dt.datetime.now(dt.UTC))}
    if defects is None:
        figures["defects_skipped"] = "no --defects FOLDER"
    if mutations:
        figures |= quality_mutations.measure(mutations)
    if rows:
        with TemporaryDirectory(prefix="trader-bench-") as home:
            figures["speed"] = quality_speed.measure(Path(home), rows=rows)
    if as_json:
        print_json("bench_quality", figures)
        return
    if why := figures.get("defects_skipped"):
        line(f"files with known faults: skipped, {why}\n")
    if found := figures["defects"]:
        by_file = found.pop("by_file")
        _told(found)
        grid([{"file": name, "errors": ", ".join(v["errors"]), "right": v["right"]} for name, v in by_file.items()])
    if kinds := figures.get("mutation_kinds"):
        line(f"{mutations:,} faults of each kind in the samples, and in facts made up where the samples hold none:")
        grid([{"fault": name, **kind} for name, kind in kinds.items()])
    if speed := figures.get("speed"):
        line(f"\nAll rules on {speed['rows']:,} clean bars, and when one session more is there:")
        more = speed.pop("one_more_session")
        grid([{"checks": "of everything", **{name: speed[name] for name in more}}, {"checks": "of one more session", **more}])


def gather(
    tickers: Annotated[int, typer.Option(help="Tickers of the panel.", min=1)] = 100,
    columns: Annotated[int, typer.Option(help="Prepared columns of the panel.", min=1)] = 158,
    sessions: Annotated[int, typer.Option(help="Sessions of a window.", min=1, max=1000)] = 64,
    seconds: Annotated[float, typer.Option(help="How long each way is measured.", min=0.1)] = 2.0,
    device: Annotated[str, typer.Option(help="Where the panel lies and the windows are wanted: cpu or cuda.")] = "cpu",
    *,
    as_json: Json = False,
) -> None:
    """Measure windows a second: gathered by index on the device, and brought by a DataLoader from mapped files."""
    from trader_pipeline.bench.gather import measure

    figures = measure(tickers=tickers, columns=columns, length=sessions, seconds=seconds, device=device)
    if as_json:
        print_json("bench_gather", figures)
        return
    _told(figures)


def training(
    sizes: Annotated[str, typer.Option(help="Of tiny, 25m, 100m, 500m, with commas; empty: tiny on a CPU, the others on a GPU.")] = "",
    tickers: Annotated[int, typer.Option(help="Tickers of a window.", min=2)] = 64,
    windows: Annotated[int, typer.Option(help="Windows a step; half as many where memory runs out.", min=1)] = 4,
    steps: Annotated[int, typer.Option(help="Steps that are measured.", min=1)] = 20,
    *,
    as_json: Json = False,
) -> None:
    """Measure what training a PanelFormer makes of the device; `python -m trader_pipeline.bench.training` has more options."""
    from trader_pipeline.bench.training import Options, measure

    chosen = tuple(name for name in sizes.split(",") if name)
    figures = measure(Options(sizes=chosen, tickers=tickers, windows=windows, steps=steps))
    if as_json:
        print_json("bench_training", figures)
        return
    by_size: Any = figures.pop("sizes")
    _told(figures)
    grid([{"size": name, **size} for name, size in by_size.items()])


def _told(figures: dict[str, Any]) -> None:
    for name, value in figures.items():
        line(f"{name:<20} {value}")
