"""Weights, gradients and moments split over the ranks (FSDP): for networks whose copies on every device leave no room for windows.

Each block is gathered when it is computed and let go after. All ranks must take the same number of micro-batches, and one that
runs out of memory inside a block leaves the others waiting: here memory is found before training, not by halving.
"""

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from trader_pipeline.errors import TrainingError
from trader_pipeline.training.ranks import Ranks


def shard(network: nn.Module, ranks: Ranks) -> None:
    """Split the network in place, block by block; gradients are summed over ranks, in fp32. Alone it stays whole.

    Every rank must hold the same weights. Make the optimiser afterwards. Raises `TrainingError` without `blocks`.
    """
    blocks = getattr(network, "blocks", None)
    if not isinstance(blocks, nn.ModuleList):
        raise TrainingError(f"{type(network).__name__} has no list `blocks` to be split over devices; leave shard off")
    if ranks.world == 1:
        return
    device = next(network.parameters()).device.type
    mesh = init_device_mesh(device, (ranks.world,))
    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32) if device == "cuda" else MixedPrecisionPolicy()
    for module in (*blocks, network):
        fully_shard(module, mesh=mesh, mp_policy=policy)
    for module in network.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(enable=True)  # gloo has no other


def whole(tensor: Tensor) -> Tensor:
    """Return the tensor, gathered where it is split: all ranks must ask."""
    if isinstance(tensor, DTensor):
        gathered: Tensor = tensor.full_tensor()
        return gathered
    return tensor


def like(tensor: Tensor, held: Tensor) -> Tensor:
    """Return a whole tensor on the device of `held`, split as that is: all ranks must ask."""
    if isinstance(held, DTensor):
        return distribute_tensor(tensor.to(held.device), held.device_mesh, held.placements)
    return tensor.to(held.device)


def whole_state(network: nn.Module) -> dict[str, Tensor]:
    """Return the network's state in host memory, gathered weight by weight: all ranks must ask."""
    return {name: whole(tensor.detach()).cpu().contiguous() for name, tensor in network.state_dict().items()}
