"""What every trained network takes and says, so that one trainer fits them all.

Legend: B windows, N tickers, L sessions of a window, P prepared features, M market columns, H horizons, K bins, A auxiliary targets.
"""

from typing import NamedTuple

from torch import Tensor


class Inputs(NamedTuple):
    """Prepared inputs of windows; 0 where a feature is unknown. What is said of position l rests on positions <= l."""

    x_BNLP: Tensor
    present_BNL: Tensor
    market_BLM: Tensor
    same_sector_NN: Tensor


class Outputs(NamedTuple):
    """Score, bin logits of the return, and what a network may say beside; None where it does not."""

    score_BNLH: Tensor
    distribution_BNLHK: Tensor
    market_BLHK: Tensor | None = None
    auxiliary_BNLA: Tensor | None = None
