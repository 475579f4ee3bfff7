"""PanelFormer: attention over a ticker's past and over the tickers of a session, in turn, with an output at every session.

Temporal blocks are causal (RoPE: Su et al. 2021; grouped queries: Ainslie et al. 2023; SwiGLU: Shazeer 2020; RMSNorm on
queries and keys: Henry et al. 2020). Cross-sectional blocks let the tickers of one session see each other, half of the heads
inside the sector alone. The state of the market, the mean of the tickers' features that session, modulates every block
(adaLN: Peebles & Xie 2023). Nothing of a later session reaches an earlier output.
Legend: B windows, N tickers, L sessions of a window, P prepared features, D width, E heads, C head width, H horizons, K bins.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

from trader_pipeline.models.hl_gauss import BINS
from trader_pipeline.models.network import Inputs, Outputs
from trader_pipeline.schema.columns import HORIZONS_SESSIONS

_ROTARY_BASE = 1000.0
_HORIZONS = len(HORIZONS_SESSIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelFormerConfig:
    """Size of the network. `blocks` alternates temporal and cross-sectional, starting with temporal."""

    columns: int
    width: int = 128
    heads: int = 4
    key_value_heads: int = 2
    blocks: int = 4
    dropout: float = 0.15
    window_sessions: int = 32


class SwiGLU(nn.Module):
    """Gated feed-forward of about 8/3 the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = 8 * (width // 3)
        self.up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        gate, value = self.up(x).chunk(2, -1)
        out: Tensor = self.down(F.silu(gate) * value)
        return out


class Attention(nn.Module):
    """Grouped-query attention over the second last axis of [M, S, D], queries and keys normalised."""

    def __init__(self, config: PanelFormerConfig) -> None:
        super().__init__()
        self.heads, self.shared = config.heads, config.key_value_heads
        self.head_width = config.width // config.heads
        self.query = nn.Linear(config.width, config.width, bias=False)
        self.key_value = nn.Linear(config.width, 2 * self.shared * self.head_width, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)
        self.query_norm = nn.RMSNorm(self.head_width)
        self.key_norm = nn.RMSNorm(self.head_width)

    def forward(self, x_MSD: Tensor, *, rotary: tuple[Tensor, Tensor] | None = None, mask: Tensor | None = None) -> Tensor:
        """Attend causally when `rotary` is given, else to where the boolean `mask` [M, E, S, S] allows."""
        rows, steps, _ = x_MSD.shape
        query = self.query_norm(self.query(x_MSD).view(rows, steps, self.heads, self.head_width)).transpose(1, 2)
        key, value = self.key_value(x_MSD).view(rows, steps, 2, self.shared, self.head_width).unbind(2)
        key, value = self.key_norm(key).transpose(1, 2), value.transpose(1, 2)
        if rotary is not None:
            query, key = _rotated(query, *rotary), _rotated(key, *rotary)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=rotary is not None, enable_gqa=True)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(rows, steps, -1))
        return out


class Block(nn.Module):
    """Attention and feed-forward, each scaled, shifted and gated by the market's state; gates start open, modulation at none."""

    def __init__(self, config: PanelFormerConfig) -> None:
        super().__init__()
        width = config.width
        self.attention, self.feed_forward = Attention(config), SwiGLU(width)
        self.norms = nn.ModuleList(nn.RMSNorm(width, elementwise_affine=False) for _ in range(2))
        self.modulation = nn.Linear(width, 6 * width)
        self.dropout = nn.Dropout(config.dropout)
        nn.init.zeros_(self.modulation.weight)
        with torch.no_grad():
            self.modulation.bias.copy_(torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0, 1.0]).repeat_interleave(width))

    def modulated(self, market_BLD: Tensor) -> tuple[Tensor, ...]:
        """Return scale, shift and gate of both halves, each [B, 1, L, D]."""
        return tuple(self.modulation(market_BLD).unsqueeze(1).chunk(6, -1))


class TemporalBlock(Block):
    """Each ticker sees its own past."""

    def forward(self, x_BNLD: Tensor, market_BLD: Tensor, rotary: tuple[Tensor, Tensor], _: Tensor) -> Tensor:
        """Return the same shape."""
        scale, shift, gate, scale_2, shift_2, gate_2 = self.modulated(market_BLD)
        inner = (self.norms[0](x_BNLD) * (1 + scale) + shift).flatten(0, 1)
        x_BNLD = x_BNLD + gate * self.dropout(self.attention(inner, rotary=rotary).view_as(x_BNLD))
        out: Tensor = x_BNLD + gate_2 * self.dropout(self.feed_forward(self.norms[1](x_BNLD) * (1 + scale_2) + shift_2))
        return out


