"""What predicting one session of a large universe costs, taking its scores apart, and reading one ticker's: `trader bench predict`.

The panel is noise and the network's weights are as they start: the cost depends on neither.
"""

import datetime as dt
import resource
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import torch

from trader_pipeline import calendar, durable
from trader_pipeline.dashboard import queries
from trader_pipeline.features import FEATURES, PANEL
from trader_pipeline.flows.evaluate import CODE_VERSION
from trader_pipeline.flows.explain import explain
from trader_pipeline.flows.predict import predict
from trader_pipeline.flows.serving import EXCHANGE
from trader_pipeline.inference.content import code_version
from trader_pipeline.lake import Change, Lake
from trader_pipeline.models import checkpoint, novelty
from trader_pipeline.models.network import parameters_of
from trader_pipeline.models.network_member import NetworkMember, network_of
from trader_pipeline.models.normalise import Normaliser
from trader_pipeline.models.panel_former import PanelFormerConfig
from trader_pipeline.models.preparation import Preparation
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.core import SECTORS
from trader_pipeline.schema.features import TARGETS
from trader_pipeline.schema.outputs import DAILY
from trader_pipeline.schema.training import CALIBRATION, RUNS
from trader_pipeline.settings import Settings
from trader_pipeline.training.recipes import LADDER

SESSION = dt.date(2024, 6, 28)
LABELLED_SESSIONS = 504
"""Sessions of labels that base rates are counted over: two years."""
STORED_SESSIONS = 21
"""Sessions of predictions among which one is read."""
_SECTORS = 11
_SAMPLE = 5000
_NAMES = tuple(feature.name for feature in FEATURES)
_T = TypeVar("_T")


def measure(home: Path, *, tickers: int, recipe: str, reads: int) -> dict[str, Any]:
    """Return CPU-seconds and peak memory of the flows, and what a read costs, CPU and wall, at the median and the 99th percentile."""
    settings = Settings(home=home, dataset="own", _env_file=None)
    lake = Lake(settings.dataset_home / "lake", settings.dataset)
    weights = _published(lake, settings.dataset_home / "models", tickers, recipe)
    at: dict[str, Any] = {"session": SESSION, "made_at": calendar.known_at(EXCHANGE, SESSION), "run_id": "bench"}
    code_version()  # hashed once a process
    outcome, predict_s = _timed(lambda: predict(lake, settings, as_of=at["made_at"], **at))
    explained, explain_s = _timed(lambda: explain(lake, settings, **at))
    _remember(lake)
    return {
        "tickers": tickers,
        "parameters": weights,
        "rows": outcome.rows,
        "predict_cpu_s": round(predict_s, 1),
        "explained_tickers": explained.tickers,
        "explain_cpu_s": round(explain_s, 1),
        "largest_error_z": explained.largest_error,
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 1),
        "stored_rows": lake.snapshot().rows(DAILY),
        **read_costs(lake, reads),
    }


def read_costs(lake: Lake, reads: int) -> dict[str, float]:
    """Return milliseconds of CPU and of wall time of reading one ticker's predictions of the newest session, over many tickers.

    The first read of a commit brings the session's rows; it is in the figures.
    """
    snapshot = lake.snapshot()
    newest = queries.sessions(snapshot)[0]
    names = queries.peers(snapshot, newest)
    chance = np.random.default_rng(0)
    cpu, wall = [], []
    for name in chance.choice(names, reads):
        began, used = time.perf_counter(), time.process_time()
        rows = queries.of_ticker(snapshot, newest, str(name))
        cpu.append(1e3 * (time.process_time() - used))
        wall.append(1e3 * (time.perf_counter() - began))
        if len(rows) != len(HORIZONS_SESSIONS):
            raise AssertionError(f"{name}: {len(rows)} rows")
    cpu_50, cpu_99 = np.percentile(cpu, (50, 99))
    wall_50, wall_99 = np.percentile(wall, (50, 99))
    figures = {"read_cpu_ms_p50": cpu_50, "read_cpu_ms_p99": cpu_99, "read_wall_ms_p50": wall_50, "read_wall_ms_p99": wall_99}
    return {name: round(float(value), 2) for name, value in figures.items()}


