"""Places where a test may let something break: a hook that is installed sees each phase of a step, and may raise or spoil a tensor.

Phases: forward, backward, gradient (all gradients are there), step (before the optimiser's).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trader_pipeline.training.module import NetworkModule

Hook = Callable[[str, "NetworkModule"], None]
_hooks: list[Hook] = []


@contextmanager
def injected(hook: Hook) -> Iterator[None]:
    """Call `hook(phase, module)` at every phase while the context lasts."""
    _hooks.append(hook)
    try:
        yield
    finally:
        _hooks.remove(hook)


def reach(phase: str, module: "NetworkModule") -> None:
    """Pass a phase."""
    for hook in _hooks:
        hook(phase, module)
