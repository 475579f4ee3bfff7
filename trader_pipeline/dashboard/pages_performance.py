"""The performance page: what the judged model is worth, the user's own targets first."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from trader_pipeline.champion import judged_model, serving
from trader_pipeline.dashboard import performance, queries
from trader_pipeline.dashboard.site import Site
from trader_pipeline.schema.columns import HORIZONS_SESSIONS

DEFAULT_HORIZON = 5


def router(site: Site) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/performance")
    def page(request: Request, horizon: Annotated[int, Query()] = DEFAULT_HORIZON) -> Response:
        return _page(site, request, horizon if horizon in HORIZONS_SESSIONS else DEFAULT_HORIZON)

    return routes


def _page(site: Site, request: Request, horizon: int) -> Response:
    snapshot = site.reader.snapshot()
    judged = judged_model(snapshot, site.clock()) if snapshot else None
    listed = queries.sessions(snapshot) if snapshot else []
    if snapshot is None or judged is None:
        return site.page(request, "performance.html", state=site.state(snapshot, listed[0] if listed else None), judged=None)
    model_id = judged["model_id"]
    strip = site.strip(snapshot, listed[0]) if listed else None
    segments = performance.segments(snapshot, model_id)
    here = [row for row in segments if row["horizon_sessions"] == horizon]
    gaps = [row for row in here if row["kind"] != "all"]
    cards = queries.scorecard(snapshot, model_id)
    return site.page(
        request,
        "performance.html",
        judged=judged,
        strip=strip,
        horizon=horizon,
        alarms=performance.alarms(snapshot, serving(snapshot, site.clock())),
        tasks=performance.tasks(snapshot, model_id),
        cards=cards,
        skill_field=performance.skill_field(cards),
        lines=performance.over_time(snapshot, model_id, horizon),
        curve=performance.coverage_curve(snapshot, model_id, horizon),
        strategy=performance.strategy(snapshot, model_id),
        live=performance.live(snapshot),
        whole=next((row for row in here if row["kind"] == "all"), None),
        gaps={kind: [row for row in gaps if row["kind"] == kind] for kind in performance.KINDS},
        field=performance.gap_field(gaps),
        worst=[row["line"] for row in sorted((row for row in segments if row["worst"]), key=lambda row: int(row["worst"]))],
    )
