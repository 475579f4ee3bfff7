"""What permuting a feature costs: signal much, noise nothing, and the market's level only between sessions."""

from dataclasses import dataclass, replace

import numpy as np

from trader_pipeline.models.linear import fit_ridge
from trader_pipeline.training import importance as module
from trader_pipeline.training.importance import importance
from trader_pipeline_tests.training.planted import examples, planted


def fitted(data=None):
    given = examples(data or planted())
    return fit_ridge(replace(given, every=given.fit)), given


def test_only_the_signal_may_not_go():
    found = importance(*fitted(), seed=0)
    assert found[0].name == "signal"
    assert found[0].increase > 10 * found[0].noise
    assert {one.name for one in found if one.may_go} == {"noise", "holes", "never"}


def test_the_same_seed_gives_the_same_numbers():
    assert importance(*fitted(), seed=1) == importance(*fitted(), seed=1)
    assert importance(*fitted(), seed=1) != importance(*fitted(), seed=2)


def test_many_features_are_asked_by_family(monkeypatch):
    monkeypatch.setattr(module, "_SINGLY", 3)
    member, given = fitted()
    families = {"signal": "momentum", "noise": "momentum", "holes": "macro"}
    found = importance(member, replace(given, families=families), seed=0)
    assert {one.name: one.features for one in found} == {
        "momentum": ("signal", "noise"),
        "macro": ("holes",),
        "never": ("never",),
    }
    assert [one.name for one in found if not one.may_go] == ["momentum"]


def test_tickers_exchange_within_a_session_and_what_they_share_between_sessions():
    x = np.random.default_rng(1).standard_normal((6, 40, 2)).astype(np.float32)
    x[:, :, 1] = np.arange(40)
    x[0, :10] = np.nan
    changed = module._permuted(x, [0, 1], np.random.default_rng(0))
    assert np.array_equal(np.isnan(changed), np.isnan(x))
    assert np.array_equal(np.sort(changed[:, :, 0], axis=0), np.sort(x[:, :, 0], axis=0), equal_nan=True)
    assert (changed[:, :, 0] != x[:, :, 0]).mean() > 0.5
    assert all(len(np.unique(changed[1:, t, 1])) == 1 for t in range(40))
    assert sorted(changed[1, :, 1]) == list(range(40))
    assert (changed[1, :, 1] != np.arange(40)).any()


@dataclass(frozen=True)
class Huge:
    """A member that must not be asked."""

    name = "huge"
    context_sessions = 256
    weights: int = 500_000_000


def test_a_network_too_large_for_the_budget_is_not_asked():
    assert importance(Huge(), examples(planted()), seed=0) == []


def test_a_smaller_budget_asks_fewer_sessions(monkeypatch):
    member, given = fitted()
    asked = []

    class Watched:
        name, context_sessions, weights = "ridge", 1, 1000

        def predict(self, x_NTF, grid, sectors):
            asked.append(len(grid.sessions))
            return member.predict(x_NTF, grid, sectors)

    importance(Watched(), given, seed=0)
    monkeypatch.setattr(module, "BUDGET", 1000 * 4 * 2 * 6 * 30)  # weights, features, repeats, tickers, sessions
    importance(Watched(), given, seed=0)
    assert sorted(set(asked)) == [30, 126]
