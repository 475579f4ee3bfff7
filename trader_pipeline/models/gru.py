"""GRU: a recurrent state a ticker, which sees nobody else; the baseline that attention must beat. Cho et al. 2014."""

from torch import nn

from trader_pipeline.models.blocks import Condition
from trader_pipeline.models.heads import Heads
from trader_pipeline.models.network import Inputs, Network, NetworkConfig, Outputs


class Gru(Network):
    """Features and condition to a state at each session; windows begin from a state of 0."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.condition = Condition(config.columns, config.market_columns, config.width)
        self.market = nn.Linear(self.condition.width, config.width)
        self.embed = nn.Linear(config.columns, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.recurrent = nn.GRU(config.width, config.width, batch_first=True)
        self.heads = Heads(config)

    def forward(self, inputs: Inputs) -> Outputs:
        """Return the outputs at every position."""
        market_BLD = self.market(self.condition(inputs))
        x_BNLD = self.dropout(self.embed(inputs.x_BNLP)) + market_BLD.unsqueeze(1)
        state_BNLD = self.recurrent(x_BNLD.flatten(0, 1))[0].view_as(x_BNLD)
        outputs: Outputs = self.heads(x_BNLD + self.dropout(state_BNLD), market_BLD)
        return outputs
