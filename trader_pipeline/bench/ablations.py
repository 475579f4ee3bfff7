"""What `trader ablate` changes: one row a change of the recipe or of the data, beside a baseline."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from trader_pipeline.errors import UsageError
from trader_pipeline.models.examples import Labels
from trader_pipeline.panel import Grid
from trader_pipeline.training.data import TrainingData
from trader_pipeline.training.recipes import Recipe, network, varied

BASELINE = "baseline"

SIMULATED = varied(
    replace(network("panel_former"), training_sessions=300),
    "ablation",
    size={"width": 48, "blocks": 2, "window_sessions": 24},
    training={"learning_rate": 3e-3, "rows_per_step": 1440},
)
"""The baseline of a simulated market: 0.1 million weights, which learn its signals in some ten seconds of one core a fit."""


def _as_it_is(data: TrainingData, first: int) -> TrainingData:  # noqa: ARG001 - changes of the data share one signature
    return data


def half_history(data: TrainingData, first: int) -> TrainingData:
    """Return the data without the labels of the older half of what is known before session `first`."""
    labelled_T = np.flatnonzero(np.isfinite(data.labels.score_NTH).any(axis=(0, 2)))
    return replace(data, labels=data.labels.within((int(labelled_T[0]) + first) // 2, data.labels.score_NTH.shape[1]))


def half_universe(data: TrainingData, first: int) -> TrainingData:  # noqa: ARG001 - changes of the data share one signature
    """Return every second ticker alone."""
    labels = Labels(data.labels.score_NTH[::2], data.labels.scaled_NTH[::2])
    return TrainingData(Grid(data.grid.tickers[::2], data.grid.sessions), data.x_NTF[::2], labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """Fields of the network's configuration and of its training that are replaced, and what is done to the data.

    `data` takes the position of the first test session, too. `cost`: about how many times the baseline's seconds.
    """

    name: str
    size: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    data: Callable[[TrainingData, int], TrainingData] = _as_it_is
    cost: float = 1.0

    def recipe(self, base: Recipe) -> Recipe:
        """Return the baseline's recipe with the change."""
        return varied(base, f"{base.name} {self.name}", size=self.size, training=self.training)


ABLATIONS = (
    Ablation(name="early_stopping_off", training={"patience": None}, cost=1.2),
    Ablation(name="ema", training={"ema_decay": 0.98}),
    Ablation(name="dropout_0", size={"dropout": 0.0}),
    Ablation(name="dropout_0.3", size={"dropout": 0.3}),
    Ablation(name="weight_decay_1e-4", training={"weight_decay": 1e-4}),
    Ablation(name="weight_decay_0.1", training={"weight_decay": 0.1}),
    Ablation(name="feature_noise", training={"feature_noise": 0.1}),
    Ablation(name="temporal_shift", training={"shift_sessions": 2}),
    Ablation(name="curriculum", training={"curriculum_epochs": 2}),
    Ablation(name="wsd", training={"schedule": "wsd"}),
    Ablation(name="half_history", data=half_history, cost=0.5),
    Ablation(name="half_universe", data=half_universe, cost=0.5),
    Ablation(name="size_0.25m", size={"width": 64, "blocks": 4}, cost=2.2),
    Ablation(name="size_1m", size={"width": 128, "blocks": 4}, cost=5.5),
)


def chosen(names: str) -> tuple[Ablation, ...]:
    """Return the rows of a comma-separated list, all of them for an empty one. Raises `UsageError`."""
    known = {ablation.name: ablation for ablation in ABLATIONS}
    wanted = [name.strip() for name in names.split(",") if name.strip()] or list(known)
    if unknown := [name for name in wanted if name not in known]:
        raise UsageError(f"no ablation {', '.join(unknown)}; take of {', '.join(known)}")
    return tuple(known[name] for name in wanted)
