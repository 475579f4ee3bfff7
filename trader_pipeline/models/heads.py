"""What every trained network says at the end, from its width to `Outputs`: score, distribution, auxiliary forecasts, the market.

Legend: B windows, N tickers, L sessions of a window, D width, H horizons, K numbers of a distribution, A auxiliary targets.
"""

import torch
from torch import Tensor, nn

from trader_pipeline.models import distribution
from trader_pipeline.models.network import AUXILIARY, HORIZONS, NetworkConfig, Outputs


class Heads(nn.Module):
    """Linear maps after one norm; they start near 0, biases of distributions at the labels' own (`start_at`)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.kind = config.distribution
        numbers = HORIZONS * distribution.NUMBERS[self.kind]
        self.norm, self.market_norm = nn.RMSNorm(config.width), nn.RMSNorm(config.width)
        self.score = nn.Linear(config.width, HORIZONS)
        self.distribution = nn.Linear(config.width, numbers)
        self.auxiliary = nn.Linear(config.width, AUXILIARY)
        self.market = nn.Linear(config.width, numbers)
        for head in (self.score, self.distribution, self.auxiliary, self.market):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)

    def forward(self, x_BNLD: Tensor, market_BLD: Tensor) -> Outputs:
        """Return the outputs of the tickers' and of the market's last states."""
        x_BNLD = self.norm(x_BNLD)
        return Outputs(
            self.score(x_BNLD),
            self.distribution(x_BNLD).unflatten(-1, (HORIZONS, -1)),
            self.market(self.market_norm(market_BLD)).unflatten(-1, (HORIZONS, -1)),
            self.auxiliary(x_BNLD),
        )

    def start_at(self, residual: Tensor, market: Tensor) -> None:
        """Set the biases to the labels' own distributions [..., H] (NaN is no label), so that training starts from them."""
        with torch.no_grad():
            for head, labels in ((self.distribution, residual), (self.market, market)):
                by_horizon = labels.reshape(-1, HORIZONS).unbind(-1)
                head.bias.copy_(torch.cat([distribution.base_rate(self.kind, one[torch.isfinite(one)]) for one in by_horizon]))
