"""The loss of a network as a sum over labels, so that micro-batches of any size add up to the same gradient.

Legend: H horizons, A auxiliary targets.
"""

import torch
from torch import Tensor

from trader_pipeline.models import distribution
from trader_pipeline.models.network import Outputs
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.training.targets import Targets

MARKET_WEIGHT, AUXILIARY_WEIGHT = 0.1, 0.1
"""Beside 1 for the score and for the distribution."""
HORIZON_WEIGHTS = tuple(len(HORIZONS_SESSIONS) / h / sum(1 / other for other in HORIZONS_SESSIONS) for h in HORIZONS_SESSIONS)
"""Proportional to 1 / h, 1 in the mean: the part of a holding period that the label of the session before does not share.

With equal weights the gradient is mostly the noise of the longest horizon, and what pays for one session only is not found.
"""


def weighted_loss(outputs: Outputs, targets: Targets, counts: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Return the sum of the parts, each over its labels and divided by its count (`Targets.counts`) over the whole global batch.

    Squared error of the score and of the auxiliary forecasts, negative log likelihood of the two distributions, each label times
    the weight of its horizon; in the likelihoods also times `class_weights` [2, H] of scaled returns that are down and up. Where there
    is no label nothing is added, without a look at how many there are: that would make a device wait.
    """
    loss = _squared(outputs.score_BNLH, targets.score) / counts[0]
    of_ticker, of_market = _class_weights(targets, class_weights)
    loss = loss + _likelihood(outputs.distribution_BNLHK, targets.residual, of_ticker) / counts[1]
    if outputs.market_BLHK is not None:
        loss = loss + MARKET_WEIGHT * _likelihood(outputs.market_BLHK, targets.market, of_market) / counts[2]
    if outputs.auxiliary_BNLA is not None:
        loss = loss + AUXILIARY_WEIGHT * _squared(outputs.auxiliary_BNLA, targets.auxiliary) / counts[3]
    return loss


def _class_weights(targets: Targets, weights: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    if weights is None:
        return None, None
    down_H, up_H = weights
    return torch.where(targets.residual + targets.market.unsqueeze(1) > 0, up_H, down_H), torch.where(targets.market > 0, up_H, down_H)


def _squared(said: Tensor, labels: Tensor) -> Tensor:
    return _weighed((said - torch.nan_to_num(labels)).square(), labels)


def _likelihood(numbers: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    cost = distribution.negative_log_likelihood(numbers, torch.nan_to_num(labels))
    return _weighed(cost if weights is None else cost * weights, labels)


def _weighed(cost: Tensor, labels: Tensor) -> Tensor:
    """Return the sum over labels [..., H] or [..., A], where A runs over the horizons again and again."""
    by_horizon = torch.where(torch.isfinite(labels), cost, 0.0).reshape(-1, len(HORIZON_WEIGHTS)).sum(0)
    return torch.stack([weight * part for weight, part in zip(HORIZON_WEIGHTS, by_horizon, strict=True)]).sum()
