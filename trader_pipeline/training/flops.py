"""What one training step must compute: floating-point operations of a forward and a backward pass, attention included.

They are counted on the network itself, on tensors without data, so they follow it when it changes. For R = N L ticker-sessions of a
window, width D, a condition of width c, and Q = N + tokens positions of a session (R' = Q L), a PanelFormer without families needs,
forward,

    embedding           2 R P D                     condition   2 L c (P + M + c)      market tokens   2 L c D
    a block's matrices  2 R' D (2 D + 2 C S + 3 G)  and for its modulation 12 L c D
    temporal attention  4 R' L D / 2                cross-sectional attention   4 R' Q D
    heads               2 R D (H + H K + A)         and the market's 2 L D H K

with S key-value heads of C numbers and G numbers inside the feed-forward; backward twice as many, but for gradients of the inputs, which
no one asks for. A causal attention is counted as the half that it needs. What is computed again (activations that were not kept,
the backward pass of fused attention) is not counted: it is how, not what.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import FlopCounterMode

_FORWARD_AND_BACKWARD = 3


def training_flops(network: nn.Module, *inputs: Any) -> int:
    """Return operations of one forward and backward pass over inputs of these shapes. Ask before the network is compiled or split."""
    weights = {name: _without_data(p).requires_grad_(p.requires_grad) for name, p in network.named_parameters()}
    weights |= {name: _without_data(b) for name, b in network.named_buffers()}
    saved = _CausalHalf()
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, saved:
        outputs = functional_call(network, weights, tree_map_only(Tensor, _without_data, inputs))
        torch.autograd.backward([value.sum() for value in outputs if value is not None])
    return int(counter.get_total_flops()) - saved.flops


class _CausalHalf(TorchFunctionMode):
    """Adds up what causal attentions do not need of what is counted for them."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention and kwargs.get("is_causal"):
            rows, heads, steps, width = args[0].shape
            self.flops += _FORWARD_AND_BACKWARD * 4 * rows * heads * steps * steps * width // 2
        return func(*args, **kwargs)


def _without_data(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, device="meta")
