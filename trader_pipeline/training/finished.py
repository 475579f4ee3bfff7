"""Fits that are done, kept until the run is complete: a run that goes on loads them instead of fitting again."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from trader_pipeline import durable
from trader_pipeline.errors import CorruptPartError, NoModelError
from trader_pipeline.models import checkpoint
from trader_pipeline.models.member import Member
from trader_pipeline.training.recipes import FitContext
from trader_pipeline.training.record import KINDS

_EVENTS = "events.json"


@contextmanager
def noting(context: FitContext) -> Iterator[tuple[FitContext, list[dict[str, object]]]]:
    """Yield a context that reports as `context` does, and the list of what it reported for the run's record."""
    kept: list[dict[str, object]] = []

    def report(event: Mapping[str, object]) -> None:
        if event["event"] in KINDS:
            kept.append(dict(event))
        context.report(event)

    yield replace(context, report=report), kept


def save(folder: Path, member: Member, context: FitContext, events: list[dict[str, object]]) -> None:
    """Keep a fitted member, its events and what its fold chose; the manifest, written last, makes it count."""
    facts = {"events": events, "chosen": {name: chosen[-1] for name, chosen in context.epochs_of_folds.items()}}
    checkpoint.save_members(folder, [member])
    durable.write_atomic(folder / _EVENTS, json.dumps(facts).encode())
    checkpoint.write_manifest(folder, [*checkpoint.member_paths(folder), _EVENTS])


def load(folder: Path, context: FitContext) -> Member | None:
    """Return the member that `save` kept and tell its events again; None where there is none, or where it is damaged, which is told."""
    try:
        (member,) = checkpoint.load_members(folder)
        facts = json.loads(checkpoint.read_verified(folder, _EVENTS))
    except NoModelError:
        return None
    except CorruptPartError as error:
        context.report({"event": "fit_damaged", "fold": context.fold, "said": str(error)})
        return None
    for event in facts["events"]:
        context.report(event)
    for name, chosen in facts["chosen"].items():
        context.epochs_of_folds.setdefault(name, []).append(chosen)
    return member
