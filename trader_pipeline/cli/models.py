"""`trader models`: which models there are, which one serves, and who decided it."""

import datetime as dt
import getpass
from typing import Annotated, Any
from uuid import uuid4

import typer

from trader_pipeline.cli.output import grid, line, print_json

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
Why = Annotated[str, typer.Option("--why", help="Reason, kept in evaluation.promotions.")]
_NO_REASON = "no reason given"
models_app = typer.Typer(invoke_without_command=True, help="List the models, promote one, or go back to the one before.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    models_app.command("promote")(promote)
    models_app.command("rollback")(rollback)
    app.add_typer(models_app, name="models")


@models_app.callback()
def models(context: typer.Context, *, as_json: Json = False) -> None:
    """List the models: trained through, rank IC with its 95 % interval by sessions ahead, state, and the last decision."""
    if context.invoked_subcommand:
        return
    from trader_pipeline.flows import promotion

    lake, as_of = _lake()
    snapshot = lake.snapshot()
    rows = promotion.models(snapshot, as_of)
    if as_json:
        print_json("models", {"as_of": as_of, "models": rows})
    elif rows:
        grid([_readable(row) for row in rows])
        line("\nrank IC: mean and half its 95 % interval, by sessions ahead. The last decision on each:")
        for row in rows:
            line(f"  {row['model_id']} {row['decision'] or 'was never decided on'}")
        line("`trader models promote ID` and `trader models rollback` overrule the gate; evaluation.promotions has every decision")
    else:
        line(snapshot.missing("training.runs"))


def promote(
    model_id: Annotated[str, typer.Argument(metavar="ID", help="Model, as `trader models` lists it.")],
    why: Why = _NO_REASON,
    *,
    as_json: Json = False,
) -> None:
    """Let a model serve, whatever the gate said; the next predictions are its."""
    from trader_pipeline.flows import promotion

    lake, as_of = _lake()
    _told(promotion.promote(lake, model_id, as_of=as_of, why=why, **_by_hand()), as_json=as_json)


def rollback(why: Why = _NO_REASON, *, as_json: Json = False) -> None:
    """Take the serving model back; the one that was approved before it serves again."""
    from trader_pipeline.flows import promotion

    lake, as_of = _lake()
    _told(promotion.rollback(lake, as_of=as_of, why=why, **_by_hand()), as_json=as_json)


def _lake() -> tuple[Any, dt.datetime]:
    from trader_pipeline.flows.due import default_as_of
    from trader_pipeline.lake import Lake
    from trader_pipeline.settings import Settings

    settings = Settings()
    return Lake(settings.dataset_home / "lake", settings.dataset), default_as_of(settings, now=dt.datetime.now(dt.UTC))


def _by_hand() -> dict[str, Any]:
    return {"decided_at": dt.datetime.now(dt.UTC), "who": getpass.getuser(), "run_id": str(uuid4())}


def decided(row: dict[str, Any]) -> str:
    """Return a row of evaluation.promotions in one line, with what can be done about it."""
    from trader_pipeline.champion import REFUSED
    from trader_pipeline.flows.promotion import told

    overrule = f", `trader models promote {row['model_id']}` overrules the gate" if row["action"] == REFUSED else ""
    return f"model {row['model_id']} {told(row)}. `trader models` lists all{overrule}."


def _told(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json("promotion", row)
    else:
        from trader_pipeline.flows.promotion import told

        line(f"{row['model_id']} {told(row)}.")
        line(f"{row['serves']} serves: `trader predict` asks it where the entry is not over, --force all the same, in hindsight.")


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    skill = ", ".join(f"{h}: {ic['mean']:+.3f} ±{_half(ic['half_width'])}" for h, ic in row["rank_ic"].items())
    shown = {name: row[name] for name in ("model_id", "recipe", "trained_through", "state")}
    return shown | {"rank_ic": skill or None}


def _half(half_width: float | None) -> str:
    return "?" if half_width is None else f"{half_width:.3f}"
