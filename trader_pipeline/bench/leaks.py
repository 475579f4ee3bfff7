"""`trader leaks`: does any feature look ahead, and would the proof notice if one did? On a simulated market."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trader_pipeline.bench.canaries import CANARIES
from trader_pipeline.bench.planted import PlantedTables, plant, with_made_up_tone
from trader_pipeline.bench.simulated import simulated_lake
from trader_pipeline.errors import UsageError
from trader_pipeline.features import FEATURES
from trader_pipeline.features.assemble import CoreTables, Instants
from trader_pipeline.features.stamps import too_early
from trader_pipeline.features.truncation import Proof, Tally, proof_of, summed
from trader_pipeline.flows.feature_tables import read_history, read_tables
from trader_pipeline.panel import Days

_PERTURBED = 4
"""One cut in so many is perturbed too: it costs as much and finds what truncation finds, but for a leak through what is absent."""
VERDICTS = ("truncation", "perturbation", "look_back")
Row = dict[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class _World:
    tables: CoreTables
    sessions: Days
    known_at: Instants
    cuts: list[int]
    random: np.random.Generator


def measure(home: Path, *, tickers: int, sessions: int, cuts: int, seed: int) -> Row:
    """Return what truncation, perturbation, look-backs and stamps say of every feature, and which detector caught each canary.

    The cuts are random sessions, the same for all families, from the first at which every look-back is full.
    """
    lake, as_of = simulated_lake(home, tickers=tickers, sessions=sessions, seed=seed)
    snapshot = lake.snapshot()
    tables, history = read_tables(snapshot, as_of), read_history(snapshot, as_of)
    days, known_at = history.sessions, history.known_at
    random = np.random.default_rng(seed)
    longest = max(feature.lookback_sessions for feature in FEATURES)
    if (there := len(days) - longest - 2) < cuts:
        raise UsageError(f"{len(days)} sessions leave {there} with a full look-back of {longest} for {cuts} cuts; raise --sessions")
    drawn = random.choice(np.arange(longest + 1, len(days) - 1), cuts, replace=False)
    tables = with_made_up_tone(tables, random)
    world = _World(tables=tables, sessions=days, known_at=known_at, cuts=sorted(drawn.tolist()), random=random)
    return {"tickers": tickers, "sessions": len(days), "cuts": cuts, "seed": seed, **_features(world), **_canaries(world)}


def leaking(figures: Mapping[str, Any]) -> list[str]:
    """Return in words what is wrong: violations, absent families, canaries that nothing caught, honest twins that were objected to."""
    found = [f"{name}: {', '.join(figures[name]['violating'])}" for name in VERDICTS if figures[name]["violations"]]
    found += [f"{row['family']} is absent: nothing is proven of it" for row in figures["truncation"]["by_family"] if row["absent"]]
    found += [f"stamps of {table}: {rows} rows too early" for table, rows in figures["stamps"].items()]
    found += [f"canary {name} was not caught" for name, caught in figures["canaries"].items() if not caught]
    return found + [f"the honest twin of {row['canary']} was called a leak" for row in figures["detected"] if not row["honest_passes"]]


def _features(world: _World) -> Row:
    proof = proof_of(FEATURES, world.tables, world.sessions, world.known_at)
    truncated = summed(proof.truncated(at) for at in world.cuts)
    perturbed = summed(proof.perturbed(at, world.random) for at in world.cuts[::_PERTURBED])
    return {
        "truncation": {**_verdict(truncated), "by_family": _families(truncated, cuts=len(world.cuts))},
        "perturbation": _verdict(perturbed),
        "look_back": _verdict(_shortened(world)),
        "stamps": too_early(world.tables, world.sessions, world.known_at),
    }


def _shortened(world: _World) -> dict[str, Tally]:
    """Return each feature's values at the last cut against those from figures before its look-back that are others."""
    tallies: dict[str, Tally] = {}
    for lookback in sorted({feature.lookback_sessions for feature in FEATURES}):
        alike = [feature for feature in FEATURES if feature.lookback_sessions == lookback]
        tallies |= proof_of(alike, world.tables, world.sessions, world.known_at).shortened(world.cuts[-1], lookback, world.random)
    return tallies


def _verdict(tallies: Mapping[str, Tally]) -> Row:
    """Return how many features have values that were compared, and how many of them differ."""
    guilty = sorted(name for name, tally in tallies.items() if tally.differing)
    return {"features": sum(tally.compared > 0 for tally in tallies.values()), "violations": len(guilty), "violating": guilty}


def _families(tallies: Mapping[str, Tally], *, cuts: int) -> list[Row]:
    """Return a row a family; one without a value on this market is absent, and nothing is proven of it."""
    rows: dict[str, Row] = {}
    for feature in FEATURES:
        row = rows.setdefault(feature.family, {"family": feature.family, "features": 0, "cuts": cuts, "compared": 0, "violations": 0})
        row["features"] += 1
        row["compared"] += tallies[feature.name].compared
        row["violations"] += bool(tallies[feature.name].differing)
    return [{**row, "absent": not row["compared"]} for row in rows.values()]


def _canaries(world: _World) -> Row:
    planted = plant(world.tables, world.sessions, world.known_at, world.random)
    detected = []
    for canary in CANARIES:
        stored = canary.store(planted) if canary.store else planted
        caught = _detected(world, stored, {canary.name: canary.leaking})
        honest = _detected(world, planted, {canary.name: canary.honest})
        detected.append({"canary": canary.name, **caught, "honest_passes": not any(honest.values())})
    caught_by = {row["canary"]: any(row[name] for name in ("truncation", "perturbation", "stamps")) for row in detected}
    return {"canaries": caught_by, "detected": detected}


def _detected(world: _World, tables: PlantedTables, computes: Mapping[str, Any]) -> dict[str, int]:
    """Return what each detector counts: cells that differ, rows that are stamped too early."""
    proof = Proof(tables=tables, sessions=world.sessions, known_at=world.known_at, computes=computes)
    perturbed = (proof.perturbed(at, world.random) for at in world.cuts[::_PERTURBED])
    return {
        "truncation": _differing(proof.truncated(at) for at in world.cuts),
        "perturbation": _differing(perturbed),
        "stamps": sum(too_early(tables, world.sessions, world.known_at).values()),
    }


def _differing(tallies: Iterable[Mapping[str, Tally]]) -> int:
    return sum(tally.differing for tally in summed(tallies).values())