class CrossSectionalBlock(Block):
    """The tickers of one session see each other."""

    def forward(self, x_BNLD: Tensor, market_BLD: Tensor, _: tuple[Tensor, Tensor], mask_MENN: Tensor) -> Tensor:
        """Return the same shape."""
        scale, shift, gate, scale_2, shift_2, gate_2 = self.modulated(market_BLD)
        windows, tickers, sessions, width = x_BNLD.shape
        inner = (self.norms[0](x_BNLD) * (1 + scale) + shift).transpose(1, 2).reshape(windows * sessions, tickers, width)
        mixed = self.attention(inner, mask=mask_MENN).view(windows, sessions, tickers, width).transpose(1, 2)
        x_BNLD = x_BNLD + gate * self.dropout(mixed)
        out: Tensor = x_BNLD + gate_2 * self.dropout(self.feed_forward(self.norms[1](x_BNLD) * (1 + scale_2) + shift_2))
        return out


class PanelFormer(nn.Module):
    """The network; `forward` says what goes in and comes out."""

    def __init__(self, config: PanelFormerConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(config.columns, config.width)
        self.market = nn.Sequential(nn.Linear(config.columns, config.width), nn.SiLU(), nn.Linear(config.width, config.width))
        self.input_dropout = nn.Dropout(config.dropout)
        kinds = (TemporalBlock, CrossSectionalBlock)
        self.blocks = nn.ModuleList(kinds[i % 2](config) for i in range(config.blocks))
        self.norm = nn.RMSNorm(config.width)
        self.score_head = nn.Linear(config.width, _HORIZONS)
        self.bins_head = nn.Linear(config.width, _HORIZONS * BINS)
        for head in (self.score_head, self.bins_head):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)
        angles = torch.arange(config.window_sessions)[:, None] * _frequencies(config.width // config.heads)
        self.cosine_LC: Tensor
        self.sine_LC: Tensor
        self.register_buffer("cosine_LC", angles.cos(), persistent=False)
        self.register_buffer("sine_LC", angles.sin(), persistent=False)

    def forward(self, inputs: Inputs) -> Outputs:
        """Return score [B, N, L, H] and bin logits [B, N, L, H, K]; what stands where no ticker is present means nothing."""
        x_BNLP, present_BNL, _, same_sector_NN = inputs
        windows, tickers, sessions, _ = x_BNLP.shape
        weight = present_BNL.unsqueeze(-1).to(x_BNLP.dtype)
        state_BLP = (x_BNLP * weight).sum(1) / weight.sum(1).clamp(min=1.0)
        market_BLD = self.market(state_BLP)
        x_BNLD = self.input_dropout(self.embed(x_BNLP))
        rotary = (self.cosine_LC[:sessions], self.sine_LC[:sessions])
        mask = self._mask(present_BNL, same_sector_NN)
        for block in self.blocks:
            x_BNLD = block(x_BNLD, market_BLD, rotary, mask)
        out = self.norm(x_BNLD)
        return Outputs(self.score_head(out), self.bins_head(out).view(windows, tickers, sessions, _HORIZONS, BINS))

    def _mask(self, present_BNL: Tensor, same_sector_NN: Tensor) -> Tensor:
        """Return who may see whom [B * L, E, N, N]: the present, half of the heads inside the sector; everyone sees themselves."""
        tickers = present_BNL.shape[1]
        seen_M11N = present_BNL.transpose(1, 2).reshape(-1, 1, 1, tickers)
        heads = self.config.heads
        everyone = torch.ones_like(same_sector_NN).expand(heads - heads // 2, tickers, tickers)
        allowed_ENN = torch.cat([same_sector_NN.expand(heads // 2, tickers, tickers), everyone])
        itself = torch.eye(tickers, dtype=torch.bool, device=present_BNL.device)
        return (seen_M11N & allowed_ENN) | itself


def parameters_of(network: nn.Module) -> int:
    """Return the number of weights."""
    return sum(parameter.numel() for parameter in network.parameters())


def _frequencies(head_width: int) -> Tensor:
    return _ROTARY_BASE ** (-torch.arange(0, head_width // 2) / (head_width // 2))


def _rotated(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    return torch.cat([a * cosine - b * sine, a * sine + b * cosine], -1)
