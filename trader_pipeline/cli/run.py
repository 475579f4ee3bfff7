"""Commands that run Dagster jobs: demo, run, train, predict, report."""

import datetime as dt
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trader_pipeline.cli import beside
from trader_pipeline.cli.models import decided
from trader_pipeline.cli.output import grid, line, print_json, progress, warn
from trader_pipeline.cli.summary import decision, facts, predictions, require_predicted, tell, warn_of_corrections
from trader_pipeline.errors import InsufficientHistoryError, UsageError

if TYPE_CHECKING:
    from trader_pipeline.defs.launch import Ran
    from trader_pipeline.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
Force = Annotated[bool, typer.Option("--force", help="Go on although the checks block; the run records what was overridden.")]
Tickers = Annotated[str, typer.Option("--tickers", help="Comma-separated tickers; empty is the whole universe.")]


class Sample(StrEnum):
    """A market that ships inside the package."""

    DEEP = "deep"
    BROAD = "broad"
    US20 = "us20"


class SourceName(StrEnum):
    """Where data comes from."""

    YAHOO = "yahoo"
    SAMPLE = "sample"
    OWN = "own"
    SIMULATED = "simulated"


_DATASET = {"yahoo": "live", "sample": "deep", "own": "own", "simulated": "simulated"}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(demo)
    app.command()(run)
    app.command()(train)
    app.command()(predict)
    app.command()(report)


def demo(
    sample: Annotated[
        Sample,
        typer.Option(
            help="deep: 11 names, 2009-2020, forecasts. broad: 524 names, one year, real faults. us20: 20 names, 1990-2022, closes alone."
        ),
    ] = Sample.DEEP,
    *,
    as_json: Json = False,
) -> None:
    """Run the embedded real data end to end: checks, training, predictions, decisions, report."""
    from trader_pipeline.operations.memory import PeakMemory

    began, since = time.monotonic(), dt.datetime.now(dt.UTC)
    settings = of_sample(sample.value)
    with PeakMemory() as memory:
        try:
            session = due(settings, as_of=None, tickers=(), quiet=as_json).session
            shortage = None
        except InsufficientHistoryError as error:
            session, shortage = _last_session(settings), error
    done = facts(settings, session, shortage, since=since)
    done |= {"seconds": round(time.monotonic() - began, 1), "peak_mb": round(memory.peak_mb)}
    if as_json:
        print_json("demo", done)
        return
    tell(settings, done, shortage)


