import pytest
import torch

from trader_pipeline.models.hl_gauss import BINS
from trader_pipeline.models.network import AUXILIARY, Inputs
from trader_pipeline.models.panel_former import PanelFormer, PanelFormerConfig
from trader_pipeline.training.flops import training_flops

B, N, L, P, M, D, C, S, H, T = 2, 5, 16, 7, 3, 24, 6, 2, 4, 2
CONFIG = PanelFormerConfig(
    columns=P, market_columns=M, width=D, heads=D // C, key_value_heads=S, blocks=2, market_tokens=T, dropout=0.1, window_sessions=L
)


def given(windows=B, sessions=L):
    shape = (windows, N, sessions)
    return Inputs(
        torch.zeros(*shape, P), torch.ones(shape, dtype=torch.bool), torch.zeros(windows, sessions, M), torch.ones(N, N, dtype=torch.bool)
    )


def by_hand(*, causal_share):
    """The formula of the module's docstring, for a temporal and a cross-sectional block."""
    rows, every, inside, c = N * L, (N + T) * L, 8 * (D // 3), D // 8
    embed, condition_in = 2 * rows * P * D, 2 * L * c * (P + M)
    condition = 2 * L * c * c + 2 * L * c * D
    block = 2 * every * D * (2 * D + 2 * C * S + 3 * inside) + 12 * L * c * D
    attention = 4 * every * L * D * causal_share + 4 * every * (N + T) * D
    heads = 2 * rows * D * (H + H * BINS + AUXILIARY) + 2 * L * D * H * BINS
    return B * (2 * (embed + condition_in) + 3 * (condition + 2 * block + attention + heads))


def test_the_count_is_the_formula():
    network = PanelFormer(CONFIG)
    assert training_flops(network, given()) == by_hand(causal_share=0.5)
    assert by_hand(causal_share=0.5) < by_hand(causal_share=1.0)
    assert all(parameter.grad is None and parameter.device.type == "cpu" for parameter in network.parameters())


@pytest.mark.parametrize("axis", ["windows", "sessions"])
def test_more_windows_cost_in_proportion_more_sessions_more_than_that(axis):
    def cost(windows, sessions):
        return training_flops(PanelFormer(CONFIG), given(windows, sessions))

    once, twice = cost(1, 8), cost(2, 8) if axis == "windows" else cost(1, 16)
    assert twice == 2 * once if axis == "windows" else twice > 2 * once
