"""Windows gathered on the device, into a buffer, and brought from mapped files are the same windows."""

import math

import pytest
import torch

from trader_pipeline.training.gather import Buffers, gather
from trader_pipeline.training.mapped import Loading, batches, fits, mapped
from trader_pipeline.training.windows import PanelTensors
from trader_pipeline_tests.training.test_module import tensors

STARTS = [torch.tensor([0, 16, 40]), torch.tensor([8]), torch.tensor([56, 4])]
LENGTH = 8


def test_a_gather_is_the_slices_it_names():
    panel = tensors().x_NTP
    windows = gather(panel, STARTS[0], LENGTH)
    assert windows.is_contiguous()
    for k, start in enumerate(STARTS[0].tolist()):
        assert torch.equal(windows[k], panel[:, start : start + LENGTH])


def test_a_buffer_is_used_again_and_grows():
    panel, buffers = tensors().x_NTP, Buffers()
    small = gather(panel, STARTS[1], LENGTH, (buffers, "x"))
    large = gather(panel, STARTS[0], LENGTH, (buffers, "x"))
    again = gather(panel, STARTS[2], LENGTH, (buffers, "x"))
    assert small.data_ptr() != large.data_ptr() == again.data_ptr()
    assert torch.equal(again, gather(panel, STARTS[2], LENGTH))


@pytest.mark.parametrize("workers", [0, 1])
def test_mapped_files_bring_the_same_batches(tmp_path, workers):
    panel = tensors()
    filed = mapped(panel, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "market_TM.bin",
        "present_NT.bin",
        "same_NN.bin",
        *(f"targets-{k}.bin" for k in range(4)),
        "x_NTP.bin",
    ]
    loading = Loading(batch_size=2, num_workers=workers, prefetch_factor=1)
    brought = list(batches(filed, STARTS, LENGTH, loading))
    expected = [panel.gather(part, LENGTH) for starts in STARTS for part in starts.split(2)]
    assert len(brought) == len(expected) == 4
    for (inputs, targets), (inputs_here, targets_here) in zip(brought, expected, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(inputs, inputs_here, strict=True))
        assert math.isnan(float(targets_here.score.sum()))
        for a, b in zip(targets, targets_here, strict=True):
            assert torch.equal(a.nan_to_num(7.0), b.nan_to_num(7.0))


def test_a_panel_beyond_half_of_the_free_memory_does_not_fit(monkeypatch):
    panel = PanelTensors(*(torch.zeros(100, dtype=torch.float32) for _ in range(5)))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (4000, 8000))
    assert fits(panel, torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (3999, 8000))
    assert not fits(panel, torch.device("cuda"))
    assert fits(panel, torch.device("cpu"))
