"""What goes into every trained network and what comes out: one interface for trainer, preflight, members and benches.

Legend: B windows, N tickers, L sessions of a window, P prepared features, M market-wide columns, H horizons, K numbers that
describe a distribution, A auxiliary targets.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, nn

from trader_pipeline.schema.columns import HORIZONS_SESSIONS

if TYPE_CHECKING:
    from trader_pipeline.models.heads import Heads

HORIZONS = len(HORIZONS_SESSIONS)
AUXILIARY = 2 * HORIZONS
"""Log realised volatility over each horizon, then the mean standardised volume over each."""


class Inputs(NamedTuple):
    """What a network may look at.

    Features [B, N, L, P], standardised, 0 where unknown; presence, bool [B, N, L]; market-wide columns [B, L, M], M may be 0;
    who shares a sector, bool [N, N], true on the diagonal.
    """

    x_BNLP: Tensor
    present_BNL: Tensor
    market_BLM: Tensor
    same_sector_NN: Tensor


class Outputs(NamedTuple):
    """What a network says at every position, which depends on inputs up to that position alone.

    Of every ticker and session: score, distribution of the scaled return less the market's, auxiliary forecasts. Of every session
    the market's own distribution. A distribution is K logits of bins, or the 3 numbers of a Student t. What stands where no ticker
    is present means nothing.
    """

    score_BNLH: Tensor
    distribution_BNLHK: Tensor
    market_BLHK: Tensor | None
    auxiliary_BNLA: Tensor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """What all networks share. `columns` and `market_columns` (P, M) are set from the data; `distribution` is hl_gauss or student_t."""

    columns: int = 0
    market_columns: int = 0
    width: int = 128
    dropout: float = 0.15
    window_sessions: int = 32
    distribution: str = "hl_gauss"


class Network(nn.Module):
    """A trained network: `forward` takes `Inputs` and returns `Outputs`."""

    config: NetworkConfig
    heads: "Heads"

    def __call__(self, inputs: Inputs) -> Outputs:
        """Return what `forward` does; said here for the types."""
        outputs: Outputs = super().__call__(inputs)
        return outputs

    def newest(self, inputs: Inputs, sessions: int) -> Outputs:  # noqa: ARG002 - a network that can leave work out does
        """Return the outputs at the newest `sessions` positions at least, the newest last."""
        return self(inputs)


def parameters_of(network: nn.Module) -> int:
    """Return the number of weights."""
    return sum(parameter.numel() for parameter in network.parameters())
