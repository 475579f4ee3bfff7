"""A fit in progress as tensors and facts, and back. Nothing of chance is kept: what a step draws follows from its number.

Names: network.*, average.*, guard.*, train_sum, and moments.<parameter>.<what> for each tensor of the optimiser.
"""

from typing import Any

import torch
from torch import Tensor

from trader_pipeline.models.network import Network
from trader_pipeline.training.checkpoints import State
from trader_pipeline.training.module import NetworkModule
from trader_pipeline.training.sharding import like, whole


def of(module: NetworkModule) -> State:
    """Return the state of network, optimiser, average, guard and memory plan; what is split over ranks is gathered, so all must ask."""
    tensors = {f"network.{name}": tensor for name, tensor in module.network.state_dict().items()}
    tensors |= {f"guard.{name}": tensor for name, tensor in module.guard.tensors().items()} | {"train_sum": module.train_sum}
    if module.average:
        tensors |= {f"average.{name}": tensor for name, tensor in module.average.weights.items()}
    for name, parameter in module.network.named_parameters():
        tensors |= {f"moments.{name}.{what}": value for what, value in module.optimiser.state[parameter].items()}
    memory = module.memory
    facts = {
        "step": module.step,
        "rate_scale": module.rate_scale,
        "micro_windows": memory.micro_windows,
        "recompute": memory.recompute,
        "threads": torch.get_num_threads(),
    }
    return State({name: whole(tensor) for name, tensor in tensors.items()}, facts)


def restore(module: NetworkModule, state: State) -> None:
    """Continue from `state`: everything that `of` gave."""
    restore_weights(module, state)
    module.guard.load(_under(state, "guard."))
    module.train_sum.copy_(state.tensors["train_sum"])
    facts = state.facts
    module.step, module.rate_scale, module.memory.micro_windows = facts["step"], facts["rate_scale"], facts["micro_windows"]
    if facts["recompute"] and not module.memory.recompute:
        module.memory.recompute_activations()


def restore_weights(module: NetworkModule, state: State) -> None:
    """Take weights, moments and average from `state`; cursor, guard and learning rate stay."""
    held_by = module.network.state_dict()
    module.network.load_state_dict({name: like(tensor, held_by[name]) for name, tensor in _under(state, "network.").items()})
    if module.average:
        module.average.load(_under(state, "average."))
    moments: dict[str, dict[str, Tensor]] = {}
    for key, value in _under(state, "moments.").items():
        name, _, what = key.rpartition(".")
        moments.setdefault(name, {})[what] = value
    for name, parameter in module.network.named_parameters():
        held: dict[str, Any] = module.optimiser.state[parameter]
        held.clear()
        held |= {what: _moment(value, parameter) for what, value in moments.get(name, {}).items()}


def _moment(value: Tensor, parameter: Tensor) -> Tensor:
    return like(value.clone(), parameter) if value.shape == parameter.shape else value.clone().to(parameter.device)


def load_network(network: Network, state: State) -> None:
    """Give the network the weights that were judged: the average where there is one."""
    network.load_state_dict(_under(state, "network.") | _under(state, "average."))


def _under(state: State, prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.tensors.items() if name.startswith(prefix)}
