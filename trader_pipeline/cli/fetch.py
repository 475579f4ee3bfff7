"""`trader fetch`: ask vendors alone, and say what became of every ticker."""

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trader_pipeline.cli.output import grid, line, print_json, progress, warn
from trader_pipeline.errors import SourceUnavailableError, UsageError

if TYPE_CHECKING:
    from trader_pipeline.settings import Settings
    from trader_pipeline.sources.source import Feed

_SHOWN = 50
_DETAIL = 80
_ATTEMPTS = """
select source, kind, ticker, outcome, "rows", requests, retries, throttled, first_session, last_session, detail
from raw.fetch_attempts where run_id = ? order by outcome = 'ok', outcome = 'no_data', outcome, source, kind, ticker"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(fetch)


def fetch(
    source: Annotated[
        str, typer.Option(help="yahoo, fmp, tiingo, fred, sec, cboe, french, sp500; empty is every source that is set.")
    ] = "",
    kind: Annotated[str, typer.Option(help="bars, news, options, fundamentals, earnings, macro, factors, members, symbols.")] = "",
    tickers: Annotated[str, typer.Option("--tickers", help="Comma-separated tickers; empty is the whole universe.")] = "",
    since: Annotated[
        str,
        typer.Option(
            help="Ask again from this day YYYY-MM-DD on; a ticker without stored bars is asked for from TRADER_LIVE_FIRST_SESSION on, "
            "if that is earlier. Empty is what each ticker lacks."
        ),
    ] = "",
    *,
    restate: Annotated[bool, typer.Option("--restate", help="Ask for the whole history again and store all of the answer.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")] = False,
) -> None:
    """Ask the live market's vendors and store what they say, without checks or predictions. Exit 5 when too many tickers failed."""
    from trader_pipeline.cli.run import tickers_of
    from trader_pipeline.settings import Settings

    settings = Settings(dataset="live")
    feeds = _chosen(settings, source, kind)
    named, first = tickers_of(settings, tickers), _day(since)
    run_id = str(uuid.uuid4())
    shortage = None
    with progress(quiet=as_json) as show:
        from trader_pipeline.definitions import build_defs
        from trader_pipeline.defs.environment import prepare_environment
        from trader_pipeline.defs.launch import Ask, Launcher

        prepare_environment(settings)
        launcher = Launcher(definitions=build_defs(settings, progress=show), settings=settings, progress=show)
        ask = Ask(tickers=list(named), since=first, restate=restate)
        try:
            launcher.fetch(feeds, now=dt.datetime.now(dt.UTC), ask=ask, run_id=run_id)
        except SourceUnavailableError as error:
            shortage = error
    _tell(settings, feeds, run_id, as_json=as_json, shortage=shortage)
    _warn_of_unfollowed(settings, run_id, named)
    if shortage:
        raise shortage


def _chosen(settings: "Settings", source: str, kind: str) -> "list[Feed]":
    from trader_pipeline.sources import FEEDS, feeds_of

    live = [feed for feed in FEEDS if not feed.local]
    for given, known in ((source, {feed.source for feed in live}), (kind, {feed.kind for feed in live})):
        if given and given not in known:
            raise UsageError(f"{given!r} is none of {', '.join(sorted(known))}")
    feeds = [feed for feed in feeds_of(settings) if source in ("", feed.source) and kind in ("", feed.kind)]
    unready = [why for feed in feeds if (why := feed.unready(settings))]
    if feeds and len(unready) == len(feeds):
        raise UsageError(unready[0])
    if feeds:
        return feeds
    could = [feed for feed in live if source in ("", feed.source) and kind in ("", feed.kind)]
    if not could:
        raise UsageError(f"{source} has no {kind}; it has {', '.join(feed.kind for feed in live if feed.source == source)}")
    names = " or ".join(f"TRADER_SOURCES__{feed.kind.upper()}='[\"{feed.source}\"]'" for feed in could)
    raise UsageError(f"nothing is fetched from {source or 'any source'} for {kind or 'any kind'}; switch it on with {names}")


def _day(text: str) -> str:
    try:
        day = dt.date.fromisoformat(text) if text else None
    except ValueError as error:
        raise UsageError(f"{text!r} is no date; write YYYY-MM-DD") from error
    if day and day > dt.datetime.now(dt.UTC).date():
        raise UsageError(f"{day} is still to come; name a day in the past")
    return day.isoformat() if day else ""


def _tell(settings: "Settings", feeds: "list[Feed]", run_id: str, *, as_json: bool, shortage: SourceUnavailableError | None) -> None:
    from trader_pipeline.lake import Lake

    snapshot = Lake(settings.dataset_home / "lake", settings.dataset).snapshot()
    attempts: list[dict[str, Any]] = snapshot.sql(_ATTEMPTS, [run_id]).to_pylist()
    asked = [feed.name for feed in feeds]
    counts = {name: sum(a[name] or 0 for a in attempts) for name in ("rows", "requests", "retries", "throttled")}
    if as_json:
        found = {"run_id": run_id, "feeds": asked, **counts, "attempts": attempts, "unavailable": str(shortage) if shortage else None}
        print_json("fetch", found)
        return
    if not attempts:
        line(f"{', '.join(asked)}: nothing is lacking, nobody was asked; --since or --restate ask all the same")
        return
    shown = attempts[:_SHOWN]
    grid([{**dict(list(a.items())[:8]), "span": _span(a), "detail": (a["detail"] or "-")[:_DETAIL]} for a in shown])
    if len(attempts) > _SHOWN:
        line(f"and {len(attempts) - _SHOWN} more, all of them are in raw.fetch_attempts under run_id '{run_id}'")
    line(", ".join(f"{value:,} {name}" for name, value in counts.items()))


def _warn_of_unfollowed(settings: "Settings", run_id: str, named: tuple[str, ...]) -> None:
    """Name the tickers whose bars came and that no later run asks for by itself."""
    from trader_pipeline.flows.followed import not_followed
    from trader_pipeline.lake import Lake

    snapshot = Lake(settings.dataset_home / "lake", settings.dataset).snapshot()
    came = {row["ticker"] for row in snapshot.sql(_ATTEMPTS, [run_id]).to_pylist() if row["kind"] == "bars" and row["outcome"] == "ok"}
    strange = not_followed(snapshot, settings, [t for t in named if t in came], dt.datetime.now(dt.UTC).date())
    if strange:
        warn(
            f"{', '.join(strange)}: stored, but not in the list {settings.live_universe!r}, so no later run asks and the bars grow old; "
            f"`trader universe add {settings.live_universe} {' '.join(strange)}` follows them"
        )


def _span(attempt: dict[str, Any]) -> str | None:
    return f"{attempt['first_session']} … {attempt['last_session']}" if attempt["first_session"] else None
