"""Commands that keep a home in order: doctor, clean."""

import datetime as dt
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trader_pipeline.cli.output import grid, line, print_json, warn

if TYPE_CHECKING:
    from trader_pipeline.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
_SHOWN = 50


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(doctor)
    app.command()(clean)


def doctor(
    *,
    mend: Annotated[bool, typer.Option("--mend", help="Drop damaged parts, so that the next run makes them again.")] = False,
    as_json: Json = False,
) -> None:
    """Walk the checklist: versions, GPU, disk, sources and keys, home, lake, freshness, model, last failed run."""
    from trader_pipeline.defs.last_failure import last_failure
    from trader_pipeline.flows.readiness import readiness
    from trader_pipeline.operations.doctor import examine
    from trader_pipeline.settings import Settings

    settings = Settings()
    if mend:
        _mend(settings)
    findings = examine(settings, now=dt.datetime.now(dt.UTC), sources=readiness(settings), last_failure=last_failure(settings))
    rows: list[dict[str, Any]] = [{"state": f.state, "name": f.name, "fact": f.fact, "mend": f.mend} for f in findings]
    if as_json:
        print_json("doctor", {"findings": rows})
    else:
        for row in rows:
            line(f"{row['state']:<5} {row['name']:<16} {row['fact']}" + (f"\n{'':22} mend: {row['mend']}" if row["mend"] else ""))
    if any(row["state"] == "fail" for row in rows):
        sys.exit(1)


def _mend(settings: "Settings") -> None:
    from trader_pipeline.lake import Lake
    from trader_pipeline.operations.mend import mend

    dropped = mend(Lake(settings.dataset_home / "lake", settings.dataset))
    for table in dict.fromkeys(part.table for part in dropped):
        parts = [part for part in dropped if part.table == table]
        damaged = ", ".join(part.path for part in parts if part.damaged)
        why = f"damaged: {damaged}" if damaged else "made together with a damaged part"
        rows = sum(part.rows for part in parts)
        warn(f"{table}: {len(parts)} parts dropped, {rows} rows, {why}; the next `trader run` or `trader demo` makes them again")


def clean(*, dry_run: Annotated[bool, typer.Option("--dry-run", help="Only name what would go.")] = False, as_json: Json = False) -> None:
    """Delete what the lake names no more: old commits and their parts, what killed writers left. Nothing that the project did not write."""
    from trader_pipeline.lake import Lake
    from trader_pipeline.operations.janitor import clean as sweep
    from trader_pipeline.settings import Settings

    settings = Settings()
    lake = Lake(settings.dataset_home / "lake", settings.dataset)
    removed = sweep(lake, settings.dataset_home, now=dt.datetime.now(dt.UTC), dry_run=dry_run) if lake.root.is_dir() else ()
    rows = [{"kind": r.kind, "bytes": r.size_bytes, "path": str(r.path)} for r in removed]
    total = sum(r.size_bytes for r in removed)
    if as_json:
        print_json("clean", {"dry_run": dry_run, "bytes": total, "removed": rows})
        return
    if rows:
        grid(rows[:_SHOWN])
    if len(rows) > _SHOWN:
        line(f"and {len(rows) - _SHOWN} more")
    line(f"{settings.dataset}: {len(rows)} files, {total / 1e6:,.1f} MB {'would go' if dry_run else 'deleted'}")
