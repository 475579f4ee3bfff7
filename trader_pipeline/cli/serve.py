"""Commands that serve pages: the dashboard and the Dagster UI. Both bind to loopback."""

import os
import sys
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(dev)


def serve(port: Annotated[int, typer.Option(help="0 is the setting TRADER_SERVE__PORT.")] = 0) -> None:
    """Serve the dashboard on 127.0.0.1."""
    from trader_pipeline.dashboard.serve import serve as serve_dashboard
    from trader_pipeline.settings import Settings
    from trader_pipeline.training.job import recipe_of
    from trader_pipeline.training.splits import required_sessions

    settings = Settings()
    if port:
        settings.serve.port = port
    at = f"[{settings.serve.host}]" if ":" in settings.serve.host else settings.serve.host
    where = f"http://{at}:{settings.serve.port}"
    serve_dashboard(
        settings, sessions_needed=required_sessions(recipe_of(settings.recipe)), ready=lambda: _serving(where, settings.dataset)
    )


def _serving(where: str, dataset: str) -> None:
    sys.stderr.write(f"dashboard of {dataset}: {where} (Ctrl-C ends it)\n")


def dev(port: Annotated[int, typer.Option(help="0 is the setting TRADER_SERVE__DAGSTER_PORT.")] = 0) -> None:
    """Open the Dagster UI with its daemon on 127.0.0.1: jobs, schedule, sensors, live runs."""
    from trader_pipeline.defs.environment import prepare_environment
    from trader_pipeline.operations.ports import require_free_port
    from trader_pipeline.settings import Settings

    settings = Settings()
    prepare_environment(settings)
    chosen = port or settings.serve.dagster_port
    require_free_port("127.0.0.1", chosen)
    command = [sys.executable, "-m", "dagster", "dev", "-m", "trader_pipeline.definitions", "-h", "127.0.0.1", "-p", str(chosen)]
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter, no shell
