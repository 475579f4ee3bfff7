"""Every member's contributions sum to what it says, and name what it looks at."""

import numpy as np
import pytest
import torch

from trader_pipeline.models.attribution import folded
from trader_pipeline.models.linear import fit_ridge
from trader_pipeline.models.network import Inputs
from trader_pipeline.models.network_attribution import STEPS, TOLERANCE, _Crowd, integrated_gradients
from trader_pipeline.models.network_member import NETWORKS, NetworkMember, torch_threads
from trader_pipeline.models.normalise import Normaliser
from trader_pipeline.models.preparation import Preparation
from trader_pipeline.models.rules import RuleMember
from trader_pipeline.models.trees import TreesConfig, fit_trees
from trader_pipeline.panel import Grid
from trader_pipeline_tests.training.planted import SECTORS, examples, planted

SIZES = {"width": 32, "window_sessions": 16}
TICKERS, SESSIONS, COLUMNS = 9, 14, 6


@pytest.fixture(autouse=True)
def one_thread():
    with torch_threads(1):
        yield


def everyone(data):
    return np.ones(len(data.grid.tickers), bool)


@pytest.mark.parametrize("fit", [fit_ridge, lambda given: fit_trees(given, TreesConfig(rounds=20), seed=0)], ids=["ridge", "lightgbm"])
def test_parts_of_the_classics_sum_to_the_score_and_name_the_planted_signal(fit):
    data = planted()
    member = fit(examples(data))
    why = member.explain(data.x_NTF, data.grid, SECTORS, everyone(data))
    score_NH = member.predict(data.x_NTF, data.grid, SECTORS).score_TNH[-1]
    here_N = np.isfinite(score_NH).all(axis=1)
    assert here_N.sum() > 5
    assert why.base_NH[here_N] + why.parts_NHF[here_N].sum(axis=2) == pytest.approx(score_NH[here_N], abs=1e-5)
    assert np.abs(why.error_NH[here_N]).max() < 1e-5
    signal = member.features.index("signal")
    assert np.abs(why.parts_NHF[here_N]).mean(axis=(0, 1)).argmax() == signal


def test_a_rule_is_its_one_feature_and_zero_is_nothing():
    numbers = (np.full(4, 0.5), np.zeros(4), np.zeros(4), np.zeros((4, 5)))
    x_NTF = np.array([[[1.0, 9.0]], [[3.0, 9.0]]], np.float32)
    grid = Grid(("A", "B"), np.array(["2020-02-07"], "datetime64[D]"))
    momentum = RuleMember("momentum", ("momentum_12_1", "other"), *numbers)
    why = momentum.explain(x_NTF, grid, {}, np.ones(2, bool))
    assert why.parts_NHF[:, 0, 0] == pytest.approx([-0.5, 0.5], abs=1e-6)
    assert (why.parts_NHF[:, :, 1] == 0).all()
    assert np.abs(why.error_NH).max() < 1e-6
    assert (RuleMember("zero", ("other",), *numbers).explain(x_NTF[:, :, :1], grid, {}, np.ones(2, bool)).parts_NHF == 0).all()


def test_a_null_column_counts_for_its_feature():
    parts = folded(np.array([1.0, 2.0, 4.0, 8.0]), ("a", "b", "b is null", "a is null"), ("b", "a"))
    assert parts.tolist() == [6.0, 9.0]


def network(kind):
    torch.manual_seed(0)
    config, made = NETWORKS[kind]
    more = {"families": ((0, 1), (4,))} if kind == "panel_former" else {}
    net = made(config(columns=COLUMNS, market_columns=2, **SIZES, **more))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return net.eval()


