"""Which steps may change the weights, decided on the device: nothing here waits for it but `skips` and `bad_steps`.

A step is left out when its loss or gradient norm is not finite, or beyond `factor` times the running mean.
"""

import torch
from torch import Tensor

RING = 64
"""Newest bad steps that are remembered by number."""
_WARM = 10
"""Good steps before a spike can be told."""
_LEAST_WEIGHT = 0.02


class Guard:
    """Running means of loss and gradient norm, and which steps were left out."""

    def __init__(self, factor: float, device: torch.device) -> None:
        self.factor = factor
        self.scale = torch.zeros(2, device=device)
        self.good = torch.zeros((), dtype=torch.int64, device=device)
        self.bad = torch.zeros((), dtype=torch.int64, device=device)
        self.ring = torch.full((RING,), -1, dtype=torch.int64, device=device)

    def judge(self, loss: Tensor, norm: Tensor) -> tuple[Tensor, Tensor]:
        """Return whether the step is bad (bool, on the device), and what `note` wants to know; changes nothing."""
        seen = torch.stack([loss.detach().float(), norm.detach().float()])
        spike = (self.good >= _WARM) & (seen > self.factor * self.scale).any()
        return ~torch.isfinite(seen).all() | spike, seen

    def note(self, bad: Tensor, seen: Tensor, step: int) -> None:
        """Count a step that was taken or left out. A spike moves the means no further than a good step could."""
        finite = torch.isfinite(seen).all()
        capped = torch.where(self.good >= _WARM, torch.minimum(seen, self.factor * self.scale), seen)
        weight = (1.0 / (self.good + 1.0)).clamp(min=_LEAST_WEIGHT)
        self.scale = torch.where(finite, self.scale + weight * (capped - self.scale), self.scale)
        slot = self.bad % RING
        self.ring[slot] = torch.where(bad, step, self.ring[slot])
        self.bad = self.bad + bad
        self.good = self.good + ~bad

    def skips(self) -> int:
        """Return how many steps were left out; waits for the device."""
        return int(self.bad)

    def bad_steps(self) -> list[int]:
        """Return the newest steps that were left out, in order; waits for the device."""
        return sorted(step for step in self.ring.tolist() if step >= 0)

    def tensors(self) -> dict[str, Tensor]:
        """Return the state by name."""
        return {"scale": self.scale, "good": self.good, "bad": self.bad, "ring": self.ring}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take up the state that `tensors` gave."""
        device = self.scale.device
        self.scale, self.good, self.bad, self.ring = (tensors[name].to(device) for name in ("scale", "good", "bad", "ring"))
