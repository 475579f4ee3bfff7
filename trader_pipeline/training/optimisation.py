"""How a network is trained, as fields of a recipe."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from trader_pipeline.training.compute import DEFAULT, Compute
from trader_pipeline.training.mapped import Loading
from trader_pipeline.training.optimisers import Kind

Schedule = Literal["cosine", "wsd"]

_LOADING = Loading()


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimisation:
    """How a network is trained.

    A step sees as many windows as hold about `rows_per_step` ticker-sessions, and no more than let an epoch have `steps_an_epoch`. One
    thread: matrices this small gain little from two, and on a busy machine two wait for each other (4.2 s instead of 0.2 s a step).
    `skip_budget` steps an epoch may be left out; past it the learning rate is multiplied by `lr_backoff`, then the weights go back to
    the last checkpoint, then training stops. A loss or gradient norm beyond `spike_factor` times its running mean is left out, too.
    `learning_rate` None is picked by a range test.
    The guard is read every `check_steps` steps: reading waits for the device. `checkpoint_steps` 0 saves at the end of an epoch alone.
    Once the losses of training and validation are further apart than after the first epoch by `gap_warning` of the loss, it is said.
    `class_weights` evens out labels that are up and down in the likelihood of the distributions. Off: the direction is read from a whole
    distribution, whose odds would then be those of a market that rises as often as it falls, and calibration would have to undo it.
    `patience` None stops no fit early and keeps the last epoch instead of the best.
    After the warm-up the rate falls to `final_share` along a half cosine, or (`wsd`) stays until the last `decay_share` of the steps and
    then falls linearly; a fit that stops early stops before that.
    `ema_decay` 0, `feature_noise` 0 (standard deviations) and `curriculum_epochs` 0 (epochs that see calm windows first) are off.
    `shift_sessions` k > 0 lets `shift_share` of the windows see features that are 1 to k sessions older than their labels expect.
    """

    epochs: int = 6
    patience: int | None = 2
    learning_rate: float | None = 5e-4
    schedule: Schedule = "cosine"
    final_share: float = 0.05
    warm_up_share: float = 0.1
    decay_share: float = 0.2
    weight_decay: float = 0.05
    gradient_norm: float = 1.0
    rows_per_step: int = 1536
    steps_an_epoch: int = 4
    skip_budget: int = 5
    lr_backoff: float = 0.5
    spike_factor: float = 20.0
    check_steps: int = 16
    checkpoint_steps: int = 200
    ema_decay: float = 0.0
    feature_noise: float = 0.0
    shift_sessions: int = 0
    shift_share: float = 0.5
    curriculum_epochs: int = 0
    gap_warning: float = 0.05
    class_weights: bool = False
    threads: int = 1
    optimiser: Kind = "adamw"
    compute: Compute = DEFAULT
    loading: Loading = _LOADING

    def windows_a_step(self, windows: int, *, rows: int) -> int:
        """Return how many of an epoch's windows, each of `rows` ticker-sessions, one step sees."""
        return max(1, min(self.rows_per_step // rows, windows // self.steps_an_epoch))


_PARTS: dict[str, Callable[..., Any]] = {"compute": Compute, "loading": Loading}


def optimisation_of(fields: Mapping[str, Any]) -> Optimisation:
    """Return the defaults with these fields replaced; `compute` and `loading` are mappings themselves.

    Raises `TypeError` for a name that is no field.
    """
    return Optimisation(**{name: _PARTS[name](**value) if name in _PARTS else value for name, value in fields.items()})


def rate_factor(settings: Optimisation, total_steps: int) -> Callable[[int], float]:
    """Return the factor on the learning rate at a step: linear up, then as `schedule` says; warm-up, stable, decay: Hu et al. 2024."""
    warm_up = max(1, round(settings.warm_up_share * total_steps))
    decay = max(1, round(settings.decay_share * total_steps))

    def factor(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        if settings.schedule == "wsd":
            left = min(1.0, max(0.0, (total_steps - step) / decay))
        else:
            done = min(1.0, (step - warm_up) / max(1, total_steps - warm_up))
            left = 0.5 * (1 + math.cos(math.pi * done))
        return settings.final_share + (1 - settings.final_share) * left

    return factor