def inputs():
    torch.manual_seed(1)
    present = torch.rand(1, TICKERS, SESSIONS) > 0.1
    present[:, :, -1] = True
    sector = torch.arange(TICKERS) % 3
    x = torch.randn(1, TICKERS, SESSIONS, COLUMNS) * present.unsqueeze(-1)
    return Inputs(x, present, torch.randn(1, SESSIONS, 2), sector[:, None] == sector)


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_end_of_the_path_is_the_forecast_and_its_parts_sum_to_it(kind):
    given, wanted = inputs(), [0, 8]
    crowd = _Crowd(network(kind), given)
    with torch.no_grad():
        said = crowd.network(given).score_BNLH[0, wanted, -1].double().numpy()
    assert crowd.scores(wanted, torch.ones(2)) == pytest.approx(said, abs=1e-5)
    assert crowd.score_NH[wanted] == pytest.approx(said, abs=1e-6), "no hook is left behind"
    score, base, parts = integrated_gradients(crowd.network, given, wanted)
    assert score == pytest.approx(said, abs=1e-6)
    error = np.abs(score - base - parts.sum(axis=-1)) / crowd.score_NH.std(axis=0)
    assert error.max() <= TOLERANCE


def test_rows_on_a_path_see_the_crowd_as_a_ticker_with_that_row_would_see_it_held():
    """Where peers cannot react, replacing the ticker's row is the same as walking it: one block over tickers, a condition that stays."""
    net, given = network("i_transformer"), inputs()
    net.blocks = net.blocks[:1]
    fixed = net.condition(given)
    handle = net.condition.register_forward_hook(lambda *_: fixed)
    crowd = _Crowd(net, given)
    half = crowd.scores([3], torch.tensor([0.5]))[0]
    x = given.x_BNLP.clone()
    x[:, 3] *= 0.5
    with torch.no_grad():
        replaced = net(given._replace(x_BNLP=x)).score_BNLH[0, 3, -1].double().numpy()
    handle.remove()
    assert half == pytest.approx(replaced, abs=1e-5)


def test_more_nodes_are_taken_until_it_adds_up(monkeypatch):
    """A bound that no sum of floats can meet takes every step there is."""
    from trader_pipeline.models import network_attribution as module  # noqa: PLC0415 - its bound is changed here alone

    taken, integral = [], module._integral
    monkeypatch.setattr(module, "TOLERANCE", -1.0)
    monkeypatch.setattr(module, "STEPS", STEPS[:2])
    monkeypatch.setattr(module, "_integral", lambda crowd, wanted, steps: taken.append(steps) or integral(crowd, wanted, steps))
    integrated_gradients(network("gru"), inputs(), [0])
    assert taken == [8, 16]


def test_a_member_explains_whom_it_is_asked_for_on_the_scale_of_its_features():
    names = ("a", "b", "c", "d", "e", "f", "market")
    rng = np.random.default_rng(0)
    x_NTF = rng.standard_normal((TICKERS, 40, 7)).astype(np.float32)
    x_NTF[:, :, 6] = rng.standard_normal(40)
    preparation = Preparation(Normaliser.fit(x_NTF.reshape(-1, 7), names), ("market",))
    config, made = NETWORKS["gru"]
    torch.manual_seed(0)
    member = NetworkMember(preparation, made(config(columns=6, market_columns=1, **SIZES)).eval())
    days = np.arange("2020-01-01", "2020-04-01", dtype="datetime64[D]")
    grid = Grid(tuple("ABCDEFGHI"), days[np.is_busday(days)][-40:])
    wanted_N = np.arange(TICKERS) < 2
    why = member.explain(x_NTF, grid, {}, wanted_N)
    assert np.isfinite(why.error_NH).all(axis=1).tolist() == wanted_N.tolist()
    assert not why.centred
    score = member.predict(x_NTF, grid, {}).score_TNH[-1, :2]
    assert why.base_NH[:2] + why.parts_NHF[:2].sum(axis=2) == pytest.approx(score, abs=0.01 * float(score.std()))
    assert (why.parts_NHF[:2, :, 6] == 0).all(), "what is market-wide is held"
    newest = member.predict(x_NTF, grid, {}, newest=1).score_TNH
    assert np.array_equal(newest[-1], member.predict(x_NTF, grid, {}).score_TNH[-1])
    assert np.isnan(newest[0]).all()
