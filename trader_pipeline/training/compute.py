"""On what and how a network is computed: device, precision, compilation, attention kernels, sharding. Recipe fields.

On CUDA by default bf16 autocast (no scaler: bf16 has the range of fp32), TF32 for what stays in fp32, and `torch.compile`; on a CPU
none of them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_map_only

from trader_pipeline.errors import UsageError
from trader_pipeline.models.network import Inputs, Network, Outputs
from trader_pipeline.training.losses import weighted_loss
from trader_pipeline.training.targets import Targets

Precision = Literal["auto", "bf16", "fp32"]
CompileMode = Literal["auto", "off", "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"]
"""`reduce-overhead` and `max-autotune` record CUDA graphs, whose gradients do not outlive the next forward: one micro-batch a step."""
Attention = Literal["auto", "flash", "efficient", "cudnn", "math"]
DYNAMIC = False
"""Whether one compiled program serves several shapes: it would choose other kernels, and with them other last bits."""

_RECORDS_GRAPHS = frozenset({"reduce-overhead", "max-autotune"})
_BACKENDS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "math": SDPBackend.MATH,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compute:
    """What a recipe says of the machine; `auto` is decided by the device. `shard` splits weights over the ranks (FSDP)."""

    device: str = "auto"
    precision: Precision = "auto"
    compile_mode: CompileMode = "auto"
    attention: Attention = "auto"
    shard: bool = False


DEFAULT = Compute()


@dataclass(frozen=True, slots=True)
class Machine:
    """A `Compute` with nothing left open."""

    device: torch.device
    dtype: torch.dtype
    compile_mode: CompileMode
    attention: Attention

    @property
    def is_cuda(self) -> bool:
        """Whether there is a GPU."""
        return self.device.type == "cuda"

    @contextmanager
    def arithmetic(self) -> Iterator[None]:
        """Compute matrix products in the chosen precision and attention by the chosen kernel; both stay fp32 where they would suffer.

        A named kernel that cannot serve falls to the math kernel, so that masks still work.
        """
        backends = list(_BACKENDS.values()) if self.attention == "auto" else [_BACKENDS[self.attention], SDPBackend.MATH]
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32), sdpa_kernel(backends):
            yield


def machine(compute: Compute) -> Machine:
    """Decide what is open. Raises `UsageError` for a device that is not there."""
    name = compute.device if compute.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise UsageError(
                f"device {name!r} is asked for, torch {torch.__version__} sees no GPU; install a CUDA build, or take device auto"
            )
        torch.set_float32_matmul_precision("high")
    is_cuda = device.type == "cuda"
    dtype = torch.bfloat16 if compute.precision == "bf16" or (compute.precision == "auto" and is_cuda) else torch.float32
    mode: CompileMode = compute.compile_mode if compute.compile_mode != "auto" else ("default" if is_cuda else "off")
    return Machine(device, dtype, mode, compute.attention)


class Computed:
    """The loss of a network as the machine computes it: weights stay the network's own, the loss itself is fp32.

    Compiled are the blocks, which are alike, so that a deep network costs no more to compile than a shallow one; then the heads and
    the loss.
    """

    def __init__(self, network: Network, on: Machine) -> None:
        self.on, self._network = on, network
        self._loss: Callable[[Outputs, Targets, Tensor, Tensor | None], Tensor] = _exact_loss
        if on.compile_mode != "off":
            mode = None if on.compile_mode == "default" else on.compile_mode
            for part in _parts(network):
                part.compile(mode=mode, dynamic=DYNAMIC)
            self._loss = torch.compile(_exact_loss, mode=mode, dynamic=DYNAMIC)

    def loss(self, inputs: Inputs, targets: Targets, counts: Tensor, class_weights: Tensor | None = None) -> Tensor:
        """Return `weighted_loss` of one micro-batch."""
        if self.on.compile_mode in _RECORDS_GRAPHS:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]  # what a recorded graph returned before may be overwritten
        with self.on.arithmetic():
            outputs = self._network(inputs)
        return self._loss(outputs, targets, counts, class_weights)


def _parts(network: Network) -> list[nn.Module]:
    blocks = getattr(network, "blocks", None)
    return [*blocks, network.heads] if isinstance(blocks, nn.ModuleList) else [network]


def _exact_loss(outputs: Outputs, targets: Targets, counts: Tensor, class_weights: Tensor | None) -> Tensor:
    return weighted_loss(tree_map_only(Tensor, Tensor.float, outputs), targets, counts, class_weights)
