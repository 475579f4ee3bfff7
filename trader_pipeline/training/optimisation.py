"""How a network is trained, as fields of a recipe."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from trader_pipeline.training.compute import DEFAULT, Compute
from trader_pipeline.training.optimisers import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimisation:
    """How a network is trained.

    A step sees as many windows as hold about `rows_per_step` ticker-sessions. One thread: matrices this small gain little from
    two, and on a busy machine two wait for each other (measured 4.2 s instead of 0.2 s a step).
    `skip_budget` steps an epoch may be left out; past it the learning rate is multiplied by `lr_backoff`, then the weights go back to
    the last checkpoint, then training stops. A loss or gradient norm beyond `spike_factor` times its running mean is left out, too.
    `learning_rate` None is picked by a range test.
    The guard is read every `check_steps` steps: reading waits for the device. `checkpoint_steps` 0 saves at the end of an epoch alone.
    Once the losses of training and validation are further apart than after the first epoch by `gap_warning` of the loss, it is said.
    `class_weights` evens out labels that are up and down in the likelihood of the distributions. Off: the direction is read from a whole
    distribution, whose odds would then be those of a market that rises as often as it falls, and calibration would have to undo it.
    `ema_decay` 0, `feature_noise` 0 (standard deviations) and `curriculum_epochs` 0 (epochs that see calm windows first) are off.
    """

    epochs: int = 6
    patience: int = 2
    learning_rate: float | None = 5e-4
    final_share: float = 0.05
    warm_up_share: float = 0.1
    weight_decay: float = 0.05
    gradient_norm: float = 1.0
    rows_per_step: int = 1536
    skip_budget: int = 5
    lr_backoff: float = 0.5
    spike_factor: float = 20.0
    check_steps: int = 16
    checkpoint_steps: int = 200
    ema_decay: float = 0.0
    feature_noise: float = 0.0
    curriculum_epochs: int = 0
    gap_warning: float = 0.05
    class_weights: bool = False
    threads: int = 1
    optimiser: Kind = "adamw"
    compute: Compute = DEFAULT


def warm_up_cosine(settings: Optimisation, total_steps: int) -> Callable[[int], float]:
    """Return the factor on the learning rate at a step: linear up, then a half cosine down to `final_share`."""
    warm_up = max(1, round(settings.warm_up_share * total_steps))

    def factor(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        done = min(1.0, (step - warm_up) / max(1, total_steps - warm_up))
        return settings.final_share + (1 - settings.final_share) * 0.5 * (1 + math.cos(math.pi * done))

    return factor
