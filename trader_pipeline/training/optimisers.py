"""What moves the weights: fused AdamW, or Muon for the matrices inside the blocks and AdamW for all else.

Muon: the momentum of a matrix, orthogonalised by five Newton-Schulz steps (Jordan et al. 2024), scaled so that it moves a weight
as far as AdamW would (0.2 sqrt of the longer side; Liu et al. 2025), and with the same decoupled decay: one learning rate and one
schedule serve both.
Both read `found_inf` as torch's fused AdamW does: where it is 1 neither weights nor moments change, without a host sync.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from trader_pipeline.errors import TrainingError

Kind = Literal["adamw", "muon"]

BETAS = (0.9, 0.95)
EPSILON = 1e-8
MOMENTUM = 0.95
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_STEPS = 5
_SMALLEST_NORM = 1e-7


def optimiser(network: nn.Module, kind: Kind, *, learning_rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """Return the optimiser of all weights; biases and gains do not decay. Raises `TrainingError` where Muon finds no blocks."""
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    if kind == "adamw":
        groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, learning_rate, betas=BETAS, eps=EPSILON, fused=True)
    hidden = hidden_matrices(network)
    inside = {id(p) for p in hidden}
    rest = [p for p in matrices if id(p) not in inside]
    return Muon(hidden, rest, vectors, learning_rate=learning_rate, weight_decay=weight_decay)


def hidden_matrices(network: nn.Module) -> list[nn.Parameter]:
    """Return the two-dimensional weights of `network.blocks`, but for the modulation, which starts at zero and is no map of states."""
    found = [p for name, p in network.named_parameters() if p.ndim == 2 and name.startswith("blocks.") and ".modulation." not in name]  # noqa: PLR2004 - a matrix
    if not found:
        raise TrainingError(f"{type(network).__name__} has no matrices in `blocks`, so Muon has nothing to do; take optimiser adamw")
    return found


class Muon(torch.optim.Optimizer):
    """Muon for `hidden`, AdamW for `rest` (with decay) and `vectors` (without)."""

    grad_scale: Tensor | None = None
    found_inf: Tensor | None = None

    def __init__(
        self,
        hidden: list[nn.Parameter],
        rest: list[nn.Parameter],
        vectors: list[nn.Parameter],
        *,
        learning_rate: float,
        weight_decay: float,
    ) -> None:
        groups = [
            {"params": hidden, "muon": True, "weight_decay": weight_decay},
            {"params": rest, "muon": False, "weight_decay": weight_decay},
            {"params": vectors, "muon": False, "weight_decay": 0.0},
        ]
        super().__init__(
            [group for group in groups if group["params"]], {"lr": learning_rate, "fused": True}
        )  # fused: torch loads the step count onto the device

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]  # torch overloads it
        """Take one step on the gradients that are there."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        groups = [(group, [p for p in group["params"] if p.grad is not None]) for group in self.param_groups]
        for group, parameters in groups:
            self._begin(parameters, muon=group["muon"])
        planned = [move for group, parameters in groups if group["muon"] for move in self._planned(parameters, group)]
        for parameter, momentum, keep, move in planned:
            self.state[parameter]["momentum"].copy_(momentum)
            parameter.mul_(keep).sub_(move)
        for group, parameters in groups:
            if parameters and not group["muon"]:
                self._adamw(parameters, group)
        return loss

    def _begin(self, parameters: list[nn.Parameter], *, muon: bool) -> None:
        """Make the moments that are not there yet."""
        for parameter in parameters:
            state = self.state[parameter]
            if muon and "momentum" not in state:
                state["momentum"] = torch.zeros_like(parameter)
            if not muon and "exp_avg_sq" not in state:
                state["step"] = torch.zeros((), device=parameter.device)
                state["exp_avg"] = torch.zeros_like(parameter)
                state["exp_avg_sq"] = torch.zeros_like(parameter)

    def _planned(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> Iterator[tuple[nn.Parameter, Tensor, Tensor, Tensor]]:
        """Yield matrix, new momentum, factor of the decay and move; matrices of one shape in a few large products instead of many small.

        All that wants memory is here, before the first weight moves: a step for which it runs out has changed nothing.
        """
        by_shape: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
        for parameter in parameters:
            by_shape[parameter.shape].append(parameter)
        for shape, same in by_shape.items():
            device = same[0].device
            left_out = torch.zeros((), device=device) if self.found_inf is None else self.found_inf.to(device)
            gradients = torch.stack([p.grad for p in same if p.grad is not None])
            before = torch.stack([self.state[p]["momentum"] for p in same])
            momentum = torch.where(left_out > 0, before, before.lerp(gradients, 1 - MOMENTUM))
            direction = orthogonal(momentum.lerp(gradients, 1 - MOMENTUM).nan_to_num())  # Nesterov; what is not finite moves nothing
            rate = group["lr"] * (1 - left_out)
            moves = rate * (direction.to(gradients.dtype) * (0.2 * math.sqrt(max(shape))))
            yield from ((p, new, 1 - rate * group["weight_decay"], move) for p, new, move in zip(same, momentum, moves, strict=True))

    def _adamw(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        states = [self.state[parameter] for parameter in parameters]
        adamw(
            [*parameters],
            [p.grad for p in parameters if p.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=True,
            found_inf=self.found_inf,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=EPSILON,
            maximize=False,
        )


def orthogonal(matrices: Tensor) -> Tensor:
    """Return matrices [S, R, C] with their singular values brought near 1 (0.7 to 1.2), their singular vectors kept; bf16 on a GPU."""
    a, b, c = _NEWTON_SCHULZ
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.bfloat16() if matrices.is_cuda else matrices.float()
    x = x.mT if tall else x
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=_SMALLEST_NORM)
    for _ in range(_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    near: Tensor = x.mT if tall else x
    return near
