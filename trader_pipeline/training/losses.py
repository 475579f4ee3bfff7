"""The loss of a network as a sum over labels, so that micro-batches of any size add up to the same gradient."""

import torch
from torch import Tensor

from trader_pipeline.models import distribution
from trader_pipeline.models.network import Outputs
from trader_pipeline.training.targets import Targets

MARKET_WEIGHT, AUXILIARY_WEIGHT = 0.1, 0.1
"""Beside 1 for the score and for the distribution."""


def weighted_loss(outputs: Outputs, targets: Targets, counts: Tensor) -> Tensor:
    """Return the sum of the parts, each over its labels and divided by its count (`Targets.counts`) over the whole global batch.

    Squared error of the score and of the auxiliary forecasts, negative log likelihood of the two distributions. Where there is no
    label nothing is added, without a look at how many there are: that would make a device wait.
    """
    loss = _squared(outputs.score_BNLH, targets.score) / counts[0]
    loss = loss + _likelihood(outputs.distribution_BNLHK, targets.residual) / counts[1]
    if outputs.market_BLHK is not None:
        loss = loss + MARKET_WEIGHT * _likelihood(outputs.market_BLHK, targets.market) / counts[2]
    if outputs.auxiliary_BNLA is not None:
        loss = loss + AUXILIARY_WEIGHT * _squared(outputs.auxiliary_BNLA, targets.auxiliary) / counts[3]
    return loss


def _squared(said: Tensor, labels: Tensor) -> Tensor:
    return torch.where(torch.isfinite(labels), said - torch.nan_to_num(labels), 0.0).square().sum()


def _likelihood(numbers: Tensor, labels: Tensor) -> Tensor:
    cost = distribution.negative_log_likelihood(numbers, torch.nan_to_num(labels))
    return torch.where(torch.isfinite(labels), cost, 0.0).sum()
