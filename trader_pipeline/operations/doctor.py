"""The checklist when something is wrong: each finding has a state, the fact and the mend."""

import datetime as dt
import importlib.metadata
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, SecretStr

from trader_pipeline import calendar, durable, heartbeats
from trader_pipeline.errors import TraderError
from trader_pipeline.lake import Lake, Snapshot
from trader_pipeline.operations.disk import ALERT_RATIO, disk_usage
from trader_pipeline.schema.makers import BRINGS
from trader_pipeline.settings import Settings

State = Literal["ok", "warn", "fail"]
PYTHON = (3, 11)
HISTORICAL = frozenset({"deep", "broad", "us20", "simulated"})
"""Datasets that end where they end: their age is no fault."""

PACKAGES = (
    "torch",
    "pytorch-lightning",
    "dagster",
    "duckdb",
    "pyarrow",
    "pandas",
    "numpy",
    "numba",
    "lightgbm",
    "scikit-learn",
    "yfinance",
)
_GB = 1e9
_CAUSED_BY = "The above exception was caused by the following exception:"
_EXCHANGE = "XNYS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. `mend` is empty where nothing needs mending."""

    name: str
    state: State
    fact: str
    mend: str = ""


def examine(
    settings: Settings, *, now: dt.datetime, last_failure: Mapping[str, str] | None, sources: Iterable[Finding] = ()
) -> list[Finding]:
    """Walk the whole checklist. What other stages know is handed in: `sources`, and `last_failure` (job, run_id, at, error) of Dagster."""
    walk: tuple[Callable[[], Iterable[Finding]], ...] = (
        _python,
        _packages,
        _accelerator,
        lambda: _disk(settings),
        lambda: _home(settings),
        lambda: _settings(settings),
        lambda: sources,
        lambda: _lake(settings, now),
        lambda: _daemon(settings, now),
        lambda: _last_failure(last_failure),
    )
    return [finding for look in walk for finding in look()]


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= PYTHON
    yield Finding(name="python", state="ok" if good else "fail", fact=version, mend="" if good else "install Python 3.11 or newer")


def _packages() -> Iterator[Finding]:
    found, absent = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            absent.append(name)
    mend = "install the package again with its constraints: `pip install -c constraints.txt .`"
    if absent:
        yield Finding(name="packages", state="fail", fact=f"not installed: {', '.join(absent)}", mend=mend)
    yield Finding(name="packages", state="ok", fact=", ".join(found))


def _accelerator() -> Iterator[Finding]:
    try:
        import torch  # noqa: PLC0415 - seconds of import that only this look needs
    except (ImportError, OSError) as error:
        yield Finding(name="accelerator", state="fail", fact=f"torch cannot be imported: {error}", mend="install torch again")
        return
    if not torch.cuda.is_available():
        yield Finding(
            name="accelerator", state="ok", fact=f"torch {torch.__version__} sees no GPU; training runs on {os.cpu_count()} CPU cores"
        )
        return
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        kind = f"sm_{device.major}{device.minor}"
        fact = f"{device.name}, {device.total_memory / _GB:.0f} GB, {kind}, CUDA {torch.version.cuda}"
        known = kind in torch.cuda.get_arch_list()
        mend = "" if known else f"this torch has no code for {kind}; install a build that has"
        yield Finding(name="accelerator", state="ok" if known else "warn", fact=fact, mend=mend)


def _disk(settings: Settings) -> Iterator[Finding]:
    usage = disk_usage(settings.home, settings.dataset_home)
    largest = ", ".join(f"{name} {size / _GB:.2f} GB" for name, size in list(usage.home_folders.items())[:5]) or "nothing yet"
    free = f"{usage.free_bytes / _GB:.1f} of {usage.total_bytes / _GB:.1f} GB free ({usage.used_ratio:.0%} used)"
    mend = f"over {ALERT_RATIO:.0%}: free disk space, or move TRADER_HOME" if usage.alert else ""
    yield Finding(name="disk", state="warn" if usage.alert else "ok", fact=f"{free}; in {settings.home}: {largest}", mend=mend)


def _home(settings: Settings) -> Iterator[Finding]:
    try:
        durable.write_atomic(settings.home / ".doctor", b"")
        (settings.home / ".doctor").unlink(missing_ok=True)
    except TraderError as error:
        yield Finding(name="home", state="fail", fact=str(error), mend="make TRADER_HOME a folder that you may write to, with room")
        return
    yield Finding(name="home", state="ok", fact=f"{settings.home} is writable")


