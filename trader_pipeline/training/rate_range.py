"""The learning-rate range test: one step at each rate of a rising row, on a copy of the network (Smith 2017)."""

import copy
import itertools
import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from trader_pipeline.errors import TrainingError
from trader_pipeline.models.network import Network
from trader_pipeline.training.losses import weighted_loss
from trader_pipeline.training.windows import PanelTensors

LOWEST, HIGHEST, STEPS = 1e-5, 1e-1, 40
_SMOOTHING = 0.8
_DIVERGED = 4.0
"""Times the lowest smoothed loss at which the row ends."""
_BELOW = 10.0
"""The pick is this much below the rate of the lowest loss: there the loss still falls steadily."""


class RateRange(NamedTuple):
    """The rates that were tried, the smoothed loss before each step, and the pick."""

    rates: list[float]
    losses: list[float]
    pick: float

    def warning(self, used: float) -> str | None:
        """Return what to say of a rate that is over the one of the lowest loss, from which on the loss rises; None of a lower one."""
        best = self.rates[int(np.argmin(self.losses))]
        if used <= best:
            return None
        return f"the learning rate {used:.2g} is over {best:.2g}, where the range test's loss was lowest; it picks {self.pick:.2g}"


def rate_range(network: Network, data: PanelTensors, batches: Iterable[Tensor], *, micro_windows: int) -> RateRange:
    """Try the rates on `batches`, over and over. Raises `TrainingError` when not even the lowest can be tried."""
    twin, window = copy.deepcopy(network).train(), network.config.window_sessions
    optimiser = torch.optim.AdamW(twin.parameters(), LOWEST, betas=(0.9, 0.95), weight_decay=0.0)
    rates, losses = list[float](), list[float]()
    for rate, starts_B in zip(np.geomspace(LOWEST, HIGHEST, STEPS).tolist(), itertools.cycle(batches), strict=False):
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad()
        counts, loss = data.gather(starts_B, window)[1].counts(), 0.0
        for part_B in torch.split(starts_B, micro_windows):
            inputs, targets = data.gather(part_B, window)
            part = weighted_loss(twin(inputs), targets, counts)
            torch.autograd.backward([part])
            loss += float(part.detach())
        smooth = _SMOOTHING * losses[-1] + (1 - _SMOOTHING) * loss if losses else loss
        if not math.isfinite(smooth) or (losses and smooth > _DIVERGED * min(losses)):
            break
        rates.append(rate)
        losses.append(smooth)
        torch.nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
        optimiser.step()
    if not rates:
        raise TrainingError("the loss of the first batch is not finite; the learning-rate range test cannot begin, look at the inputs")
    return RateRange(rates, losses, max(LOWEST, rates[int(np.argmin(losses))] / _BELOW))
