"""What stands beside the predictions: why, what changed, whether a past day can be made again, and the paper log."""

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trader_pipeline.cli.output import grid, line, print_json, warn
from trader_pipeline.errors import UsageError

if TYPE_CHECKING:
    from trader_pipeline.settings import Settings
    from trader_pipeline.snapshot import Snapshot

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
_SHOWN = 20
"""Changes and cells that a person is shown; --json has all."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(paper)


def paper(ticker: Annotated[str, typer.Option(help="One ticker; empty: all.")] = "", *, as_json: Json = False) -> None:
    """Show how predictions came out at each horizon, net of cost: those made in time, and apart from them those made in hindsight."""
    from trader_pipeline import lake
    from trader_pipeline.flows.paper_log import SUMMARY
    from trader_pipeline.schema.predicted import NOT_LOGGED
    from trader_pipeline.settings import Settings
    from trader_pipeline.sources import last_session_of

    settings = Settings()
    snapshot = lake.open(settings.dataset_home)
    snapshot.require("predictions.daily")
    values = {"ticker": ticker.upper() or None}
    summary = snapshot.sql(SUMMARY, values).to_pylist()
    newest = snapshot.sql(
        "select session, ticker, horizon_sessions, in_time, p_up, return_mean, entry, entry_session, entry_price, exit_session, "
        "exit_price, ended, realised_return, net_return from predictions.paper_log where $ticker is null or ticker = $ticker "
        "order by exit_session desc, ticker, horizon_sessions limit $shown",
        values | {"shown": _SHOWN},
    ).to_pylist()
    last = snapshot.sql("select max(session) as last from core.accepted_bars")["last"][0].as_py()
    (left,) = snapshot.sql(NOT_LOGGED, values | {"newest": last}).to_pylist()
    if as_json:
        print_json("paper", {"summary": summary, "newest": newest} | left)
        return
    ends = last_session_of(settings.dataset)
    never = f", which these data, ending on {ends}, never reach" if ends and left["waiting"] else ""
    line(f"{left['waiting']} predictions wait for the end of their horizon{never}.")
    if left["without_outcome"]:
        line(f"{left['without_outcome']} are over without an outcome: no accepted price at entry or exit, or no run since.")
    if summary:
        line("\nOf those that came to their end (in_time: made before the entry; the others are hindsight; ended: delisted before, with")
        line("the return of TRADER_PAPER__DELISTING_RETURN, which a merger gets as well):")
        grid(summary)
        line("\nThe last to end:")
        grid(newest)


def verify(settings: "Settings", session: str, as_of: str, *, as_json: bool) -> None:
    """Make a past session's predictions again and print whether they are the same; exit 1 where they differ."""
    from trader_pipeline.defs.resources import moment_of
    from trader_pipeline.flows.verify import verify as rebuild
    from trader_pipeline.lake import Lake

    if not session:
        raise UsageError("--verify makes one past session again; name it: --session YYYY-MM-DD")
    now = dt.datetime.now(dt.UTC)
    moment_of(session, now=now)
    if as_of and as_of < session:
        raise UsageError(f"--as-of {as_of} lies before the session {session}: nothing of it was known then; leave --as-of out")
    found = rebuild(
        Lake(settings.dataset_home / "lake", settings.dataset),
        settings,
        session=dt.date.fromisoformat(session),
        as_of=moment_of(as_of or session, now=now),
        run_id="verify",
        today=now.date(),
    )
    hashes = {name: getattr(found, name) for name in ("expected", "stored", "rebuilt")}
    codes = {name: getattr(found, name) for name in ("published_by", "code_version")}
    if as_json:
        facts = {"session": found.session, "as_of": found.as_of, "same": found.same, "model_id": found.model_id, "rows": found.rows}
        print_json("verify", facts | hashes | codes | {"differences": list(found.differences)})
    else:
        for name, value in (hashes | codes).items():
            line(f"{name:<14} {value}")
        verdict = "the same" if found.same else f"not the same: {len(found.differences)} cells differ from predictions.daily"
        line(f"\n{found.session} as known at {found.as_of:%Y-%m-%d %H:%M} UTC, {found.rows} rows by model {found.model_id}: {verdict}")
        if found.differences:
            grid(list(found.differences[:_SHOWN]))
            if len(found.differences) > _SHOWN:
                line(f"and {len(found.differences) - _SHOWN} more; --json has all")
            if found.published_by != found.code_version:
                line("Other code published it: formulas that changed since may be all that differs; docs/runbook.md says how to tell.")
        if found.stored != found.expected:
            line("predictions.daily is not what was exported.")
    if not found.same:
        raise typer.Exit(1)


