"""More ranks than devices are refused by fact."""

import os

import pytest

from trader_pipeline.errors import UsageError
from trader_pipeline.training import devices
from trader_pipeline.training.devices import require_devices


@pytest.mark.parametrize(
    ("gpus", "cores", "asked", "said"),
    [
        (0, 2, 5, "--devices 5: this host has 2 CPU cores to train on; at most --devices 2"),
        (0, 1, 2, "--devices 2: this host has 1 CPU core to train on; leave --devices out"),
        (1, 16, 2, "--devices 2: this host has 1 GPU to train on; leave --devices out"),
        (4, 2, 5, "--devices 5: this host has 4 GPUs to train on; at most --devices 4"),
    ],
)
def test_more_than_there_are_is_refused_with_what_there_is(monkeypatch, gpus, cores, asked, said):
    monkeypatch.setattr(devices, "gpus_here", lambda: gpus)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    with pytest.raises(UsageError) as refused:
        require_devices(asked)
    assert str(refused.value) == said
    for fits in range(1, (gpus or cores) + 1):
        require_devices(fits)
