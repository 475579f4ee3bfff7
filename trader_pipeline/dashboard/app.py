"""The dashboard: pages over the newest commit of one lake. Reads only, loopback only, loads nothing from elsewhere."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from trader_pipeline.dashboard import pages_performance, pages_predictions, pages_status
from trader_pipeline.dashboard.reader import LakeReader
from trader_pipeline.dashboard.security import secure
from trader_pipeline.dashboard.site import Site, templates
from trader_pipeline.errors import TraderError, UsageError
from trader_pipeline.settings import Settings

_STATIC = Path(__file__).parent / "static"


def utc_now() -> dt.datetime:
    """Return the wall clock: the dashboard is an edge."""
    return dt.datetime.now(dt.UTC)


def create_app(settings: Settings, *, clock: Callable[[], dt.datetime] = utc_now, sessions_needed: int | None = None) -> FastAPI:
    """Return the dashboard of `settings.dataset_home`.

    `clock` says what "now" is when freshness is judged; `sessions_needed` is what the recipe needs, to say so where history is too short.
    """
    app = FastAPI(title="trader_pipeline", docs_url=None, redoc_url=None, openapi_url=None)
    reader = LakeReader(settings.dataset_home)
    site = Site(settings=settings, reader=reader, clock=clock, templates=templates(), sessions_needed=sessions_needed)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    app.include_router(pages_predictions.router(site))
    app.include_router(pages_performance.router(site))
    app.include_router(pages_status.router(site))
    _tell_errors(app, site)
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    secure(app, settings.serve.host)
    return app


def _tell_errors(app: FastAPI, site: Site) -> None:
    """Answer every error with the fact and the mend, as a page or as JSON under /api."""

    @app.exception_handler(TraderError)
    def trader_error(request: Request, error: TraderError) -> Response:
        status = 400 if isinstance(error, UsageError) else 503
        return site.error(request, status=status, title="That cannot be shown", code=error.code, message=str(error))

    @app.exception_handler(HTTPException)
    def http_error(request: Request, error: HTTPException) -> Response:
        title = "Nothing here" if error.status_code == 404 else "That cannot be shown"  # noqa: PLR2004 - the status of HTTP
        message = error.detail if error.detail != "Not Found" else f"{request.url.path} is no page; the menu above lists what there is."
        return site.error(request, status=error.status_code, title=title, code=f"HTTP {error.status_code}", message=message)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        fact = "; ".join(f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors())
        return site.error(request, status=400, title="That cannot be shown", code="HTTP 400", message=fact)
