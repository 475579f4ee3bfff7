"""What the architecture promises: no later session, no absent ticker, and no other sector in the heads of the sector."""

import numpy as np
import pytest
import torch

from trader_pipeline.models.network import Inputs
from trader_pipeline.models.network_member import NetworkMember, blocks, same_sector
from trader_pipeline.models.normalise import Normaliser
from trader_pipeline.models.panel_former import PanelFormer, PanelFormerConfig
from trader_pipeline.models.preparation import Preparation
from trader_pipeline.panel import Grid

CONFIG = PanelFormerConfig(
    columns=5, market_columns=2, width=32, heads=4, key_value_heads=2, blocks=4, window_sessions=16, families=((0, 3), (2,))
)
SAME = same_sector(("A", "B", "C", "D", "E"), {"A": "x", "B": "x", "C": "y", "D": "y"})


@pytest.fixture
def network():
    return stirred(PanelFormer(CONFIG))


def stirred(network):
    """Nothing may hide behind weights that start at zero."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return network.eval()


def inputs(sessions=16):
    torch.manual_seed(1)
    x = torch.randn(2, 5, sessions, 5)
    return Inputs(x, torch.ones(2, 5, sessions, dtype=torch.bool), torch.randn(2, sessions, 2), SAME)


def outputs(network, given):
    """Everything that is said of tickers [B, N, L, .], and of the market beside each of them."""
    with torch.no_grad():
        score, distribution, market, auxiliary = network(given)
    beside = market.flatten(2).unsqueeze(1).expand(-1, score.shape[1], -1, -1)
    return torch.cat([score, distribution.flatten(3), beside, auxiliary], -1)


def test_what_comes_after_t_changes_nothing_up_to_t(network):
    given = inputs()
    before = outputs(network, given)
    given.x_BNLP[:, :, 9:] = 100 * torch.randn(2, 5, 7, 5)
    given.market_BLM[:, 9:] = -50
    given.present_BNL[:, 2, 9:] = False
    after = outputs(network, given)
    assert torch.equal(before[:, :, :9], after[:, :, :9])
    assert not torch.allclose(before[:, :, 9:], after[:, :, 9:])


def test_the_past_and_the_other_tickers_do_matter(network):
    given = inputs()
    before = outputs(network, given)
    given.x_BNLP[:, 1, 4] += 1
    after = outputs(network, given)
    assert not torch.allclose(before[:, 1, 12], after[:, 1, 12])
    assert not torch.allclose(before[:, 0, 4], after[:, 0, 4])


def test_the_regime_matters_through_market_wide_columns(network):
    given = inputs()
    before = outputs(network, given)
    given.market_BLM[0] += 1
    after = outputs(network, given)
    assert not torch.allclose(before[0], after[0], atol=1e-3)
    assert torch.equal(before[1], after[1])


def test_an_absent_ticker_changes_nobody_else(network):
    given = inputs()
    given.present_BNL[:, 3] = False
    before = outputs(network, given)
    given.x_BNLP[:, 3] += 5
    after = outputs(network, given)
    others = [0, 1, 2, 4]
    assert torch.equal(before[:, others], after[:, others])
    assert torch.isfinite(after).all()


def test_a_family_is_read_a_second_time_as_its_token(network):
    given = inputs()
    before = outputs(network, given)
    with torch.no_grad():
        network.blocks[1].mixer.tokens[1].weight.add_(1)
    assert not torch.allclose(before, outputs(network, given), atol=1e-3)


def test_a_session_without_any_ticker_says_nothing_that_is_not_finite(network):
    given = inputs()
    given.present_BNL[:, :, 5] = False
    assert torch.isfinite(outputs(network, given)).all()


def test_sectors_matter(network):
    given = inputs()
    everyone = given._replace(same_sector_NN=torch.ones(5, 5, dtype=torch.bool))
    assert not torch.allclose(outputs(network, given), outputs(network, everyone))


def test_a_ticker_without_a_sector_stands_alone():
    assert SAME[4].tolist() == [False, False, False, False, True]
    assert SAME[0].tolist() == [True, True, False, False, False]


def member(network):
    """Features a to e differ between tickers, f and g are market-wide."""
    bounds = np.array([[-9.0] * 7, [9.0] * 7, [0.0] * 7, [1.0] * 7])
    return NetworkMember(Preparation(Normaliser(tuple("abcdefg"), *bounds, np.zeros(7, bool)), ("f", "g")), network)


def test_a_forecast_does_not_depend_on_where_the_panel_begins_or_ends(network):
    days = np.arange("2020-01-01", "2020-04-30", dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    x = np.random.default_rng(0).standard_normal((5, len(days), 7)).astype(np.float32)
    x[:, :, 5:] = x[:1, :, 5:]
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


@pytest.mark.parametrize("sessions", [1, 5])
def test_the_newest_positions_alone_are_those_of_the_whole(network, sessions):
    given = inputs()
    with torch.no_grad():
        whole, newest = network(given), network.newest(given, sessions)
    assert newest.score_BNLH.shape[2] == sessions
    for one, other in zip(whole, newest, strict=True):
        axis = 1 if one is whole.market_BLHK else 2
        assert torch.allclose(one.narrow(axis, 16 - sessions, sessions), other, atol=1e-5)
