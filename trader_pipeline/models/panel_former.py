"""PanelFormer: attention over a ticker's past and over the tickers of a session, in turn, with an output at every session.

Market tokens stand beside the tickers: learned, aware of the session's condition, with a past of their own, seen by all in the
global heads; what they end as is the market's forecast. After the first temporal block each ticker attends to one token a
family of slow features (fundamentals, exposures). The condition, the market's state and the macro regime, modulates every block.
Nothing of a later session reaches an earlier output.
Legend: B windows, N tickers, L sessions of a window, P prepared features, D width, E heads, C head width, G tokens.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

from trader_pipeline.models.blocks import Block, Condition, OverTickers, OverTime, Seen, crosswise_masks
from trader_pipeline.models.heads import Heads
from trader_pipeline.models.network import Inputs, Network, NetworkConfig, Outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelFormerConfig(NetworkConfig):
    """Size of the network. `blocks` alternates temporal and cross-sectional, starting with temporal.

    `families` holds the prepared columns of each family that becomes a token; it is set from the data.
    """

    heads: int = 4
    key_value_heads: int = 2
    blocks: int = 4
    market_tokens: int = 2
    families: tuple[tuple[int, ...], ...] = ()


class OverFamilies(nn.Module):
    """Each ticker-session attends to one token a family of its features, and to a learned one that says nothing of it."""

    def __init__(self, config: PanelFormerConfig) -> None:
        super().__init__()
        self.families, self.heads, self.shared = config.families, config.heads, config.key_value_heads
        self.head_width = config.width // config.heads
        self.query, self.out = (nn.Linear(config.width, config.width, bias=False) for _ in range(2))
        self.tokens = nn.ModuleList(nn.Linear(len(columns), 2 * self.shared * self.head_width) for columns in config.families)
        self.columns: Tensor
        self.register_buffer("columns", torch.tensor([column for columns in config.families for column in columns]), persistent=False)
        self.static = nn.Parameter(0.02 * torch.randn(2 * self.shared * self.head_width))
        self.query_norm, self.key_norm = nn.RMSNorm(self.head_width), nn.RMSNorm(self.head_width)

    def forward(self, x_BNLD: Tensor, seen: Seen) -> Tensor:
        """Return the same shape; what stands beyond the tickers, the market tokens, gets 0."""
        tickers = seen.x_BNLP.shape[1]
        parts = seen.x_BNLP.index_select(-1, self.columns).split([len(columns) for columns in self.families], -1)  # type: ignore[no-untyped-call]
        own = [token(part) for token, part in zip(self.tokens, parts, strict=True)]
        key_value = torch.stack([*own, self.static.expand_as(own[0])], -2).view(-1, len(own) + 1, 2, self.shared, 1, self.head_width)
        key, value = key_value.unbind(2)
        query = self.query_norm(self.query(x_BNLD[:, :tickers]).view(-1, 1, self.shared, self.heads // self.shared, self.head_width))
        # one query for each of very many rows: sums that a compiler joins beat an attention kernel, which needs many queries a row
        scores_RFGJ = (query * self.key_norm(key)).sum(-1) / self.head_width**0.5
        mixed = (scores_RFGJ.softmax(1).unsqueeze(-1) * value).sum(1)
        out = self.out(mixed.flatten(1)).view_as(x_BNLD[:, :tickers])
        return F.pad(out, (0, 0, 0, 0, 0, x_BNLD.shape[1] - tickers))


class PanelFormer(Network):
    """The network; `Inputs` and `Outputs` say what goes in and comes out."""

    def __init__(self, config: PanelFormerConfig) -> None:
        super().__init__()
        self.config: PanelFormerConfig = config
        sizes = (config.width, config.heads, config.key_value_heads)
        self.condition = Condition(config.columns, config.market_columns, config.width)
        self.embed = nn.Linear(config.columns, config.width)
        self.market_tokens = nn.Parameter(0.02 * torch.randn(config.market_tokens, config.width))
        self.market_embed = nn.Linear(self.condition.width, config.width)
        self.input_dropout = nn.Dropout(config.dropout)
        mixers: list[nn.Module] = [
            OverTickers(*sizes) if i % 2 else OverTime(*sizes, sessions=config.window_sessions) for i in range(config.blocks)
        ]
        if config.families:
            mixers.insert(1, OverFamilies(config))
        self.blocks = nn.ModuleList(Block(mixer, config.width, config.dropout) for mixer in mixers)
        self.heads = Heads(config)

    def forward(self, inputs: Inputs) -> Outputs:
        """Return the outputs at every position."""
        return self.newest(inputs, inputs.x_BNLP.shape[2])

    def newest(self, inputs: Inputs, sessions: int) -> Outputs:
        """Return the outputs at the newest positions; where the last block mixes tickers, which costs most, it sees no more than those."""
        tickers = inputs.x_BNLP.shape[1]
        condition_BLc = self.condition(inputs)
        market_BGLD = self.market_tokens[:, None] + self.market_embed(condition_BLc).unsqueeze(1)
        x_BNLD = torch.cat([self.input_dropout(self.embed(inputs.x_BNLP)), market_BGLD], 1)
        seen = Seen(*crosswise_masks(inputs, self.config.market_tokens), inputs.x_BNLP)
        for block in self.blocks[:-1]:
            x_BNLD = block(x_BNLD, condition_BLc, seen)
        if sessions < inputs.x_BNLP.shape[2] and isinstance(self.blocks[-1].mixer, OverTickers):
            x_BNLD, condition_BLc, seen = _newest(x_BNLD, condition_BLc, seen, sessions)
        x_BNLD = self.blocks[-1](x_BNLD, condition_BLc, seen)[:, :, -sessions:]
        outputs: Outputs = self.heads(x_BNLD[:, :tickers], x_BNLD[:, tickers:].mean(1))
        return outputs


def _newest(x_BNLD: Tensor, condition_BLc: Tensor, seen: Seen, sessions: int) -> tuple[Tensor, Tensor, Seen]:
    """Cut states, condition and masks to the newest sessions."""
    windows = len(x_BNLD)
    sector, everyone = (mask.view(windows, -1, *mask.shape[1:])[:, -sessions:].flatten(0, 1) for mask in (seen.sector_R1SS, seen.seen_R11S))
    return x_BNLD[:, :, -sessions:], condition_BLc[:, -sessions:], Seen(sector, everyone, seen.x_BNLP[:, :, -sessions:])
