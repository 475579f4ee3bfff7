"""Before a network trains: inputs that say nothing or too much are named, and it must be able to learn ten labels by heart."""

import copy

import numpy as np
import torch

from trader_pipeline.errors import PreflightError
from trader_pipeline.models.examples import Examples, Float32
from trader_pipeline.models.network import Network
from trader_pipeline.models.normalise import Normaliser
from trader_pipeline.training.windows import PanelTensors

SAMPLES = 10
_STEPS = 60
_LEARNING_RATE = 3e-3
_LEARNT = 0.5
"""Share of the ten labels' mean square that may be left after `_STEPS` steps."""
_EXTREME_Z = 50.0


def unusual_features(examples: Examples, normaliser: Normaliser) -> dict[str, list[str]]:
    """Return the features that never vary in training, are never known, or reach beyond 50 winsorised standard deviations."""
    known = np.isfinite(examples.x_NTF).any(axis=(0, 1))
    spread = np.where(normaliser.std_F > 0, normaliser.std_F, np.inf)
    reach = np.nanmax(np.where(np.isfinite(examples.x_NTF), np.abs(examples.x_NTF - normaliser.mean_F) / spread, 0.0), axis=(0, 1))
    flags = {"never_known": ~known, "constant": known & (normaliser.std_F == 0), "extreme": reach > _EXTREME_Z}
    return {what: [n for n, bad in zip(examples.features, is_bad.tolist(), strict=True) if bad] for what, is_bad in flags.items()}


def beyond_support(labels_NTH: Float32, support_sigmas: float) -> float:
    """Return the share of labels outside +-`support_sigmas`: the mass that the outermost bins stand for."""
    known = labels_NTH[np.isfinite(labels_NTH)]
    return float((np.abs(known) > support_sigmas).mean()) if len(known) else 0.0


def overfit_ten(network: Network, data: PanelTensors, first: int) -> float:
    """Return the share of ten labels' mean square that a copy of the network cannot learn by heart; raise `PreflightError` above one half.

    Failing means too little capacity or a bug, not bad data: the labels might as well be random.
    """
    inputs, targets = data.gather(torch.tensor([first]), network.config.window_sessions)
    labelled = torch.isfinite(targets.score).nonzero()
    chosen = labelled[torch.linspace(0, len(labelled) - 1, SAMPLES).long()].unbind(1)
    wanted = targets.score[chosen]
    twin = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(twin.parameters(), _LEARNING_RATE, weight_decay=0.0)
    for _ in range(_STEPS):
        loss: torch.Tensor = (twin(inputs).score_BNLH[chosen] - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    left = float(loss.detach() / wanted.square().mean().clamp(min=1e-8))
    if not left <= _LEARNT:
        raise PreflightError(
            "overfit_ten",
            f"{type(network).__name__} cannot learn ten labels by heart: {left:.0%} of their mean square is left after {_STEPS} steps; "
            "that is capacity or a bug, not the data: the network is too small or broken",
        )
    return left
