"""PatchTST: a token is a patch of consecutive sessions of one ticker, and patches attend to earlier ones. Nie et al. 2023.

To answer at every session the patches are cut backwards from it: session t sees those that end at t, t - stride, t - 2 stride, ...
Features of one ticker share a token; the paper's independent channels would be one network pass each.
"""

from dataclasses import dataclass

import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import nn

from trader_pipeline.models.blocks import Block, Condition, OverTime, Seen, crosswise_masks
from trader_pipeline.models.heads import Heads
from trader_pipeline.models.network import Inputs, Network, NetworkConfig, Outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchTstConfig(NetworkConfig):
    """Size of the network; patches of `patch_sessions` do not overlap."""

    heads: int = 4
    blocks: int = 2
    patch_sessions: int = 4


class PatchTst(Network):
    """Tickers do not see each other; the market's forecast is made from the condition alone."""

    def __init__(self, config: PatchTstConfig) -> None:
        super().__init__()
        self.config: PatchTstConfig = config
        self.condition = Condition(config.columns, config.market_columns, config.width)
        self.market = nn.Linear(self.condition.width, config.width)
        self.embed = nn.Linear(config.columns, config.width)
        self.patch = nn.Conv1d(config.width, config.width, config.patch_sessions)
        self.dropout = nn.Dropout(config.dropout)
        lengths = {"sessions": config.window_sessions, "stride": config.patch_sessions}
        mixers = [OverTime(config.width, config.heads, config.heads, **lengths) for _ in range(config.blocks)]
        self.blocks = nn.ModuleList(Block(mixer, config.width, config.dropout) for mixer in mixers)
        self.heads = Heads(config)

    def forward(self, inputs: Inputs) -> Outputs:
        """Return the outputs at every position."""
        condition_BLc = self.condition(inputs)
        rows_RDL = self.embed(inputs.x_BNLP).flatten(0, 1).transpose(1, 2)
        patches = self.patch(F.pad(rows_RDL, (self.config.patch_sessions - 1, 0))).transpose(1, 2)
        x_BNLD = self.dropout(patches.unflatten(0, inputs.x_BNLP.shape[:2]))
        seen = Seen(*crosswise_masks(inputs, 0), inputs.x_BNLP)
        for block in self.blocks:
            x_BNLD = block(x_BNLD, condition_BLc, seen)
        outputs: Outputs = self.heads(x_BNLD, self.market(condition_BLc))
        return outputs
