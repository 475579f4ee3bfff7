"""A return distribution as a histogram: targets are smoothed Gaussians, so a classifier learns a regression.

Imani & White 2018; Farebrother et al. 2024 (width ratio 0.75). Support +-6 sigmas; a label beyond it is counted in the last bin.
Legend: K bins, Q quantile levels.
"""

import math

import torch
from torch import Tensor

SUPPORT_SIGMAS = 6.0
BINS = 51
WIDTH_RATIO = 0.75
"""Standard deviation of the smoothing in bin widths."""

_WIDTH = 2 * SUPPORT_SIGMAS / BINS
_SIGMA = WIDTH_RATIO * _WIDTH


def edges(device: torch.device | None = None) -> Tensor:
    """Return the K + 1 bin edges in sigmas."""
    return torch.linspace(-SUPPORT_SIGMAS, SUPPORT_SIGMAS, BINS + 1, device=device)


def centres(device: torch.device | None = None) -> Tensor:
    """Return the K bin centres in sigmas."""
    bounds = edges(device)
    return (bounds[:-1] + bounds[1:]) / 2


def project(labels: Tensor) -> Tensor:
    """Return [..., K] probabilities for labels [...]: a Gaussian around each label, cut off at the support and rescaled."""
    inside = labels.clamp(-SUPPORT_SIGMAS, SUPPORT_SIGMAS).unsqueeze(-1)
    below = torch.special.erf((edges(labels.device) - inside) / (_SIGMA * math.sqrt(2)))
    mass = below[..., 1:] - below[..., :-1]
    shares: Tensor = mass / mass.sum(-1, keepdim=True)
    return shares


def mean(probabilities: Tensor) -> Tensor:
    """Return the expectation [...] of probabilities [..., K]."""
    expected: Tensor = probabilities @ centres(probabilities.device)
    return expected


def quantiles(probabilities: Tensor, levels: tuple[float, ...]) -> Tensor:
    """Return [..., Q]: where the cumulative distribution, linear inside a bin, reaches each level."""
    cumulative = probabilities.cumsum(-1).clamp(max=1.0)
    wanted = torch.tensor(levels, device=probabilities.device).expand(*probabilities.shape[:-1], len(levels)).contiguous()
    index = torch.searchsorted(cumulative.contiguous(), wanted).clamp(max=BINS - 1)
    upper = cumulative.gather(-1, index)
    mass = probabilities.gather(-1, index)
    share = ((wanted - (upper - mass)) / mass.clamp(min=1e-12)).clamp(0.0, 1.0)
    left: Tensor = edges(probabilities.device)[index] + share * _WIDTH
    return left
