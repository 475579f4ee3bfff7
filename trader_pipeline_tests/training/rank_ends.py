"""How ranks of a test end: `python -m trader_pipeline_tests.training.rank_ends JOB FOLDER`. Starts fast: torch only where needed."""

import os
import signal
import sys
import time
from pathlib import Path

EPOCHS = 4
DEATH = "died.txt"


def resumes(folder):
    """Gradient descent, a checkpoint after each epoch; in a folder named `die` the last rank is killed once in epoch 2."""
    import torch  # noqa: PLC0415 - the other jobs start without it

    from trader_pipeline.training.checkpoints import CheckpointStore, State  # noqa: PLC0415 - the same
    from trader_pipeline.training.ranks import joined  # noqa: PLC0415 - the same

    torch.manual_seed(0)
    network, x = torch.nn.Linear(3, 1), torch.randn(8, 3)
    store = CheckpointStore(folder / "checkpoints")
    with joined() as ranks:
        done = max((entry["epoch"] for entry in store.entries()), default=-1)
        if done >= 0:
            network.load_state_dict(store.newest()[0].tensors)
        for epoch in range(done + 1, EPOCHS):
            if epoch == 2 and ranks.rank == ranks.world - 1 and folder.name == "die" and not (folder / DEATH).exists():
                (folder / DEATH).write_text(str(done))
                os.kill(os.getpid(), signal.SIGKILL)
            network.zero_grad()
            (network(x[ranks.rank :: ranks.world]) - epoch).square().sum().backward()
            ranks.add_gradients(network.parameters())
            with torch.no_grad():
                for parameter in network.parameters():
                    parameter.sub_(0.01 * parameter.grad)
            if ranks.is_first:
                store.save(State(network.state_dict(), {}), step=epoch, epoch=epoch, validation_loss=1.0 / (epoch + 1))
        if ranks.is_first:
            torch.save((done, torch.cat([p.detach().flatten() for p in network.parameters()])), folder / "end.pt")


def chooses(folder):
    """The last rank ends with a status of its own choice."""
    if os.environ["RANK"] == "1":
        _count(folder)
        sys.exit(4)


def crashes(folder):
    """No restart helps."""
    if os.environ["RANK"] == "1":
        _count(folder)
        raise ValueError("a bug")


def waits(folder):
    """Say who runs, and go on until somebody ends it."""
    (folder / f"{os.environ['RANK']}.pid").write_text(str(os.getpid()))
    time.sleep(120)


def _count(folder):
    with (folder / "starts.txt").open("a") as file:
        file.write("start\n")


if __name__ == "__main__":
    {job.__name__: job for job in (resumes, chooses, crashes, waits)}[sys.argv[1]](Path(sys.argv[2]))
