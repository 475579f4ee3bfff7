import pytest
import torch

from trader_pipeline.bench.contract import Network
from trader_pipeline.models.hl_gauss import BINS
from trader_pipeline.models.network import Inputs
from trader_pipeline.models.panel_former import PanelFormerConfig
from trader_pipeline.training.flops import training_flops

B, N, L, P, D, C, S, H = 2, 5, 16, 7, 24, 6, 2, 4
CONFIG = PanelFormerConfig(columns=P, width=D, heads=D // C, key_value_heads=S, blocks=2, dropout=0.1, window_sessions=L)


def by_hand(*, causal_share):
    """The formula of the module's docstring, for a temporal and a cross-sectional block."""
    rows, inside = N * L, 8 * (D // 3)
    embed, market_in = 2 * rows * P * D, 2 * L * D * P
    block = 2 * rows * D * (2 * D + 2 * C * S + 3 * inside) + 12 * L * D * D
    attention = 4 * rows * L * D * causal_share + 4 * rows * N * D
    heads = 2 * rows * D * H * (1 + BINS)
    return B * (2 * (embed + market_in) + 3 * (2 * L * D * D + 2 * block + attention + heads))


def test_the_count_is_the_formula():
    inputs = Inputs(
        torch.zeros(B, N, L, P), torch.ones(B, N, L, dtype=torch.bool), torch.zeros(B, L, 0), torch.ones(N, N, dtype=torch.bool)
    )
    network = Network(CONFIG)
    assert training_flops(network, inputs) == by_hand(causal_share=0.5)
    assert by_hand(causal_share=0.5) < by_hand(causal_share=1.0)
    assert all(parameter.grad is None and parameter.device.type == "cpu" for parameter in network.parameters())


@pytest.mark.parametrize("axis", ["windows", "sessions"])
def test_more_windows_cost_in_proportion_more_sessions_more_than_that(axis):
    def cost(windows, sessions):
        shape = (windows, N, sessions)
        inputs = Inputs(
            torch.zeros(*shape, P),
            torch.ones(shape, dtype=torch.bool),
            torch.zeros(windows, sessions, 0),
            torch.ones(N, N, dtype=torch.bool),
        )
        return training_flops(Network(CONFIG), inputs)

    once, twice = cost(1, 8), cost(2, 8) if axis == "windows" else cost(1, 16)
    assert twice == 2 * once if axis == "windows" else twice > 2 * once
