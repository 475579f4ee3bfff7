"""The return distribution that a network says, in one of two forms: bins (HL-Gauss) or a Student t. Both become bins when asked.

A ticker's scaled return is the market's, the mean of the session, and a residual; their bins are added as independent ones.
Legend: K numbers of a distribution, V bins.
"""

import math

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from trader_pipeline.models import hl_gauss

HL_GAUSS, STUDENT_T = "hl_gauss", "student_t"
NUMBERS = {HL_GAUSS: hl_gauss.BINS, STUDENT_T: 3}
"""K by form, which tells the form; of a Student t: mean, log scale, and what makes the degrees of freedom."""

_FEWEST_DEGREES = 2.5
_POINTS = 8
"""Points a bin at which a density is summed."""


def negative_log_likelihood(numbers: Tensor, labels: Tensor) -> Tensor:
    """Return [...] for numbers [..., K] and labels [...]; of bins the cross-entropy with the smoothed label."""
    if numbers.shape[-1] == NUMBERS[STUDENT_T]:
        return -_log_density(numbers, labels)
    entropy: Tensor = -(hl_gauss.project(labels) * torch.log_softmax(numbers, -1)).sum(-1)
    return entropy


def probabilities(numbers: Tensor) -> Tensor:
    """Return [..., V], the chance of each bin of the support, which sum to 1."""
    if numbers.shape[-1] == NUMBERS[HL_GAUSS]:
        return torch.softmax(numbers, -1)
    edges = hl_gauss.edges(numbers.device)
    points = edges[0] + (torch.arange(hl_gauss.BINS * _POINTS, device=edges.device) + 0.5) * (edges[1] - edges[0]) / _POINTS
    density = _log_density(numbers.unsqueeze(-2), points).exp()
    density = density.reshape(*density.shape[:-1], hl_gauss.BINS, _POINTS).sum(-1)
    shares: Tensor = density / density.sum(-1, keepdim=True)
    return shares


def added(residual: Tensor, market: Tensor) -> Tensor:
    """Return the bins [..., V] of the sum of two independent values with bins [..., V]; what leaves the support stays in its last bin."""
    bins, half = residual.shape[-1], residual.shape[-1] // 2
    size = 2 * bins - 1
    spectrum = torch.fft.rfft(residual, size) * torch.fft.rfft(market, size)
    sums = torch.fft.irfft(spectrum, size).clamp(min=0.0)
    inside = sums[..., half : half + bins].clone()
    inside[..., 0] += sums[..., :half].sum(-1)
    inside[..., -1] += sums[..., half + bins :].sum(-1)
    shares: Tensor = inside / inside.sum(-1, keepdim=True)
    return shares


def base_rate(kind: str, labels: Tensor) -> Tensor:
    """Return the numbers [K] that describe labels [n] without any knowledge; zeros without labels."""
    if not len(labels):
        return torch.zeros(NUMBERS[kind])
    if kind == STUDENT_T:
        return torch.stack([labels.mean(), labels.std(correction=0).clamp(min=1e-3).log() - 0.2, torch.tensor(math.log(math.e - 1) + 1)])
    return torch.log(hl_gauss.project(labels).mean(0) + 1e-4)


def _log_density(numbers: Tensor, at: Tensor) -> Tensor:
    """Return the log density [...] of Student t distributions with numbers [..., 3]. Lange, Little & Taylor 1989."""
    mean, log_scale, shape = numbers.float().unbind(-1)
    degrees, log_scale = _FEWEST_DEGREES + F.softplus(shape), log_scale.clamp(-5.0, 3.0)
    z = (at - mean) * torch.exp(-log_scale)
    constant = torch.lgamma((degrees + 1) / 2) - torch.lgamma(degrees / 2) - 0.5 * torch.log(math.pi * degrees) - log_scale
    return constant - (degrees + 1) / 2 * torch.log1p(z.square() / degrees)
