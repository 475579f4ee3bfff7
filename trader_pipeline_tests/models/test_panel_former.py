"""What the architecture promises: no later session, no absent ticker, and no other sector in the heads of the sector."""

import numpy as np
import pytest
import torch

from trader_pipeline.models.network import Inputs
from trader_pipeline.models.normalise import Normaliser
from trader_pipeline.models.panel_former import PanelFormer, PanelFormerConfig, parameters_of
from trader_pipeline.models.panel_former_member import PanelFormerMember, blocks, same_sector
from trader_pipeline.panel import Grid

CONFIG = PanelFormerConfig(columns=5, width=32, heads=4, key_value_heads=2, blocks=4, window_sessions=16)
SAME = same_sector(("A", "B", "C", "D", "E"), {"A": "x", "B": "x", "C": "y", "D": "y"})


@pytest.fixture
def network():
    torch.manual_seed(0)
    made = PanelFormer(CONFIG).eval()
    with torch.no_grad():
        for parameter in made.parameters():  # nothing may hide behind weights that start at zero
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return made


def inputs(sessions=16):
    torch.manual_seed(1)
    return torch.randn(2, 5, sessions, 5), torch.ones(2, 5, sessions, dtype=torch.bool)


def outputs(network, x, present, same=SAME):
    with torch.no_grad():
        return torch.cat([part.flatten(3) for part in network(Inputs(x, present, x.new_empty(len(x), x.shape[2], 0), same))[:2]], -1)


def test_about_a_million_weights_in_the_recipe():
    assert 0.9e6 < parameters_of(PanelFormer(PanelFormerConfig(columns=60))) < 1.3e6


def test_what_comes_after_t_changes_nothing_up_to_t(network):
    x, present = inputs()
    before = outputs(network, x, present)
    x[:, :, 9:] = 100 * torch.randn(2, 5, 7, 5)
    present[:, 2, 9:] = False
    after = outputs(network, x, present)
    assert torch.equal(before[:, :, :9], after[:, :, :9])
    assert not torch.allclose(before[:, :, 9:], after[:, :, 9:])


def test_the_past_and_the_other_tickers_do_matter(network):
    x, present = inputs()
    before = outputs(network, x, present)
    x[:, 1, 4] += 1
    after = outputs(network, x, present)
    assert not torch.allclose(before[:, 1, 12], after[:, 1, 12])
    assert not torch.allclose(before[:, 0, 4], after[:, 0, 4])


def test_an_absent_ticker_changes_nobody_else(network):
    x, present = inputs()
    present[:, 3] = False
    before = outputs(network, x, present)
    x[:, 3] += 5
    after = outputs(network, x, present)
    others = [0, 1, 2, 4]
    assert torch.equal(before[:, others], after[:, others])
    assert torch.isfinite(after).all()


def test_sectors_matter(network):
    x, present = inputs()
    assert not torch.allclose(outputs(network, x, present), outputs(network, x, present, torch.ones(5, 5, dtype=torch.bool)))


def test_a_ticker_without_a_sector_stands_alone():
    assert SAME[4].tolist() == [False, False, False, False, True]
    assert SAME[0].tolist() == [True, True, False, False, False]


def member(network):
    return PanelFormerMember(
        Normaliser(tuple("abcde"), *np.array([[-9.0] * 5, [9.0] * 5, [0.0] * 5, [1.0] * 5]), np.zeros(5, bool)), network
    )


def test_a_forecast_does_not_depend_on_where_the_panel_begins_or_ends(network):
    days = np.arange("2020-01-01", "2020-04-30", dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    x = np.random.default_rng(0).standard_normal((5, len(days), 5)).astype(np.float32)
    x[2, :60] = np.nan
    tickers, sectors = ("A", "B", "C", "D", "E"), {"A": "x", "B": "x", "C": "y", "D": "y"}
    whole = member(network).predict(x, Grid(tickers, days), sectors)
    for end in (50, 57, 70):
        first = end - CONFIG.window_sessions
        part = member(network).predict(x[:, first:end], Grid(tickers, days[first:end]), sectors)
        assert np.allclose(part.score_TNH[-1], whole.score_TNH[end - 1], atol=1e-5, equal_nan=True)
    assert np.isnan(whole.score_TNH[:60, 2]).all()
    assert np.isfinite(whole.score_TNH[60:]).all()
    assert (np.diff(whole.scaled_quantiles_TNHQ[60:], axis=-1) > 0).all()


def test_blocks_follow_the_date_and_not_the_position():
    days = np.arange("2020-01-01", "2020-03-01", dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    edges = {str(days[first]) for first, _ in blocks(days, 8)}
    later = {str(days[5:][first]) for first, _ in blocks(days[5:], 8)}
    assert later - edges <= {str(days[5])}
    assert sum(end - first for first, end in blocks(days, 8)) == len(days)