def _settings(settings: Settings) -> Iterator[Finding]:
    changed = sorted(_changed(settings))
    yield Finding(name="settings", state="ok", fact="; ".join(changed) or "all at their defaults")


def _changed(model: BaseModel, prefix: str = "") -> Iterator[str]:
    """Yield what differs from the default; of a secret only that it is set."""
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _changed(value, f"{prefix}{name}.")
        elif isinstance(value, SecretStr):
            yield f"{prefix}{name}: set"
        elif value != info.default:
            yield f"{prefix}{name}={value}"


def _lake(settings: Settings, now: dt.datetime) -> Iterator[Finding]:
    lake = Lake(settings.dataset_home / "lake", settings.dataset)
    try:
        snapshot = lake.snapshot()
    except TraderError as error:
        yield Finding(name="lake", state="fail", fact=str(error), mend=f"docs/runbook.md, {error.code}")
        return
    if not snapshot.commit.tables:
        yield Finding(name="lake", state="warn", fact=f"{lake.root} holds no data", mend=f"`{BRINGS[settings.dataset]}`")
        return
    damage = snapshot.damage()
    for errors in damage.values():
        for bad in errors:
            yield Finding(
                name="lake", state="fail", fact=str(bad), mend="`trader doctor --mend`, then the run again (docs/runbook.md, E210)"
            )
    whole = len(snapshot.commit.tables) - len(damage)
    parts = sum(len(entry.parts) for entry in snapshot.commit.tables.values())
    yield Finding(name="lake", state="ok", fact=f"commit {snapshot.commit.id}: {whole} tables whole, {parts} parts")
    yield from _freshness(snapshot, settings, damage, now)
    yield from _model(snapshot, settings, damage)


def _daemon(settings: Settings, now: dt.datetime) -> Iterator[Finding]:
    """Say whether schedule and sensors live; only data that grows by the day needs them."""
    seen = heartbeats.last_seen(heartbeats.read(settings.heartbeats))
    fact, _, mend = heartbeats.in_words(seen, now, dataset=settings.dataset).partition(": ")
    yield Finding(name="daemon", state="warn" if mend else "ok", fact=fact, mend=mend)


def _freshness(snapshot: Snapshot, settings: Settings, damage: Mapping[str, object], now: dt.datetime) -> Iterator[Finding]:
    for name in ("core.daily_bars", "core.accepted_bars", "features.panel", "predictions.daily"):
        if name in damage or not snapshot.rows(name):
            continue
        newest = snapshot.sql(f"select max(session) as session from {name}")["session"][0].as_py()  # noqa: S608 - names from this line
        behind = calendar.staleness(_EXCHANGE, newest, now)
        if settings.dataset in HISTORICAL:
            yield Finding(name="freshness", state="ok", fact=f"{name} through {newest}; {settings.dataset} is historical")
            continue
        limits = settings.checks
        state: State = "fail" if behind >= limits.stale_error else "warn" if behind >= limits.stale_warning else "ok"
        mend = "`trader run`, or the job refetch in the Dagster UI" if state != "ok" else ""
        yield Finding(name="freshness", state=state, fact=f"{name} through {newest}, {behind} sessions behind", mend=mend)


def _model(snapshot: Snapshot, settings: Settings, damage: Mapping[str, object]) -> Iterator[Finding]:
    if "training.runs" in damage:
        return
    runs = snapshot.sql("select model_id, recipe, trained_through from training.runs order by finished_at desc limit 1").to_pylist()
    if not runs:
        yield Finding(
            name="model", state="warn", fact="no model was trained on this lake", mend="`trader run` trains one when history suffices"
        )
        return
    run = runs[0]
    folder = settings.dataset_home / "models" / run["model_id"]
    fact = f"{run['model_id']} ({run['recipe']}), trained through {run['trained_through']}"
    if folder.is_dir():
        yield Finding(name="model", state="ok", fact=fact)
    else:
        yield Finding(
            name="model", state="fail", fact=f"{fact}: {folder} is missing", mend="restore the folder, or run the job train again"
        )


def _last_failure(failure: Mapping[str, str] | None) -> Iterator[Finding]:
    if failure is None:
        yield Finding(name="last failed run", state="ok", fact="none")
        return
    cause = failure["error"].rsplit(_CAUSED_BY, 1)[-1]
    last = [line for line in cause.splitlines() if line.strip()]
    fact = f"{failure['job']} {failure['run_id']} at {failure['at']}: {last[0] if last else 'no message'}"
    yield Finding(
        name="last failed run", state="warn", fact=fact, mend="docs/runbook.md has the code; the whole traceback is in the Dagster UI"
    )
