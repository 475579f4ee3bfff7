"""How many devices of this host can train one network together."""

import os

from trader_pipeline.errors import UsageError


def require_devices(asked: int) -> None:
    """Raise `UsageError` where fewer devices are here than `asked`: on one that is shared, ranks only wait for each other.

    `python -m trader_pipeline.training.launch` starts any number on CPU cores, to see that ranks work together.
    """
    if asked == 1:
        return
    gpus, cores = gpus_here(), os.cpu_count() or 1
    here, what = (gpus, "GPU") if gpus else (cores, "CPU core")
    if asked > here:
        most = f"at most --devices {here}" if here > 1 else "leave --devices out"
        raise UsageError(f"--devices {asked}: this host has {here} {what}{'' if here == 1 else 's'} to train on; {most}")


def gpus_here() -> int:
    """Return how many GPUs torch sees."""
    import torch  # noqa: PLC0415 - seconds, which one device need not wait for

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
