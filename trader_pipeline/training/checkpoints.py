"""States of a running fit: the best three by validation loss and the last two, each atomic and hashed; nothing is unpickled.

The last but one is there for when the last turns out damaged.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from safetensors import torch as safetensors
from torch import Tensor

from trader_pipeline import durable
from trader_pipeline.errors import CorruptPartError, TrainingError

BEST, LAST = 3, 2
_MANIFEST = "checkpoints.json"
_FACTS = "facts"


class Saved(TypedDict):
    """One entry of the manifest; `validation_loss` is null in the middle of an epoch, and where it is not finite."""

    file: str
    step: int
    epoch: int
    validation_loss: float | None
    sha256: str


class State(NamedTuple):
    """All that a fit needs to go on: tensors by name, and facts that JSON can hold."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


class CheckpointStore:
    """A folder of checkpoints. A kill at any moment leaves a manifest whose files are all whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entries(self) -> list[Saved]:
        """Return what is kept, in the order of saving; nothing when the manifest itself cannot be read."""
        try:
            kept: list[Saved] = json.loads((self.folder / _MANIFEST).read_bytes())
        except (FileNotFoundError, ValueError):
            return []
        return kept

    def save(self, state: State, *, step: int, epoch: int, validation_loss: float = math.nan) -> None:
        """Keep a state; a loss that is not finite never counts as best. Raises `DiskFullError` before anything is written.

        The manifest forgets a file before the file goes.
        """
        tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in state.tensors.items()}
        data = safetensors.save(tensors, {_FACTS: json.dumps(state.facts)})
        loss = validation_loss if math.isfinite(validation_loss) else None
        file = f"step-{step:08d}{'' if loss is None else '-judged'}.safetensors"
        durable.write_atomic(self.folder / file, data)
        saved = Saved(file=file, step=step, epoch=epoch, validation_loss=loss, sha256=durable.sha256_bytes(data))
        every = [*(entry for entry in self.entries() if entry["file"] != file), saved]
        best = [entry["file"] for entry in _by_loss(every)[:BEST]]
        kept = [entry for i, entry in enumerate(every) if entry["file"] in best or i >= len(every) - LAST]
        durable.write_atomic(self.folder / _MANIFEST, json.dumps(kept, indent=1).encode())
        for entry in every:
            if entry not in kept:
                (self.folder / entry["file"]).unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget all that is kept; the manifest forgets first."""
        every = self.entries()
        durable.write_atomic(self.folder / _MANIFEST, b"[]")
        for entry in every:
            (self.folder / entry["file"]).unlink(missing_ok=True)

    def newest(self) -> tuple[State | None, list[str]]:
        """Return the newest state whose bytes are whole, None without one, and the files that were passed over."""
        damaged: list[str] = []
        for entry in reversed(self.entries()):
            try:
                return self._read(entry), damaged
            except CorruptPartError:
                damaged.append(entry["file"])
        return None, damaged

    def best(self, *, last: bool = False) -> tuple[State, int]:
        """Return the state with the lowest validation loss, the last where none has any or `last` is asked for, and its epoch.

        Raises `TrainingError` when nothing was saved, `CorruptPartError` when a file does not match its hash.
        """
        entries = self.entries()
        if not entries:
            raise TrainingError(f"{self.folder} holds no checkpoint; the fit ended before its first epoch did, train again")
        chosen = entries[-1] if last else (_by_loss(entries) or [entries[-1]])[0]
        return self._read(chosen), chosen["epoch"]

    def _read(self, entry: Saved) -> State:
        path = self.folder / entry["file"]
        data = path.read_bytes() if path.exists() else b""
        if durable.sha256_bytes(data) != entry["sha256"]:
            raise CorruptPartError(f"{path} does not match its hash; delete {self.folder} and train again")
        header: Mapping[str, Any] = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        return State(safetensors.load(data), json.loads(header["__metadata__"][_FACTS]))


def _by_loss(entries: list[Saved]) -> list[Saved]:
    """Return the entries that have a loss, the lowest first, the earlier of equals first."""
    losses = [(entry["validation_loss"], entry["step"], entry) for entry in entries if entry["validation_loss"] is not None]
    return [entry for _, _, entry in sorted(losses, key=lambda item: item[:2])]
