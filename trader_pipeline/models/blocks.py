"""Layers of the attention networks: over a ticker's past, over the tickers of a session, over tokens beside them.

RoPE: Su et al. 2021; grouped queries: Ainslie et al. 2023; SwiGLU: Shazeer 2020; RMSNorm on queries and keys: Henry et al. 2020;
modulation by a condition (adaLN): Peebles & Xie 2023.
Legend: B windows, N tickers, L sessions of a window, P features, D width, c width of the condition, E heads, C head width,
S positions, R rows.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

from trader_pipeline.models.network import Inputs

_ROTARY_BASE = 1000.0
_NARROWER = 8
"""A condition is the same for all tickers of a session and needs less width than their states."""


class SwiGLU(nn.Module):
    """Gated feed-forward of about 8/3 the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = 8 * (width // 3)
        self.up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        # two products by halves of one weight: the gradient of a split would be put together again at the cost of the activations' size
        gate, value = (F.linear(x, half) for half in self.up.weight.chunk(2))
        out: Tensor = self.down(F.silu(gate) * value)
        return out


class Attention(nn.Module):
    """Grouped-query attention over the second last axis of [R, S, D], queries and keys normalised."""

    def __init__(self, width: int, heads: int, key_value_heads: int) -> None:
        super().__init__()
        self.heads, self.shared, self.head_width = heads, key_value_heads, width // heads
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * key_value_heads * self.head_width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.query_norm = nn.RMSNorm(self.head_width)
        self.key_norm = nn.RMSNorm(self.head_width)

    def causal(self, x_RSD: Tensor, rotary: tuple[Tensor, Tensor], mask_SS: Tensor | None = None) -> Tensor:
        """Attend to the positions up to one's own, or to those of `mask_SS`, which must allow no later one."""
        query, key, value = self._projected(x_RSD)
        query, key = _rotated(query, *rotary), _rotated(key, *rotary)
        return self._merged(F.scaled_dot_product_attention(query, key, value, mask_SS, is_causal=mask_SS is None, enable_gqa=True))

    def crosswise(self, x_RSD: Tensor, sector_R1SS: Tensor, seen_R11S: Tensor, crowd_RSD: Tensor | None = None) -> Tensor:
        """Attend with half of the heads where `sector_R1SS` allows, with the others to all that `seen_R11S` allows.

        Positions of `crowd_RSD` are seen too, before one's own; the masks then reach over both.
        """
        query, key, value = self._projected(x_RSD)
        if crowd_RSD is not None:
            _, crowd_key, crowd_value = self._projected(crowd_RSD)
            key, value = torch.cat([crowd_key, key], 2), torch.cat([crowd_value, value], 2)
        half, split = self.heads // 2, self.shared // 2
        near = F.scaled_dot_product_attention(
            query[:, :half], key[:, : split or 1], value[:, : split or 1], attn_mask=sector_R1SS, enable_gqa=True
        )
        far = F.scaled_dot_product_attention(query[:, half:], key[:, split:], value[:, split:], attn_mask=seen_R11S, enable_gqa=True)
        return self._merged(torch.cat([near, far], 1))

    def _projected(self, x_RSD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rows, steps, _ = x_RSD.shape
        query = self.query_norm(self.query(x_RSD).view(rows, steps, self.heads, self.head_width)).transpose(1, 2)
        key, value = self.key_value(x_RSD).view(rows, steps, 2, self.shared, self.head_width).unbind(2)
        return query, self.key_norm(key).transpose(1, 2), value.transpose(1, 2)

    def _merged(self, mixed_RESC: Tensor) -> Tensor:
        out: Tensor = self.out(mixed_RESC.transpose(1, 2).flatten(2))
        return out


class Seen(NamedTuple):
    """What the mixing layers may look at beside the states: masks over the tickers of a session, and the features."""

    sector_R1SS: Tensor
    seen_R11S: Tensor
    x_BNLP: Tensor


class OverTime(nn.Module):
    """Each ticker sees its own past: all of it, or with `stride` every so many sessions back from the session itself."""

    def __init__(self, width: int, heads: int, key_value_heads: int, *, sessions: int, stride: int = 1) -> None:
        super().__init__()
        self.attention, self.stride = Attention(width, heads, key_value_heads), stride
        angles = torch.arange(sessions)[:, None] * _frequencies(width // heads)
        self.cosine_LC: Tensor
        self.sine_LC: Tensor
        self.register_buffer("cosine_LC", angles.cos(), persistent=False)
        self.register_buffer("sine_LC", angles.sin(), persistent=False)

    def forward(self, x_BNLD: Tensor, _: Seen) -> Tensor:
        """Return the same shape."""
        sessions = x_BNLD.shape[2]
        rotary = (self.cosine_LC[:sessions], self.sine_LC[:sessions])
        return self.attention.causal(x_BNLD.flatten(0, 1), rotary, self._mask(x_BNLD)).view_as(x_BNLD)

    def _mask(self, x_BNLD: Tensor) -> Tensor | None:
        if self.stride == 1:
            return None
        steps = torch.arange(x_BNLD.shape[2], device=x_BNLD.device)
        back_LL = steps[:, None] - steps
        return (back_LL >= 0) & (back_LL % self.stride == 0)


class OverTickers(nn.Module):
    """The tickers of one session see each other, half of the heads inside the sector alone."""

    def __init__(self, width: int, heads: int, key_value_heads: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads, key_value_heads)

    def forward(self, x_BNLD: Tensor, seen: Seen) -> Tensor:
        """Return the same shape."""
        windows, tickers, sessions, width = x_BNLD.shape
        inner = x_BNLD.transpose(1, 2).reshape(windows * sessions, tickers, width)
        return self.attention.crosswise(inner, seen.sector_R1SS, seen.seen_R11S).view(windows, sessions, tickers, width).transpose(1, 2)


class Block(nn.Module):
    """A mixing layer and a feed-forward, each scaled, shifted and gated by a condition; gates start open, modulation at none."""

    def __init__(self, mixer: nn.Module, width: int, dropout: float) -> None:
        super().__init__()
        self.mixer, self.feed_forward = mixer, SwiGLU(width)
        self.norms = nn.ModuleList(nn.RMSNorm(width, elementwise_affine=False) for _ in range(2))
        self.modulation = nn.Linear(width // _NARROWER, 6 * width)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.modulation.weight)
        with torch.no_grad():
            self.modulation.bias.copy_(torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0, 1.0]).repeat_interleave(width))

    def forward(self, x_BNLD: Tensor, condition_BLc: Tensor, seen: Seen) -> Tensor:
        """Return the same shape."""
        scale, shift, gate, scale_2, shift_2, gate_2 = self.modulation(condition_BLc).unsqueeze(1).chunk(6, -1)
        x_BNLD = x_BNLD + gate * self.dropout(self.mixer(self.norms[0](x_BNLD) * (1 + scale) + shift, seen))
        out: Tensor = x_BNLD + gate_2 * self.dropout(self.feed_forward(self.norms[1](x_BNLD) * (1 + scale_2) + shift_2))
        return out


class Condition(nn.Module):
    """The market's state and regime as one vector a session: the mean of the present tickers' features, and what is market-wide."""

    def __init__(self, columns: int, market_columns: int, width: int) -> None:
        super().__init__()
        self.width = width // _NARROWER
        self.layers = nn.Sequential(nn.Linear(columns + market_columns, self.width), nn.SiLU(), nn.Linear(self.width, self.width))

    def forward(self, inputs: Inputs) -> Tensor:
        """Return [B, L, c]."""
        weight = inputs.present_BNL.unsqueeze(-1).to(inputs.x_BNLP.dtype)
        state_BLP = (inputs.x_BNLP * weight).sum(1) / weight.sum(1).clamp(min=1.0)
        out: Tensor = self.layers(torch.cat([state_BLP, inputs.market_BLM], -1))
        return out


def crosswise_masks(inputs: Inputs, tokens: int) -> tuple[Tensor, Tensor]:
    """Return who may see whom, [B * L, 1, S, S] inside the sector and [B * L, 1, 1, S] globally; S is N tickers and `tokens`.

    Only the present are seen. Tokens are always present, and seen inside every sector by none but themselves; whoever is absent
    sees itself, so that no row is empty.
    """
    tickers = inputs.present_BNL.shape[1]
    present_RS = F.pad(inputs.present_BNL.transpose(1, 2).flatten(0, 1), (0, tokens), value=True)
    same_SS = F.pad(inputs.same_sector_NN, (0, tokens, 0, tokens), value=False)
    itself_SS = torch.eye(tickers + tokens, dtype=torch.bool, device=present_RS.device)
    seen_R11S = present_RS[:, None, None]
    return (seen_R11S & same_SS) | itself_SS, seen_R11S if tokens else seen_R11S | itself_SS


def _frequencies(head_width: int) -> Tensor:
    return _ROTARY_BASE ** (-torch.arange(0, head_width // 2) / (head_width // 2))


def _rotated(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    return torch.cat([a * cosine - b * sine, a * sine + b * cosine], -1)