def run(
    source: Annotated[SourceName | None, typer.Option(help="Where data comes from; empty: where TRADER_DATASET has its own from.")] = None,
    tickers: Tickers = "",
    universe: Annotated[str, typer.Option(help="A list of universe.toml, or an index that a source of members lists (yahoo).")] = "",
    path: Annotated[Path | None, typer.Option(help="Folder of CSV or Parquet files (own).")] = None,
    as_of: Annotated[str, typer.Option("--as-of", help="Session YYYY-MM-DD: its close + 30 min. Empty: the newest.")] = "",
    *,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Bring one market up to date: fetch, check, train if no model exists, predict, decide, report."""
    settings = market(source, path, universe)
    chosen, since = tickers_of(settings, tickers), dt.datetime.now(dt.UTC)
    try:
        ran = due(settings, as_of=as_of or None, tickers=chosen, quiet=as_json, force=force)
    finally:
        if as_of and settings.dataset == "own":
            warn_of_corrections(settings, as_of)
    require_predicted(settings, ran.session, chosen)
    done = facts(settings, ran.session, None, since=since)
    if as_json:
        print_json("run", done)
    else:
        tell(settings, done, None)
    if ran.shortfall:
        raise ran.shortfall


def train(
    recipe: Annotated[str, typer.Option(help="Recipe; empty: TRADER_RECIPE.")] = "",
    seed: Annotated[int | None, typer.Option(help="Seed; empty: TRADER_SEED.")] = None,
    resume: Annotated[str, typer.Option(metavar="RUN", help="Go on with this model, which was cut short, on the data it began with.")] = "",
    as_of: Annotated[str, typer.Option("--as-of", help="Session YYYY-MM-DD: its close + 30 min. Empty: the newest.")] = "",
    devices: Annotated[int, typer.Option(help="Devices of this host that train one network together, one process each.", min=1)] = 1,
    *,
    profile: Annotated[bool, typer.Option("--profile", help="Trace a few steps of each fold; models/RUN/profile has them.")] = False,
    skip_preflight: Annotated[
        bool, typer.Option("--skip-preflight", help="Go on where a preflight check fails; the record says so.")
    ] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Train, score and calibrate a model on the features that are there; the same training that was cut short goes on by itself."""
    from trader_pipeline import lake
    from trader_pipeline.cli.trained import told
    from trader_pipeline.settings import Settings
    from trader_pipeline.training.devices import require_devices

    if resume and (recipe or seed is not None or as_of or profile):
        raise UsageError("--resume goes on with what the run was asked for; leave --recipe, --seed, --as-of and --profile out")
    require_devices(devices)
    settings = Settings()
    with progress(quiet=as_json) as show:
        from trader_pipeline.definitions import build_defs
        from trader_pipeline.defs.environment import prepare_environment
        from trader_pipeline.defs.launch import Launcher

        prepare_environment(settings)
        launcher = Launcher(definitions=build_defs(settings, progress=show), settings=settings, progress=show)
        launcher.train(
            now=dt.datetime.now(dt.UTC),
            as_of=as_of or None,
            force=force,
            recipe=recipe,
            seed=seed,
            resume=resume,
            profile=profile,
            devices=devices,
            skip_preflight=skip_preflight,
        )
    snapshot = lake.open(settings.dataset_home)
    newest = "select model_id, recipe, members, trained_through, tickers, sessions, wall_s, peak_mb from training.runs"
    (done,) = snapshot.sql(f"{newest} order by finished_at desc limit 1").to_pylist()
    gate = decision(snapshot, model_id=done["model_id"])
    said = told(settings.dataset_home / "models" / done["model_id"])
    if as_json:
        print_json("train", done | {"gate": gate} | said)
        return
    grid([done])
    if gate:
        line(decided(gate))
    for text in said["diagnosis"]:
        line(text)
    for text in said["warnings"]:
        warn(text)
    line(f"record: {said['record']}")


def predict(
    tickers: Tickers = "",
    session: Annotated[str, typer.Option(help="Session YYYY-MM-DD; empty: the newest.")] = "",
    as_of: Annotated[str, typer.Option("--as-of", help="With --verify: what was known at this session's close; empty: the session.")] = "",
    *,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Make a past session again from what was known then; exit 1 and the difference where it differs."),
    ] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Make the predictions of one session if they are not there, and print them, what changed, and of named tickers why."""
    from trader_pipeline.settings import Settings

    settings = Settings()
    if verify:
        beside.verify(settings, session, as_of, as_json=as_json)
        return
    if as_of:
        raise UsageError("--as-of goes with --verify; `trader run --as-of` goes back to what was known then")
    day = _predicted(settings, session, quiet=as_json, force=force)
    beside.warn_of_another_model(settings, day)
    chosen = tickers_of(settings, tickers)
    rows = predictions(settings, day, chosen)
    changes, reasons = beside.changed(settings, day, chosen), beside.why(settings, day, chosen)
    if as_json:
        print_json("predict", {"session": day, "predictions": rows, "changes": changes, "why": reasons})
    else:
        grid(rows)
        beside.tell(changes, reasons)


def report(
    session: Annotated[str, typer.Option(help="Session YYYY-MM-DD; empty: the newest.")] = "",
    *,
    as_json: Json = False,
) -> None:
    """Make the session's report if it is not there, and print its path."""
    from trader_pipeline.settings import Settings

    settings = Settings()
    day = _predicted(settings, session, quiet=as_json)
    path = settings.report_path(day)
    if as_json:
        print_json("report", {"session": day, "path": str(path)})
    else:
        line(str(path))


def _predicted(settings: "Settings", session: str, *, quiet: bool, force: bool = False) -> dt.date:
    """Return the session whose predictions are there now; say on stderr which feed fell short."""
    ran = due(settings, as_of=session or None, tickers=(), quiet=quiet, may_train=False, force=force)
    if ran.shortfall:
        warn(str(ran.shortfall))
    return ran.session


def due(
    settings: "Settings", *, as_of: str | None, tickers: Sequence[str], quiet: bool, may_train: bool = True, force: bool = False
) -> "Ran":
    """Run every job that is due and return what it did."""
    with progress(quiet=quiet) as show:
        from trader_pipeline.definitions import build_defs
        from trader_pipeline.defs.environment import prepare_environment
        from trader_pipeline.defs.launch import Launcher

        prepare_environment(settings)
        launcher = Launcher(definitions=build_defs(settings, progress=show), settings=settings, progress=show)
        return launcher.run_due(now=dt.datetime.now(dt.UTC), as_of=as_of, tickers=tickers, may_train=may_train, force=force)


def tickers_of(settings: "Settings", tickers: str) -> tuple[str, ...]:
    """Return the tickers of a comma-separated list as the dataset writes them: vendors write BRK-B for BRK.B. Raises `UsageError`."""
    from trader_pipeline.flows.universe import require_tickers
    from trader_pipeline.sources.listings import with_hyphen

    named = tuple(dict.fromkeys(t.strip().upper() for t in tickers.split(",") if t.strip()))
    if settings.dataset != "live":
        return named
    require_tickers(named)
    return tuple(dict.fromkeys(with_hyphen(ticker) for ticker in named))


def market(source: SourceName | None, path: Path | None, universe: str) -> "Settings":
    """Return the settings of the source's dataset, of TRADER_DATASET without one: own files without a folder are those that are stored.

    Raises `UsageError`.
    """
    from trader_pipeline.settings import Settings

    changes: dict[str, Any] = {"dataset": _DATASET[source.value] if source else Settings().dataset}
    if path and changes["dataset"] != "own":
        raise UsageError("--path goes with --source own")
    if path or source is SourceName.OWN:
        changes["own_path"] = _folder(path or Settings().own_path)
    if universe:
        changes["live_universe"] = universe
    return Settings(**changes)


def of_sample(sample: str) -> "Settings":
    """Return the settings of a sample; us20 trains ridge and LightGBM unless a recipe is set: 33 years are long for a network."""
    from trader_pipeline.settings import Settings

    settings = Settings(dataset=sample)
    return Settings(dataset=sample, recipe="classic") if sample == "us20" and "recipe" not in settings.model_fields_set else settings


def _folder(path: Path | None) -> Path:
    if path is None:
        raise UsageError("--source own wants --path FOLDER of CSV or Parquet files, or TRADER_OWN_PATH")
    if not path.is_dir():
        raise UsageError(f"{path} is no folder; name the folder that holds your CSV or Parquet files")
    return path.absolute()


def _last_session(settings: "Settings") -> dt.date:
    from trader_pipeline import calendar
    from trader_pipeline.flows.due import default_as_of

    return calendar.last_closed_session("XNYS", default_as_of(settings, now=dt.datetime.now(dt.UTC)))
