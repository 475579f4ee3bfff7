"""What a run says when it is done: the forecasts at both ends, the scorecard, where to look next."""

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trader_pipeline.cli.models import decided
from trader_pipeline.cli.output import grid, line, warn
from trader_pipeline.errors import InsufficientHistoryError, UsageError

if TYPE_CHECKING:
    from trader_pipeline.settings import Settings
    from trader_pipeline.snapshot import Snapshot

_HEADLINE_SESSIONS = 5
_SHOWN = 3
_NAMED = 8
_LIST_TICKERS = '`trader sql "select distinct ticker from predictions.daily"` lists the tickers'


def decision(snapshot: "Snapshot", *, model_id: str | None = None, since: dt.datetime | None = None) -> dict[str, Any] | None:
    """Return the last row of evaluation.promotions, of one model, or of the instant `since` and later; None where there is none."""
    rows: list[dict[str, Any]] = snapshot.sql(
        "select * from evaluation.promotions where ($model is null or model_id = $model) and ($since is null or decided_at >= $since) "
        "order by decided_at desc, model_id limit 1",
        {"model": model_id, "since": since},
    ).to_pylist()
    return rows[0] if rows else None


def facts(settings: "Settings", session: dt.date, shortage: InsufficientHistoryError | None, *, since: dt.datetime) -> dict[str, Any]:
    """Return what `--json` prints of a run that began at `since`; `gate` is what it decided on a model, None where it decided nothing."""
    from trader_pipeline import lake

    snapshot = lake.open(settings.dataset_home)
    row = snapshot.sql(
        "select count(*) n, count(distinct ticker) t, count(*) filter (abstained) a from predictions.daily where session = ?", [session]
    ).to_pylist()[0]
    listed = snapshot.sql("select count(distinct ticker) n from core.daily_bars").to_pylist()[0]["n"]
    facts = {
        "state": "insufficient_history" if shortage else "predicted",
        "session": session,
        "tickers": row["t"] or listed,
        "predictions": row["n"],
        "abstained": row["a"],
        "gate": decision(snapshot, since=since),
        "home": str(settings.dataset_home),
    }
    if shortage:
        facts |= {"sessions_needed": shortage.needed, "sessions_available": shortage.available, "message": str(shortage)}
    return facts


def predictions(settings: "Settings", session: dt.date, tickers: Sequence[str]) -> list[dict[str, Any]]:
    """Return the session's forecasts, best first a horizon; raise `UsageError` for a ticker that has none."""
    from trader_pipeline import lake

    rows = lake.open(settings.dataset_home).sql(
        "select ticker, horizon_sessions, return_mean, q05, q95, p_up, base_rate, confidence, score, abstained from predictions.daily "
        "where session = $session and (len($tickers) = 0 or list_contains($tickers, ticker)) order by horizon_sessions, score desc",
        {"session": session, "tickers": list(tickers)},
    )
    found: list[dict[str, Any]] = rows.to_pylist()
    unknown = sorted(set(tickers) - {r["ticker"] for r in found})
    if unknown:
        raise UsageError(f"no prediction of {session} for {', '.join(unknown)}; {_LIST_TICKERS}")
    return found


def require_predicted(settings: "Settings", session: dt.date, tickers: Sequence[str]) -> None:
    """Raise `UsageError` when tickers were named and none of them has a forecast; name those that have none on stderr."""
    from trader_pipeline import lake

    rows = lake.open(settings.dataset_home).sql("select distinct ticker from predictions.daily where session = ?", [session])
    found = {settings.benchmark, *rows["ticker"].to_pylist()}
    absent = sorted(set(tickers) - found)
    if not absent:
        return
    fact = f"no forecast of {session} for {', '.join(absent)}; `trader status` says what the source answered"
    if set(absent) == set(tickers):
        raise UsageError(fact)
    warn(fact)


def warn_of_corrections(settings: "Settings", as_of: str) -> None:
    """Say on stderr how many bars were corrected after the session `as_of`, and from which session on the corrections count."""
    from trader_pipeline.defs.resources import moment_of
    from trader_pipeline.flows.corrections import corrections_after
    from trader_pipeline.lake import Lake

    snapshot = Lake(settings.dataset_home / "lake", settings.dataset).snapshot()
    bars, counts_from = corrections_after(snapshot, moment_of(as_of, now=dt.datetime.now(dt.UTC)))
    if bars:
        many = f"{bars:,} corrected bar{'' if bars == 1 else 's'}"
        warn(f"{many} came after {as_of} and did not count; from {counts_from} on they do, in runs of that session or without --as-of")


