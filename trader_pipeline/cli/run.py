"""Commands that run the Dagster jobs that are due: demo, run, predict, report."""

import datetime as dt
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trader_pipeline.cli.output import grid, line, print_json, progress
from trader_pipeline.errors import InsufficientHistoryError, UsageError

if TYPE_CHECKING:
    from trader_pipeline.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
Tickers = Annotated[str, typer.Option("--tickers", help="Comma-separated tickers; empty is the whole universe.")]


class Sample(StrEnum):
    """A market that ships inside the package."""

    DEEP = "deep"
    BROAD = "broad"


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
    app.command()(predict)
    app.command()(report)


def demo(
    sample: Annotated[Sample, typer.Option(help="deep: 11 names, 2009-2020, forecasts. broad: 524 names, one year, real faults.")] = Sample.DEEP,
    *,
    as_json: Json = False,
) -> None:
    """Run the embedded real data end to end: checks, training, predictions, decisions, report."""
    from trader_pipeline.operations.memory import PeakMemory
    from trader_pipeline.settings import Settings

    began = time.monotonic()
    settings = Settings(dataset=sample.value)
    with PeakMemory() as memory:
        try:
            session = _run_due(settings, as_of=None, tickers=(), quiet=as_json)
            shortage = None
        except InsufficientHistoryError as error:
            session, shortage = _last_session(settings), error
    facts = _facts(settings, session, shortage)
    facts |= {"seconds": round(time.monotonic() - began, 1), "peak_mb": round(memory.peak_mb)}
    if as_json:
        print_json("demo", facts)
        return
    _tell(settings, facts, shortage)


def run(
    source: Annotated[SourceName, typer.Option(help="Where data comes from.")],
    tickers: Tickers = "",
    universe: Annotated[str, typer.Option(help="A list of universe.toml (yahoo).")] = "",
    path: Annotated[Path | None, typer.Option(help="Folder of CSV or Parquet files (own).")] = None,
    as_of: Annotated[str, typer.Option("--as-of", help="Session YYYY-MM-DD: its close + 30 min. Empty: the newest.")] = "",
    *,
    as_json: Json = False,
) -> None:
    """Bring one market up to date: fetch, check, train if no model exists, predict, decide, report."""
    from trader_pipeline.settings import Settings

    changes: dict[str, Any] = {"dataset": _DATASET[source.value]}
    if source is SourceName.OWN:
        changes["own_path"] = _folder(path)
    elif path:
        raise UsageError("--path goes with --source own")
    if universe:
        changes["live_universe"] = universe
    settings = Settings(**changes)
    chosen = _tickers(settings, tickers)
    session = _run_due(settings, as_of=as_of or None, tickers=chosen, quiet=as_json)
    facts = _facts(settings, session, None)
    if as_json:
        print_json("run", facts)
        return
    _tell(settings, facts, None)


def predict(
    tickers: Tickers = "",
    session: Annotated[str, typer.Option(help="Session YYYY-MM-DD; empty: the newest.")] = "",
    *,
    as_json: Json = False,
) -> None:
    """Make the predictions of one session if they are not there, and print them."""
    from trader_pipeline.settings import Settings

    settings = Settings()
    day = _run_due(settings, as_of=session or None, tickers=(), quiet=as_json)
    rows = _predictions(settings, day, _split(tickers))
    if as_json:
        print_json("predict", {"session": day, "predictions": rows})
    else:
        grid(rows)


def report(
    session: Annotated[str, typer.Option(help="Session YYYY-MM-DD; empty: the newest.")] = "",
    *,
    as_json: Json = False,
) -> None:
    """Make the session's report if it is not there, and print its path."""
    from trader_pipeline.settings import Settings

    settings = Settings()
    day = _run_due(settings, as_of=session or None, tickers=(), quiet=as_json)
    path = _report_path(settings, day)
    if as_json:
        print_json("report", {"session": day, "path": str(path)})
    else:
        line(str(path))


def _run_due(settings: "Settings", *, as_of: str | None, tickers: Sequence[str], quiet: bool) -> dt.date:
    with progress(quiet=quiet) as show:
        show("loading")
        from trader_pipeline.defs.launch import run_due

        return run_due(settings, now=dt.datetime.now(dt.UTC), as_of=as_of, progress=show, tickers=tickers).session


def _split(tickers: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(t.strip().upper() for t in tickers.split(",") if t.strip()))


def _tickers(settings: "Settings", tickers: str) -> tuple[str, ...]:
    if tickers or settings.dataset != "live":
        return _split(tickers)
    from trader_pipeline.settings import load_universe

    return tuple(load_universe(settings.universe_file, settings.live_universe))


