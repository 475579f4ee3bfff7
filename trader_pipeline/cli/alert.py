"""`trader alert test`: whether alerts arrive."""

import datetime as dt
from typing import Annotated

import typer

from trader_pipeline.cli.output import line, print_json

_NONE_SET = "only logged: set TRADER_WEBHOOK_URL, or TRADER_ALERTS__SMTP_HOST with __SMTP_FROM and __SMTP_TO"
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
alert_app = typer.Typer(no_args_is_help=True, help="Alerts: webhook and mail.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    alert_app.command("test")(send_test)
    app.add_typer(alert_app, name="alert")


@alert_app.callback()
def _group() -> None:
    """Alerts: webhook and mail."""


def send_test(*, as_json: Json = False) -> None:
    """Send a test alert to every sink that is set and say what became of it; exit 1 when one did not take it."""
    from trader_pipeline.defs.environment import prepare_environment
    from trader_pipeline.operations.alerts import Alert, send
    from trader_pipeline.settings import Settings

    settings = Settings()
    prepare_environment(settings)
    alert = Alert(event="test", subject="trader alert test", summary="Alerts arrive.", mend="Nothing: you asked for this one.")
    sent = send(settings, alert, now=dt.datetime.now(dt.UTC), repeat=True)
    if as_json:
        print_json("alert", {"sinks": [{"sink": name, "delivered": why is None, "why": why} for name, why in sent.sinks.items()]})
    else:
        for name, why in sent.sinks.items():
            line(f"{name:<8} {'delivered' if why is None else f'not delivered: {why}'}")
        if not sent.sinks:
            line(_NONE_SET)
    if any(why is not None for why in sent.sinks.values()):
        raise typer.Exit(1)