def _published(lake: Lake, models: Path, tickers: int, recipe: str) -> int:
    """Publish a session's panel, labels before it, and an untrained model that serves it; return its number of weights."""
    rng = np.random.default_rng(0)
    names = [f"T{index:05d}" for index in range(tickers)]
    sector = {name: f"Sector {index % _SECTORS}" for index, name in enumerate(names)}
    torch.manual_seed(0)
    size: dict[str, Any] = {**LADDER[recipe]}
    config = PanelFormerConfig(**size)
    days = calendar.sessions(EXCHANGE, dt.date(2010, 1, 4), SESSION)[-LABELLED_SESSIONS:]
    lake.publish(
        Change.replace(PANEL, _panel(names, days[-config.window_sessions :], rng)),
        Change.replace(TARGETS, _targets(names, days, rng)),
        Change.replace(
            SECTORS, pa.Table.from_pylist([{"ticker": name, "sector": own, "valid_from": days[0].item()} for name, own in sector.items()])
        ),
    )
    sample_RF = rng.standard_normal((_SAMPLE, len(_NAMES))).astype(np.float32)
    preparation = Preparation(Normaliser.fit(sample_RF, _NAMES), ())
    families = preparation.families({feature.name: feature.family for feature in FEATURES})
    network = network_of(replace(config, columns=len(preparation.columns), families=families)).eval()
    folder = models / "bench"
    checkpoint.save_members(folder, [NetworkMember(preparation, network)])
    durable.write_atomic(folder / novelty.FILE, novelty.Novelty.fit(sample_RF, _NAMES).to_json())
    sha256 = checkpoint.write_manifest(folder, [novelty.FILE, *checkpoint.member_paths(folder)])
    lake.publish(*_trained(sha256, days))
    return parameters_of(network)


def _panel(names: list[str], days: Any, rng: np.random.Generator) -> pa.Table:
    rows = len(names) * len(days)
    columns = {"ticker": np.repeat(names, len(days)), "session": pa.array(np.tile(days, len(names))).cast(pa.date32())}
    return pa.table(columns | {name: rng.standard_normal(rows).astype(np.float32) for name in _NAMES})


def _targets(names: list[str], days: Any, rng: np.random.Generator) -> pa.Table:
    rows = len(names) * len(days)
    columns = {"ticker": np.repeat(names, len(days)), "session": pa.array(np.tile(days, len(names))).cast(pa.date32())}
    numbers = [column.name for column in TARGETS.columns if column.name not in TARGETS.key]
    return pa.table(
        columns | {name: rng.normal(0.001, 0.02, rows) if name != "volatility_daily" else np.full(rows, 0.02) for name in numbers}
    )


def _trained(sha256: str, days: Any) -> tuple[Change, Change]:
    before = days[-2].item()
    run: dict[str, Any] = {column.name: 1 for column in RUNS.columns if pa.types.is_integer(column.dtype)}
    run |= {column.name: 1.0 for column in RUNS.columns if pa.types.is_floating(column.dtype)}
    run |= {column.name: "bench" for column in RUNS.columns if pa.types.is_string(column.dtype)}
    run |= {"as_of": calendar.known_at(EXCHANGE, before), "finished_at": calendar.known_at(EXCHANGE, before), "manifest_sha256": sha256}
    run |= {"trained_through": days[-62].item(), "first_session": days[0].item()}
    numbers = {column.name: 0.1 for column in CALIBRATION.columns if pa.types.is_floating(column.dtype)}
    facts = {"model_id": "bench", "fold": -1, "model": "ensemble", "rows": 1, "known_at": run["as_of"], "judged_by": CODE_VERSION}
    fitted = [numbers | facts | {"horizon_sessions": h} for h in HORIZONS_SESSIONS]
    return (
        Change.replace(RUNS, pa.Table.from_pylist([run], RUNS.arrow_schema)),
        Change.replace(CALIBRATION, pa.Table.from_pylist(fitted, CALIBRATION.arrow_schema)),
    )


def _remember(lake: Lake) -> None:
    """Publish the session's predictions as those of many sessions before it too, a part each, as days go by."""
    rows = lake.snapshot().read(DAILY)
    place = rows.column_names.index("session")
    for day in calendar.sessions(EXCHANGE, dt.date(2024, 1, 2), SESSION)[-STORED_SESSIONS:-1].tolist():
        same = rows.set_column(place, rows.schema.field(place), pa.array([day] * rows.num_rows, pa.date32()))
        lake.publish(Change.upsert(DAILY, same, by=("session",)))


def _timed(flow: Callable[[], _T]) -> tuple[_T, float]:
    with suppress(RuntimeError):  # a pool that started already keeps its size
        torch.set_num_interop_threads(1)
    used = time.process_time()
    done = flow()
    return done, time.process_time() - used
