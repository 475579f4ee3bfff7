"""Data status, the reports, and the answer to "are you there?"."""

import datetime as dt
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from trader_pipeline import calendar
from trader_pipeline.coverage import feature_coverage
from trader_pipeline.dashboard import queries, states, status
from trader_pipeline.dashboard.security import REPORT_POLICY
from trader_pipeline.dashboard.site import Site

_PREFIX, _SUFFIX = "report_", ".html"


def router(site: Site) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/status")
    def data_status(request: Request) -> Response:
        return _status_page(site, request)

    @routes.get("/report")
    def newest_report(request: Request, session: str = "") -> Response:
        listed = reports(site.settings.dataset_home)
        chosen = session or (listed[0].isoformat() if listed else "")
        if session and session not in {day.isoformat() for day in listed}:
            raise HTTPException(404, f"There is no report of {session}; write it with `trader report --session {session}`")
        return site.page(request, "report.html", sessions=listed, chosen=chosen)

    @routes.get("/report/{session}")
    def one_report(session: dt.date) -> Response:
        path = site.settings.dataset_home / "reports" / f"{_PREFIX}{session}{_SUFFIX}"
        if not path.is_file():
            raise HTTPException(404, f"There is no report of {session}; write it with `trader report --session {session}`")
        return HTMLResponse(path.read_text(encoding="utf-8"), headers={"Content-Security-Policy": REPORT_POLICY})

    @routes.get("/healthz")
    def healthz() -> Response:
        snapshot = site.reader.snapshot()
        return JSONResponse(
            {"schema": "health/1", "ok": True, "dataset": site.settings.dataset, "commit": snapshot.commit.id if snapshot else None}
        )

    return routes


def reports(dataset_home: Path) -> list[dt.date]:
    """Return the sessions that have a report, newest first; a file's session is in its name."""
    found = []
    for path in (dataset_home / "reports").glob(f"{_PREFIX}*{_SUFFIX}"):
        try:
            found.append(dt.date.fromisoformat(path.name.removeprefix(_PREFIX).removesuffix(_SUFFIX)))
        except ValueError:
            continue  # not one of ours
    return sorted(found, reverse=True)


def _status_page(site: Site, request: Request) -> Response:
    snapshot = site.reader.snapshot()
    disk = status.disk(site.settings.home, site.settings.dataset_home)
    daemon = status.daemon(site.settings.heartbeats, site.settings.dataset, site.clock())
    if snapshot is None:
        return site.page(request, "status.html", state=site.state(None, None), disk=disk, daemon=daemon, tables=None)
    exchange = queries.exchange(snapshot)
    span = status.bar_span(snapshot)
    historical = site.settings.dataset in states.HISTORICAL
    as_of = calendar.known_at(exchange, span["last_session"]) if historical and span["last_session"] else site.clock()
    counted, failed = status.fetches(snapshot)
    listed = queries.sessions(snapshot)
    return site.page(
        request,
        "status.html",
        state=site.state(snapshot, listed[0] if listed else None),
        strip=site.strip(snapshot, listed[0]) if listed else None,
        stale_warning=site.settings.checks.stale_warning,
        as_of=as_of,
        commit=snapshot.commit,
        span=span,
        tables=status.tables(snapshot, exchange, as_of),
        coverage=feature_coverage(snapshot),
        checked=status.checked(snapshot),
        rules=status.rules(snapshot),
        quarantine=status.quarantine(snapshot),
        fetched=counted,
        failed=failed,
        lagging=[] if historical else status.lagging(snapshot, exchange, as_of),
        bars_by_source=status.bars_by_source(snapshot),
        ended=status.ended(snapshot),
        training_runs=status.training_runs(snapshot, as_of),
        prediction_runs=status.prediction_runs(snapshot),
        disk=disk,
        daemon=daemon,
    )
