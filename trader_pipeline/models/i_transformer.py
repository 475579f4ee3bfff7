"""iTransformer: the past of one variate is one token, and tokens attend to each other, not to time. Liu et al. 2024.

A variate is a ticker. Its token at session t holds its sessions up to t through a causal filter as long as the window.
"""

from dataclasses import dataclass

import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import nn

from trader_pipeline.models.blocks import Block, Condition, OverTickers, Seen, crosswise_masks
from trader_pipeline.models.heads import Heads
from trader_pipeline.models.network import Inputs, Network, NetworkConfig, Outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class ITransformerConfig(NetworkConfig):
    """Size of the network."""

    heads: int = 4
    blocks: int = 2


class ITransformer(Network):
    """Attention over tickers alone, half of the heads inside the sector; the market's forecast is made from the condition."""

    def __init__(self, config: ITransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.condition = Condition(config.columns, config.market_columns, config.width)
        self.market = nn.Linear(self.condition.width, config.width)
        self.embed = nn.Linear(config.columns, config.width)
        self.past = nn.Conv1d(config.width, config.width, config.window_sessions, groups=config.width)
        self.dropout = nn.Dropout(config.dropout)
        mixers = [OverTickers(config.width, config.heads, config.heads) for _ in range(config.blocks)]
        self.blocks = nn.ModuleList(Block(mixer, config.width, config.dropout) for mixer in mixers)
        self.heads = Heads(config)

    def forward(self, inputs: Inputs) -> Outputs:
        """Return the outputs at every position."""
        condition_BLc = self.condition(inputs)
        x_BNLD = self.embed(inputs.x_BNLP)
        past = self.past(F.pad(x_BNLD.flatten(0, 1).transpose(1, 2), (self.config.window_sessions - 1, 0)))
        x_BNLD = self.dropout(x_BNLD + past.transpose(1, 2).view_as(x_BNLD))
        seen = Seen(*crosswise_masks(inputs, 0), inputs.x_BNLP)
        for block in self.blocks:
            x_BNLD = block(x_BNLD, condition_BLc, seen)
        outputs: Outputs = self.heads(x_BNLD, self.market(condition_BLc))
        return outputs
