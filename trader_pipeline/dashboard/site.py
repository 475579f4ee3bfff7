"""What every page shares: settings, the lake, the clock, the templates and the strip at the top."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from trader_pipeline import calendar, formats
from trader_pipeline.dashboard import queries, states
from trader_pipeline.dashboard.reader import LakeReader
from trader_pipeline.dashboard.states import State
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.settings import Settings


def templates() -> Jinja2Templates:
    """Return the templates: everything is escaped, an unknown name is an error."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (
        formats.number,
        formats.percent,
        formats.percent_range,
        formats.count,
        formats.plural,
        formats.size,
        formats.new_york,
        formats.utc,
    )
    environment.filters.update({function.__name__: function for function in filters})
    environment.globals["horizons"] = HORIZONS_SESSIONS
    return Jinja2Templates(env=environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """Data through, made at, trade at: the clocks of what is shown. `forced`: what the gate said and was overridden."""

    session: dt.date
    made_at: dt.datetime
    trade_at: dt.datetime
    model_id: str
    data_version: str
    forced: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One dashboard."""

    settings: Settings
    reader: LakeReader
    clock: Callable[[], dt.datetime]
    templates: Jinja2Templates
    sessions_needed: int | None = None

    def page(self, request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
        """Render a template."""
        dataset = self.settings.dataset
        historical = dataset in states.HISTORICAL
        shared = {"dataset": dataset, "historical": historical, "strip": None, "page": template.removesuffix(".html")}
        response: Response = self.templates.TemplateResponse(request, template, shared | values, status_code=status)
        response.headers["Vary"] = "HX-Request-Type"
        return response

    def error(self, request: Request, *, status: int, title: str, code: str, message: str) -> Response:
        """Answer with an error page; under /api with JSON."""
        if request.url.path.startswith("/api/"):
            return JSONResponse({"schema": "error/1", "code": code, "message": message}, status_code=status)
        return self.page(request, "error.html", status=status, title=title, code=code, message=message)

    def state(self, snapshot: Snapshot | None, session: dt.date | None) -> State:
        """Return how the predictions of `session` stand now; None is no session at all."""
        if snapshot is None:
            return states.no_lake(self.settings)
        if session is None:
            return states.missing(snapshot, self.settings, None, sessions_needed=self.sessions_needed)
        return states.of_session(snapshot, self.settings, session, self.clock())

    def strip(self, snapshot: Snapshot, session: dt.date) -> Strip | None:
        """Return the clocks of a session's predictions, None where there are none."""
        made = queries.made(snapshot, session)
        if not made["rows"]:
            return None
        exchange = queries.exchange(snapshot)
        return Strip(
            session=session,
            made_at=made["made_at"],
            trade_at=calendar.open_at(exchange, calendar.offset(exchange, session, 1)),
            model_id=made["model_id"],
            data_version=made["data_version"],
            forced=queries.forced(snapshot, session),
        )
