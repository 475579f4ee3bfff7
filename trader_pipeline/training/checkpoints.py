"""Weights of a running fit: the best three by validation loss and the last, each atomic and hashed; nothing is unpickled."""

import json
import math
from pathlib import Path
from typing import TypedDict

from safetensors import torch as safetensors
from torch import nn

from trader_pipeline import durable
from trader_pipeline.errors import CorruptPartError, TrainingError

BEST = 3
_MANIFEST = "checkpoints.json"


class Saved(TypedDict):
    """One epoch's entry in the manifest."""

    file: str
    epoch: int
    validation_loss: float | None
    sha256: str


class CheckpointStore:
    """A folder of checkpoints. A kill at any moment leaves a manifest whose files are all whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entries(self) -> list[Saved]:
        """Return what is kept, by epoch."""
        path = self.folder / _MANIFEST
        kept: list[Saved] = json.loads(path.read_bytes()) if path.exists() else []
        return kept

    def save(self, network: nn.Module, *, epoch: int, validation_loss: float) -> None:
        """Keep the epoch's weights; a loss that is not finite never counts as best.

        The manifest forgets a file before the file goes.
        """
        data = safetensors.save({name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()})
        file = f"epoch-{epoch:04d}.safetensors"
        durable.write_atomic(self.folder / file, data)
        loss = validation_loss if math.isfinite(validation_loss) else None
        saved = Saved(file=file, epoch=epoch, validation_loss=loss, sha256=durable.sha256_bytes(data))
        every = [*(entry for entry in self.entries() if entry["epoch"] != epoch), saved]
        best = {entry["epoch"] for entry in _by_loss(every)[:BEST]}
        kept = [entry for entry in every if entry["epoch"] in best or entry["epoch"] == epoch]
        durable.write_atomic(self.folder / _MANIFEST, json.dumps(kept, indent=1).encode())
        for entry in every:
            if entry not in kept:
                (self.folder / entry["file"]).unlink(missing_ok=True)

    def load_best(self, network: nn.Module) -> int:
        """Load the weights with the lowest validation loss, the last where none has any, and return their epoch.

        Raises `TrainingError` when nothing was saved, `CorruptPartError` when a file does not match its hash.
        """
        entries = self.entries()
        if not entries:
            raise TrainingError(f"{self.folder} holds no checkpoint; the fit ended before its first epoch did, train again")
        chosen = (_by_loss(entries) or [entries[-1]])[0]
        data = (self.folder / chosen["file"]).read_bytes()
        if durable.sha256_bytes(data) != chosen["sha256"]:
            raise CorruptPartError(f"{self.folder / chosen['file']} does not match its hash; delete {self.folder} and train again")
        network.load_state_dict(safetensors.load(data))
        return chosen["epoch"]


def _by_loss(entries: list[Saved]) -> list[Saved]:
    """Return the entries that have a loss, the lowest first, the earlier of equals first."""
    losses = [(entry["validation_loss"], entry["epoch"], entry) for entry in entries if entry["validation_loss"] is not None]
    return [entry for _, _, entry in sorted(losses, key=lambda item: item[:2])]