def _folder(path: Path | None) -> Path:
    if path is None:
        raise UsageError("--source own wants --path FOLDER of CSV or Parquet files")
    if not path.is_dir():
        raise UsageError(f"{path} is no folder; name the folder that holds your CSV or Parquet files")
    return path.absolute()


def _last_session(settings: "Settings") -> dt.date:
    from trader_pipeline import calendar
    from trader_pipeline.flows.due import default_as_of

    return calendar.last_closed_session("XNYS", default_as_of(settings, now=dt.datetime.now(dt.UTC)))


def _report_path(settings: "Settings", session: dt.date) -> Path:
    return settings.dataset_home / "reports" / f"report_{session}.html"


def _facts(settings: "Settings", session: dt.date, shortage: InsufficientHistoryError | None) -> dict[str, Any]:
    from trader_pipeline import lake

    snapshot = lake.open(settings.dataset_home)
    row = snapshot.sql("select count(*) n, count(distinct ticker) t, count(*) filter (abstained) a from predictions.daily where session = ?", [session]).to_pylist()[0]
    listed = snapshot.sql("select count(distinct ticker) n from core.daily_bars").to_pylist()[0]["n"]
    facts = {
        "state": "insufficient_history" if shortage else "predicted",
        "session": session,
        "tickers": row["t"] or listed,
        "predictions": row["n"],
        "abstained": row["a"],
        "home": str(settings.dataset_home),
    }
    if shortage:
        facts |= {"sessions_needed": shortage.needed, "sessions_available": shortage.available, "message": str(shortage)}
    return facts


def _predictions(settings: "Settings", session: dt.date, tickers: Sequence[str]) -> list[dict[str, Any]]:
    from trader_pipeline import lake

    rows = lake.open(settings.dataset_home).sql(
        "select ticker, horizon_sessions, return_mean, q05, q95, p_up, base_rate, confidence, score, abstained from predictions.daily "
        "where session = $session and (len($tickers) = 0 or list_contains($tickers, ticker)) order by horizon_sessions, score desc",
        {"session": session, "tickers": list(tickers)},
    )
    found: list[dict[str, Any]] = rows.to_pylist()
    unknown = sorted(set(tickers) - {r["ticker"] for r in found})
    if unknown:
        raise UsageError(f"no prediction of {session} for {', '.join(unknown)}; `trader sql \"select distinct ticker from predictions.daily\"` lists the tickers")
    return found


def _tell(settings: "Settings", facts: dict[str, Any], shortage: InsufficientHistoryError | None) -> None:
    from trader_pipeline import lake

    if shortage:
        line(f"{facts['session']}: no predictions. {shortage}")
        _tell_findings(settings)
        return
    snapshot = lake.open(settings.dataset_home)
    line(f"{facts['predictions']} predictions of {facts['session']} for {facts['tickers']} tickers, {facts['abstained']} abstained.")
    _tell_extremes(settings, facts["session"])
    line("\nOut-of-fold direction (ensemble), beside the better base rate:")
    newest = "where model = 'ensemble' qualify rank() over (order by known_at desc, model_id) = 1 order by horizon_sessions"
    for row in snapshot.sql(f"select horizon_sessions, verdict from evaluation.scorecard {newest}").to_pylist():  # noqa: S608 - constant text
        line(f"  {row['horizon_sessions']:>2} sessions  {row['verdict']}")
    line(f"\nReport:    {_report_path(settings, facts['session'])}")
    line("Dashboard: trader serve       Dagster UI: trader dev       Tables: trader sql \"select * from decisions.daily\"")
    if settings.dataset != "deep":
        line(f"(these read TRADER_DATASET, now {settings.dataset}: export TRADER_DATASET={settings.dataset})")


def _tell_extremes(settings: "Settings", session: dt.date) -> None:
    rows = [r for r in _predictions(settings, session, ()) if r["horizon_sessions"] == 5]  # noqa: PLR2004 - the headline horizon
    shown = [*rows[:3], *rows[-3:]] if len(rows) > 6 else rows  # noqa: PLR2004 - three at each end
    line("\nTop and bottom by score, 5 sessions:")
    for row in shown:
        line(
            f"  {row['ticker']:<6} {row['return_mean']:+.2%}  [{row['q05']:+.1%} … {row['q95']:+.1%}]  "
            f"P(up) {row['p_up']:.1%} (base {row['base_rate']:.1%})  confidence {row['confidence']:.2f}{'  abstained' if row['abstained'] else ''}"
        )


def _tell_findings(settings: "Settings") -> None:
    from trader_pipeline import lake

    rows = lake.open(settings.dataset_home).sql(
        "select rule, severity, scope, count(*) findings, sum(sessions)::bigint sessions, count(distinct ticker) tickers from quality.findings "
        "where run_id = (select max_by(run_id, known_at) from quality.findings) group by all order by all"
    )
    line("\nWhat the checks found:")
    grid(rows.to_pylist())
