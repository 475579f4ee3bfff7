import numpy as np
import torch

from trader_pipeline.training.targets import Targets
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


def test_each_session_of_the_tail_is_judged_once_and_none_before_it():
    def judged(first, end, length):
        return [
            s for starts_B, skip in every_window(first, end, length=length) for s in range(int(starts_B) + skip, int(starts_B) + length)
        ]

    for first, end, length in ((100, 171, 32), (100, 164, 32), (100, 110, 32), (10, 20, 32)):
        assert judged(first, end, length)[: end - first] == list(range(first, end))
    assert judged(100, 171, 32) == list(range(100, 171))
    assert [(int(s), skip) for s, skip in every_window(100, 110, length=32)] == [(78, 22)]


def test_a_window_holds_the_sessions_it_names():
    panel = torch.arange(2 * 9, dtype=torch.float32).view(2, 9)
    labels = panel[..., None].expand(-1, -1, 4)
    market = torch.arange(9.0)
    targets = Targets(labels, labels + 0.5, market[:, None].expand(-1, 4), labels.repeat(1, 1, 2))
    tensors = PanelTensors(panel[..., None], panel > 3, market[:, None], torch.ones(2, 2, dtype=torch.bool), targets)
    inputs, taught = tensors.gather(torch.tensor([5, 0]), 3)
    assert inputs.x_BNLP[..., 0].tolist() == [[[5, 6, 7], [14, 15, 16]], [[0, 1, 2], [9, 10, 11]]]
    assert inputs.present_BNL[1].tolist() == [[False] * 3, [True] * 3]
    assert inputs.market_BLM[..., 0].tolist() == [[5, 6, 7], [0, 1, 2]]
    assert taught.residual[0, 0, :, 0].tolist() == [5.5, 6.5, 7.5]
    assert taught.market[..., 3].tolist() == [[5, 6, 7], [0, 1, 2]]
    assert taught.auxiliary.shape == (2, 2, 3, 8)