def warn_of_another_model(settings: "Settings", session: dt.date) -> None:
    """Say on stderr where the session's predictions are not of the model that serves: once the entry is over, they stay."""
    from trader_pipeline import calendar, lake
    from trader_pipeline.champion import EXCHANGE, serving_run
    from trader_pipeline.errors import NoModelError

    snapshot = lake.open(settings.dataset_home)
    made = snapshot.sql("select any_value(model_id) model_id from predictions.daily where session = ?", [session])["model_id"][0].as_py()
    try:
        serves = serving_run(snapshot, session, calendar.known_at(EXCHANGE, session))["model_id"]
    except NoModelError as error:
        warn(f"the predictions of {session} are of model {made}, which serves no longer: {error}")
        return
    if made != serves:
        warn(
            f"the predictions of {session} are of model {made}, not of {serves}, which serves: the session's entry is over, so they stay; "
            f"`trader predict --session {session} --force` makes them anew, in hindsight"
        )


def changed(settings: "Settings", session: dt.date, tickers: Sequence[str]) -> dict[str, Any]:
    """Return what changed since the session before that has predictions, the largest moves first.

    `since` is that session, None where there is none before; `none` says why there are no rows, None where there are.
    """
    from trader_pipeline import lake
    from trader_pipeline.flows.changes import previous_session

    snapshot = lake.open(settings.dataset_home)
    since = previous_session(snapshot, session)
    rows = snapshot.sql(
        "select ticker, horizon_sessions, kind, previous_rank, rank, rank_move, previous_score, score, "
        "previous_p_up, p_up, cause, data_effect, model_effect, price_effect from predictions.changes "
        "where session = $session and previous_session = $since and kind <> 'same' "
        "and (len($tickers) = 0 or list_contains($tickers, ticker)) "
        "order by kind in ('new', 'lost') desc, kind = 'flipped' desc, abs(rank_move) desc, ticker, horizon_sessions",
        {"session": session, "since": since, "tickers": list(tickers)},
    ).to_pylist()
    return {"since": since, "none": None if rows else _unchanged(snapshot, session, since, tickers), "rows": rows}


def _unchanged(snapshot: "Snapshot", session: dt.date, since: dt.date | None, tickers: Sequence[str]) -> str:
    """Return why nothing is told to have changed: nothing to compare with, not compared, or the same."""
    if since is None:
        return f"{session} is compared with no session before it: predictions.daily begins with it"
    compared = "select count(*) n from predictions.changes where session = ? and previous_session = ?"
    if not snapshot.sql(compared, [session, since])["n"][0].as_py():
        return (
            f"{session} was not compared with {since}: the data changed after {session} was predicted and its entry is over, "
            f"so its predictions stay; `trader predict --session {session} --force` makes both anew, in hindsight"
        )
    whose = f" of {', '.join(tickers)}" if tickers else ""
    return f"no rank or direction{whose} changed since {since}"


def why(settings: "Settings", session: dt.date, tickers: Sequence[str]) -> list[dict[str, Any]]:
    """Return the ensemble's contributions of the named tickers."""
    from trader_pipeline import lake

    found: list[dict[str, Any]] = (
        lake.open(settings.dataset_home)
        .sql(
            "select ticker, horizon_sessions, feature, contribution, value, score, completeness_error from predictions.explanations "
            "where session = $session and model = 'ensemble' and list_contains($tickers, ticker) order by ticker, horizon_sessions, rank",
            {"session": session, "tickers": list(tickers)},
        )
        .to_pylist()
    )
    return found


def tell(changes: dict[str, Any], reasons: list[dict[str, Any]]) -> None:
    """Print both for a person."""
    if changes["none"]:
        line(f"\n{changes['none']}.")
    else:
        line(f"\nWhat changed since {changes['since']}, and the largest cause:")
        shown = ("ticker", "horizon_sessions", "kind", "previous_rank", "rank", "previous_score", "score", "cause")
        grid([{name: row[name] for name in shown} for row in changes["rows"][:_SHOWN]])
        if len(changes["rows"]) > _SHOWN:
            line(f"and {len(changes['rows']) - _SHOWN} more; --json has them")
    if reasons:
        line("\nWhy: contributions to the score, which sum to it:")
        grid(reasons)
