"""The little training that faults are put into, in this process, in one of its own that can be killed, or in several ranks (`-m`)."""

import json
import os
import resource
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from trader_pipeline import durable
from trader_pipeline.errors import TraderError
from trader_pipeline.models.examples import Examples, Labels
from trader_pipeline.models.panel_former import PanelFormerConfig
from trader_pipeline.panel import Grid
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.training import faults, launch, stopping
from trader_pipeline.training.fit_network import fit_network
from trader_pipeline.training.module import NetworkModule
from trader_pipeline.training.optimisation import Optimisation
from trader_pipeline.training.recipes import FitContext, Report

WEIGHTS, EVENTS = "weights.sha256", "events.jsonl"
DEATH = "dies-at-step.txt"
"""Where it lies in the folder, the last rank is killed at that step, once."""
SIZE = PanelFormerConfig(columns=0, width=16, heads=2, key_value_heads=1, blocks=2, dropout=0.1, window_sessions=8)
SETTINGS = Optimisation(
    epochs=4, patience=4, learning_rate=3e-3, rows_per_step=160, checkpoint_steps=3, check_steps=2, ema_decay=0.9, feature_noise=0.01
)
_TICKERS, _SESSIONS, _TAIL = 5, 420, 330


def panel() -> Examples:
    """Return a panel of noise with a planted signal in its first feature."""
    rng = np.random.default_rng(0)
    days = np.arange("2010-01-01", "2020-01-01", dtype="datetime64[D]")[:_SESSIONS]
    x = rng.standard_normal((_TICKERS, _SESSIONS, 3)).astype(np.float32)
    noise = rng.standard_normal((2, _TICKERS, _SESSIONS, len(HORIZONS_SESSIONS)))
    labels = Labels(*(0.5 * x[:, :, :1] + noise).astype(np.float32))
    return Examples(
        grid=Grid(tuple(f"T{i}" for i in range(_TICKERS)), days),
        x_NTF=x,
        features=("signal", "noise", "more_noise"),
        sectors={},
        fit=labels.within(0, _TAIL, embargo=5),
        tail=labels.within(_TAIL, _SESSIONS),
        every=labels.within(0, _SESSIONS),
    )


def train(folder: Path, report: Report, *, settings: Optimisation = SETTINGS, size: PanelFormerConfig = SIZE) -> str:
    """Train in `folder`, or go on there, and return the sha256 of the end weights."""
    context = FitContext(seed=0, fold=1, report=report, scratch=folder)
    member = fit_network(panel(), context, size, settings)
    return durable.sha256_bytes(member.files()["weights.safetensors"])


def child(folder: Path, file_limit: int | None = None) -> None:
    """Train in `folder` and leave the sha256 of the weights and the events there; of several ranks the first does.

    Exits as the training job does: 75 after SIGTERM and SIGHUP, 130 after SIGINT, an error's own status, its text in `EVENTS`.
    """
    torch.set_num_threads(1)
    with (folder / EVENTS).open("a") as events:

        def report(event: Mapping[str, object]) -> None:
            if launch.is_first():
                events.write(json.dumps(event) + "\n")
                events.flush()

        if file_limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
        try:
            with stopping.listening(), launch.together():
                done = train(folder, report)
        except stopping.Stopped as stopped:
            sys.exit(stopped.exit_code)
        except TraderError as error:
            report({"event": "error", "code": error.code, "said": str(error)})
            sys.exit(error.exit_code)
    if launch.is_first():
        durable.write_atomic(folder / WEIGHTS, done.encode())


def main() -> None:
    """Be a rank that trains in the folder that the command line names."""
    folder = Path(sys.argv[1])

    def dies(phase: str, module: NetworkModule) -> None:
        death, ranks = folder / DEATH, module.ranks
        if phase == "forward" and ranks.rank == ranks.world - 1 and death.exists() and module.step == int(death.read_text()):
            death.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    with faults.injected(dies):
        child(folder)


if __name__ == "__main__":
    main()
