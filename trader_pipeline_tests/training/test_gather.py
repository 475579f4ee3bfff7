"""Windows gathered on the device, into a buffer, and brought from mapped files are the same windows."""

import math
import weakref

import pytest
import torch

from trader_pipeline.models.panel_former import PanelFormerConfig
from trader_pipeline.training import fit_network as fit
from trader_pipeline.training.fit_network import fit_network
from trader_pipeline.training.gather import Buffers, gather
from trader_pipeline.training.mapped import Loading, Mapped, fits, loaded, mapped, placed
from trader_pipeline.training.optimisation import Optimisation
from trader_pipeline.training.ranks import Ranks
from trader_pipeline.training.recipes import FitContext
from trader_pipeline.training.windows import PanelTensors
from trader_pipeline_tests.training.planted import examples, planted
from trader_pipeline_tests.training.small_module import tensors

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
    brought = list(loaded(filed, STARTS, LENGTH, loading))
    expected = [panel.gather(part, LENGTH) for starts in STARTS for part in starts.split(2)]
    assert len(brought) == len(expected) == 4
    for (inputs, targets), (inputs_here, targets_here) in zip(brought, expected, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(inputs, inputs_here, strict=True))
        assert math.isnan(float(targets_here.score.sum()))
        for a, b in zip(targets, targets_here, strict=True):
            assert torch.equal(a.nan_to_num(7.0), b.nan_to_num(7.0))


def test_a_panel_beyond_its_share_of_the_free_memory_does_not_fit(monkeypatch):
    panel = PanelTensors(*(torch.zeros(100, dtype=torch.float32) for _ in range(5)))
    cuda, host = torch.device("cuda"), torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (4000, 8000))
    assert fits(panel, cuda, 0.5)
    assert not fits(panel, cuda, 0.499)
    monkeypatch.setattr("trader_pipeline.training.mapped._available_bytes", lambda: 2000)  # and the 2,000 that the panel takes
    assert fits(panel, host, 0.5)
    assert not fits(panel, host, 0.499)


@pytest.mark.parametrize("workers", [0, 1])
def test_steps_of_ranks_get_their_windows_ahead_and_others_when_asked(tmp_path, workers):
    panel, ranks = tensors(), Ranks(rank=1, world=2)
    filed = placed(panel, torch.device("cpu"), Loading(batch_size=2, num_workers=workers, resident_share=0.0), tmp_path)
    assert isinstance(filed, Mapped)
    assert list(tmp_path.iterdir()) == []  # no file is left to be cleaned away
    held = []
    for starts_B in filed.ahead(STARTS, LENGTH, ranks.own):
        held.append(sorted(start for start, _ in filed.held))
        for asked_B in (ranks.own(starts_B), starts_B, starts_B[:1]):  # held, in part, another rank's
            same(filed.gather(asked_B, LENGTH), panel.gather(asked_B, LENGTH))
        same(filed.gather(starts_B, LENGTH, None, starts_B.clamp(max=3)), panel.gather(starts_B, LENGTH, None, starts_B.clamp(max=3)))
    assert held == [[16], [], [4]]


def same(one, other):
    for tensors_of in zip(one, other, strict=True):
        for a, b in zip(*tensors_of, strict=True):
            assert torch.equal(a.nan_to_num(7.0), b.nan_to_num(7.0))


def test_a_fit_on_a_mapped_panel_is_the_resident_one_to_the_bit(tmp_path):
    how = {"epochs": 2, "rows_per_step": 400, "feature_noise": 0.1, "patience": None}
    size = PanelFormerConfig(width=16, heads=2, key_value_heads=1, blocks=2, dropout=0.2, window_sessions=16)
    weights, told = [], []
    for k, loading in enumerate((Loading(), *(Loading(batch_size=2, num_workers=workers, resident_share=0.0) for workers in (0, 2)))):
        context = FitContext(seed=0, fold=1, report=lambda event: told.append(event["event"]), scratch=tmp_path / str(k))
        member = fit_network(examples(planted(sessions=300), 200), context, size, Optimisation(loading=loading, **how))
        weights.append(member.files()["weights.safetensors"])
    assert told.count("panel_mapped") == 2
    assert weights[0] == weights[1] == weights[2]


def test_a_fit_goes_on_from_its_checkpoint_when_its_windows_are_loaded_otherwise(tmp_path):
    told = []
    size = PanelFormerConfig(width=16, heads=2, key_value_heads=1, blocks=2, window_sessions=16)
    for loading in (Loading(), Loading(num_workers=0, resident_share=0.0)):
        context = FitContext(seed=0, fold=1, report=told.append, scratch=tmp_path)
        settings = Optimisation(epochs=1, rows_per_step=400, loading=loading)
        fit_network(examples(planted(sessions=300), 200), context, size, settings)
    assert [event["event"] for event in told].count("panel_mapped") == 1
    first, second = (event for event in told if event["event"] == "epoch")
    assert second == first, "told again, seconds and all: the second fit found the first one's checkpoint"


def test_a_mapped_panel_leaves_the_memory(tmp_path, monkeypatch):
    panels = []

    def placing(panel, *args):
        panels.append(weakref.ref(panel.x_NTP))
        return placed(panel, *args)

    def training(*_, **__):
        raise KeyboardInterrupt(panels[0]() is None)

    monkeypatch.setattr(fit, "placed", placing)
    monkeypatch.setattr(fit, "meter_of", training)
    size = PanelFormerConfig(width=16, heads=2, key_value_heads=1, blocks=2, window_sessions=16)
    settings = Optimisation(epochs=1, learning_rate=1e-3, loading=Loading(num_workers=0, resident_share=0.0))
    context = FitContext(seed=0, fold=1, report=lambda _: None, scratch=tmp_path)
    with pytest.raises(KeyboardInterrupt) as raised:
        fit_network(examples(planted(sessions=300), 200), context, size, settings)
    assert raised.value.args == (True,)
