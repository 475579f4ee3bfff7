import numpy as np
import torch

from trader_pipeline.training.windows import PanelTensors, ShuffledWindows, every_window


def test_an_epoch_covers_the_sessions_once_and_draws_anew():
    windows = ShuffledWindows(10, 113, length=20, batch=2, seed=3)
    first, second = ([int(s) for batch in windows for s in batch] for _ in range(2))
    assert len(windows) == 3
    assert len(first) == len(set(first)) == 5
    assert set(np.diff(sorted(first))) == {20}
    assert min(first) >= 10
    assert max(first) + 20 <= 113
    assert first != second
    again = ShuffledWindows(10, 113, length=20, batch=2, seed=3)
    assert [int(s) for batch in again for s in batch] == first


def test_the_tail_is_covered_to_its_last_session():
    assert [int(s) for s in every_window(100, 171, length=32)] == [100, 132, 139]
    assert [int(s) for s in every_window(100, 164, length=32)] == [100, 132]
    assert [int(s) for s in every_window(100, 110, length=32)] == [78]


def test_a_window_holds_the_sessions_it_names():
    panel = torch.arange(2 * 9, dtype=torch.float32).view(2, 9)
    tensors = PanelTensors(panel[..., None], panel > 3, panel[..., None], panel[..., None] + 0.5, torch.ones(2, 2, dtype=torch.bool))
    (x, present, *_), targets = tensors.gather(torch.tensor([5, 0]), 3)
    assert x[..., 0].tolist() == [[[5, 6, 7], [14, 15, 16]], [[0, 1, 2], [9, 10, 11]]]
    assert present[1].tolist() == [[False] * 3, [True] * 3]
    assert targets.scaled[0, 0, :, 0].tolist() == [5.5, 6.5, 7.5]
