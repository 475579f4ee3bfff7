"""What goes into a trained network and what comes out, whatever is inside.

Legend: B windows, N tickers, L sessions of a window, P prepared features, M market-wide columns, H horizons, K bins, A auxiliary
quantities.
"""

from typing import NamedTuple

from torch import Tensor


class Inputs(NamedTuple):
    """Prepared features (standardised, 0 where unknown), who is present, market-wide columns (M may be 0), who shares a sector."""

    x_BNLP: Tensor
    present_BNL: Tensor
    market_BLM: Tensor
    same_sector_NN: Tensor


class Outputs(NamedTuple):
    """Score, distribution of the return (HL-Gauss logits, or three numbers of a Student-t), the market's own, auxiliary quantities.

    What is said at a position depends on inputs up to that position alone.
    """

    score_BNLH: Tensor
    distribution_BNLHK: Tensor
    market_BLHK: Tensor | None = None
    auxiliary_BNLA: Tensor | None = None
