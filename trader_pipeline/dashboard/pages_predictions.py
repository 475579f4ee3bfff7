"""Predictions: the table, its CSV and JSON, and the page of one ticker."""

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from trader_pipeline.champion import serving
from trader_pipeline.dashboard import beside, chart, export, performance, queries
from trader_pipeline.dashboard.asked import Asked
from trader_pipeline.dashboard.queries import Selection
from trader_pipeline.dashboard.site import Site
from trader_pipeline.errors import UsageError
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema.contracts import PREDICTIONS

DEFAULT_HORIZON = 5
ROWS_SHOWN = 500
"""Rows on the page; the export holds all."""


def router(site: Site) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/")
    def home(request: Request, asked: Annotated[Asked, Query()]) -> Response:
        snapshot = site.reader.snapshot()
        day = _session(snapshot, asked.session) if snapshot else None
        if snapshot is None or day is None:
            return site.page(request, "predictions.html", state=site.state(snapshot, day), selection=None)
        return _predictions_page(site, request, snapshot, asked.selection(day, horizon=DEFAULT_HORIZON))

    @routes.get("/predictions.csv")
    def as_csv(asked: Annotated[Asked, Query()]) -> Response:
        snapshot, day = _required(site, asked.session)
        text = export.to_csv(queries.predictions(snapshot, asked.selection(day)))
        disposition = f'attachment; filename="predictions_{site.settings.dataset}_{day}.csv"'
        return Response(text, media_type="text/csv", headers={"Content-Disposition": disposition})

    @routes.get("/api/predictions")
    def as_json(asked: Annotated[Asked, Query()]) -> Response:
        snapshot, day = _required(site, asked.session)
        rows = export.to_plain(queries.predictions(snapshot, asked.selection(day)))
        state = site.state(snapshot, day)
        facts = {"schema": "predictions/1", "dataset": site.settings.dataset, "session": day.isoformat(), "state": state.kind}
        return JSONResponse(facts | {"rows": rows})

    @routes.get("/api/predictions/{ticker}")
    def one_as_json(ticker: str, session: str = "") -> Response:
        snapshot, day = _required(site, session)
        rows = export.to_plain(queries.of_ticker(snapshot, day, ticker), PREDICTIONS.names)
        if not rows:
            raise HTTPException(404, f"no prediction of {day} for {ticker!r}; /api/predictions lists the tickers that have one")
        facts = {
            "schema": "ticker/1",
            "dataset": site.settings.dataset,
            "session": day.isoformat(),
            "state": site.state(snapshot, day).kind,
        }
        return JSONResponse(facts | {"ticker": ticker, "rows": rows})

    @routes.get("/ticker/{ticker}")
    def one_ticker(request: Request, ticker: str, session: str = "") -> Response:
        snapshot = site.reader.snapshot()
        if snapshot is None:
            return site.page(request, "predictions.html", state=site.state(None, None), selection=None)
        return _ticker_page(site, request, snapshot, ticker, session)

    return routes


def _required(site: Site, session: str) -> tuple[Snapshot, dt.date]:
    """Return the snapshot and the session asked for; answer 404 with the mend where there are no predictions."""
    snapshot = site.reader.snapshot()
    day = _session(snapshot, session) if snapshot else None
    if snapshot is None or day is None or not queries.made(snapshot, day)["rows"]:
        state = site.state(snapshot, day)
        raise HTTPException(404, f"{state.title}. {state.detail} Run `{state.command}`")
    return snapshot, day


def _predictions_page(site: Site, request: Request, snapshot: Snapshot, selection: Selection) -> Response:
    state = site.state(snapshot, selection.session)
    strip = site.strip(snapshot, selection.session)
    rows = queries.predictions(snapshot, selection) if state.has_predictions else []
    values: dict[str, Any] = {"state": state, "strip": strip, "selection": selection, "bounds": _bounds(rows)}
    values |= {"rows": rows[:ROWS_SHOWN], "found": len(rows)}
    values["made"] = queries.made(snapshot, selection.session)
    values["descending_first"] = queries.DESCENDING_FIRST
    values["attainable"] = queries.attainable(snapshot, strip.model_id) if strip else {}
    if request.headers.get("HX-Request-Type") == "partial":
        return site.page(request, "predictions_table.html", **values)
    cards = queries.scorecard(snapshot, strip.model_id) if strip else []
    return site.page(
        request,
        "predictions.html",
        sessions=queries.sessions(snapshot),
        sectors=queries.sectors(snapshot, selection.session),
        scorecard=cards,
        skill_field=performance.skill_field(cards),
        changes=beside.changes(snapshot, selection.session, selection.horizon),
        paper=beside.paper(snapshot),
        alarms=performance.alarms(snapshot, serving(snapshot, site.clock())),
        **values,
    )


def _ticker_page(site: Site, request: Request, snapshot: Snapshot, ticker: str, session: str) -> Response:
    who = queries.identity(snapshot, ticker)
    if who is None:
        raise HTTPException(
            404, f"{ticker!r} is not in the dataset {site.settings.dataset!r}; the predictions page lists the tickers that are."
        )
    day = _session(snapshot, session)
    forecasts = queries.predictions(snapshot, Selection(session=day, ticker=ticker)) if day else []
    exchange = who["exchange"] or queries.exchange(snapshot)
    drawn = chart.payload(snapshot, ticker, exchange, day, forecasts)
    names = queries.peers(snapshot, day) if day else []
    index = names.index(ticker) if ticker in names else None
    strip = site.strip(snapshot, day) if day else None
    return site.page(
        request,
        "ticker.html",
        who=who,
        strip=strip,
        attainable=queries.attainable(snapshot, strip.model_id) if strip else {},
        state=site.state(snapshot, day),
        newest=_is_newest(snapshot, day),
        forecasts=sorted(forecasts, key=lambda row: row["horizon_sessions"]),
        bounds=_bounds(forecasts),
        decision=queries.decision(snapshot, day, ticker) if day else None,
        why=beside.why(snapshot, day, ticker) if day else [],
        explained=beside.explained(snapshot, day) if day else 0,
        changes=beside.ticker_changes(snapshot, day, ticker) if day else [],
        logged=beside.logged(snapshot, ticker),
        findings=queries.ticker_findings(snapshot, ticker),
        chart=drawn,
        last=drawn["candles"][-2:],
        previous=names[index - 1] if index else None,
        following=names[index + 1] if index is not None and index + 1 < len(names) else None,
    )


def _is_newest(snapshot: Snapshot, day: dt.date | None) -> bool:
    listed = queries.sessions(snapshot)
    return not listed or day == listed[0]


def _session(snapshot: Snapshot, text: str) -> dt.date | None:
    """Return the session asked for, or the newest one with predictions; None where there are none."""
    if text:
        try:
            return dt.date.fromisoformat(text)
        except ValueError as error:
            raise UsageError(f"{text!r} is no session; write it as 2020-02-07") from error
    listed = queries.sessions(snapshot)
    return listed[0] if listed else None


def _bounds(rows: list[queries.Row]) -> tuple[float, float]:
    """Return the least q05 and the largest q95, zero included: the common scale of the interval bars."""
    low = min((row["q05"] for row in rows if row["q05"] is not None), default=0.0)
    high = max((row["q95"] for row in rows if row["q95"] is not None), default=0.0)
    return min(low, 0.0), max(high, 1e-9)