def tell(settings: "Settings", facts: dict[str, Any], shortage: InsufficientHistoryError | None) -> None:
    """Print the run for a person."""
    from trader_pipeline import lake

    if shortage:
        line(f"{facts['session']}: no predictions. {shortage}")
        _tell_findings(settings)
        _tell_cost(facts)
        if settings.dataset != "deep":
            line(f"Look further with TRADER_DATASET={settings.dataset} before `trader status`, `trader serve` and `trader sql`.")
        return
    snapshot = lake.open(settings.dataset_home)
    line(f"{facts['predictions']} predictions of {facts['session']} for {facts['tickers']} tickers, {facts['abstained']} abstained.")
    _tell_extremes(settings, facts["session"])
    line("\nOut-of-fold direction (ensemble), beside the better base rate:")
    verdicts = snapshot.sql(
        "select horizon_sessions, verdict from evaluation.scorecard where model = 'ensemble' "
        "and model_id = (select any_value(model_id) from predictions.daily where session = ?) order by horizon_sessions",
        [facts["session"]],
    )
    for row in verdicts.to_pylist():
        line(f"  {row['horizon_sessions']:>2} sessions  {row['verdict']}")
    if facts["gate"]:
        line(f"\n{decided(facts['gate'])}")
    _tell_cost(facts)
    line(f"Report:    {settings.report_path(facts['session'])}")
    line('Dashboard: trader serve       Dagster UI: trader dev       Tables: trader sql "select * from decisions.daily"')
    if settings.dataset != "deep":
        line(f"(these read TRADER_DATASET, now {settings.dataset}: export TRADER_DATASET={settings.dataset})")


def _tell_cost(facts: dict[str, Any]) -> None:
    line(f"\n{facts['seconds']:.0f} s, at most {facts['peak_mb']:,} MB." if "seconds" in facts else "")


def _tell_extremes(settings: "Settings", session: dt.date) -> None:
    rows = [r for r in predictions(settings, session, ()) if r["horizon_sessions"] == _HEADLINE_SESSIONS]
    shown = [*rows[:_SHOWN], *rows[-_SHOWN:]] if len(rows) > 2 * _SHOWN else rows
    line("\nTop and bottom by score, 5 sessions:")
    for row in shown:
        odds = f"P(up) {row['p_up']:.1%} (base {row['base_rate']:.1%})  confidence {row['confidence']:.2f}"
        span = f"[{row['q05']:+.1%} … {row['q95']:+.1%}]"
        line(f"  {row['ticker']:<6} {row['return_mean']:+.2%}  {span:<18} {odds}{'  abstained' if row['abstained'] else ''}")


def _tell_findings(settings: "Settings") -> None:
    from trader_pipeline import lake

    rows = lake.open(settings.dataset_home).sql(
        "select rule, severity, scope, count(*) findings, sum(sessions)::bigint sessions, "
        "count(distinct nullif(ticker, '*')) tickers, "
        "list({ticker: ticker, day: first_session, sessions: sessions} order by sessions desc, first_session, ticker) which "
        "from quality.findings "
        "where run_id = (select max_by(run_id, known_at) from quality.metrics) group by rule, severity, scope order by all"
    )
    found = rows.to_pylist()
    line("\nWhat the checks found:")
    grid([{name: value for name, value in row.items() if name != "which"} for row in found])
    line()
    for row in found:
        line(f"{row['rule']} {row['severity']}: {which(row['which'])}")


def which(found: Sequence[dict[str, Any]]) -> str:
    """Return of what findings speak: "2009-09-08, ETFC 25 sessions, AAPL 2010-03-01 and 3 more"."""
    shown = []
    for row in found[:_NAMED]:
        how_much = f"{row['sessions']} sessions" if row["sessions"] > 1 else row["day"].isoformat()
        shown.append(how_much if row["ticker"] == "*" else f"{row['ticker']} {how_much}")
    return ", ".join(shown) + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else "")
