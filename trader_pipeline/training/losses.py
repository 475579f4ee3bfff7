"""The loss of a PanelFormer as a sum over labels, so that micro-batches of any size add up to the same gradient.

Legend: B windows, N tickers, L sessions, H horizons, K bins.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from trader_pipeline.models import hl_gauss
from trader_pipeline.models.network import Outputs


class Targets(NamedTuple):
    """Labels [B, N, L, H]; NaN where a label may not be used."""

    score: Tensor
    scaled: Tensor

    def counts(self) -> Tensor:
        """Return the number of usable labels of each kind [2], at least 1."""
        return torch.stack([torch.isfinite(self.score).sum(), torch.isfinite(self.scaled).sum()]).clamp(min=1)


def weighted_loss(outputs: Outputs, targets: Targets, counts: Tensor) -> Tensor:
    """Return squared error of the score + cross-entropy of the bins, each divided by its count over the whole global batch."""
    known_score, known_scaled = torch.isfinite(targets.score), torch.isfinite(targets.scaled)
    squared = (outputs.score_BNLH[known_score] - targets.score[known_score]).square().sum()
    chances = hl_gauss.project(targets.scaled[known_scaled])
    entropy = -(chances * torch.log_softmax(outputs.distribution_BNLHK[known_scaled], -1)).sum()
    return squared / counts[0] + entropy / counts[1]
