"""Calm windows first: an epoch's windows in the order of the mean absolute label, cut into batches of the same sizes."""

from collections.abc import Sequence

import torch
from torch import Tensor

from trader_pipeline.training.windows import PanelTensors


def calm_first(batches: Sequence[Tensor], data: PanelTensors, length: int) -> list[Tensor]:
    """Return the same window starts, those whose volatility-scaled returns are smallest on average first."""
    starts = torch.cat(list(batches))
    scaled_NTH = data.targets.residual + data.targets.market
    noise_T = torch.nanmean(scaled_NTH.abs(), dim=(0, 2)).nan_to_num(0.0)
    noise = torch.stack([noise_T[start : start + length].mean() for start in starts.tolist()])
    return list(torch.split(starts[torch.argsort(noise, stable=True)], [len(batch) for batch in batches]))
