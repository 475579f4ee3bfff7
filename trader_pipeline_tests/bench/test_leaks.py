"""`trader leaks` on a small market: every feature stands, every planted leak is caught by whom it should be."""

import copy

import pytest
from typer.testing import CliRunner

from trader_pipeline.bench import leaks
from trader_pipeline.bench.canaries import CANARIES
from trader_pipeline.cli import app
from trader_pipeline.errors import LeakError, UsageError
from trader_pipeline.features import FEATURES
from trader_pipeline_tests.features.leaking import TOMORROW

CUTS = 20
BY_STAMPS, NOT_BY_PERTURBATION = "restatement_stamped_early", "current_list_universe"


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    longest = max(feature.lookback_sessions for feature in FEATURES)
    return leaks.measure(tmp_path_factory.mktemp("leaks"), tickers=12, sessions=longest + 150, cuts=CUTS, seed=3)


def test_no_feature_looks_ahead_or_further_back_than_it_says(figures):
    for name in leaks.VERDICTS:
        assert figures[name]["violating"] == []
        assert figures[name]["features"] == len(FEATURES)
    assert figures["stamps"] == {}
    assert leaks.leaking(figures) == []


def test_every_family_is_cut_at_twenty_sessions(figures):
    families = figures["truncation"]["by_family"]
    assert [row["family"] for row in families] == list(dict.fromkeys(feature.family for feature in FEATURES))
    assert {row["cuts"] for row in families} == {CUTS}
    assert not any(row["absent"] for row in families)


@pytest.mark.parametrize("name", [canary.name for canary in CANARIES])
def test_a_planted_leak_is_caught_and_its_honest_twin_passes(figures, name):
    row = next(row for row in figures["detected"] if row["canary"] == name)
    assert figures["canaries"][name] is True
    assert row["honest_passes"]
    assert (row["truncation"] > 0) == (name != BY_STAMPS)
    assert (row["perturbation"] > 0) == (name not in (BY_STAMPS, NOT_BY_PERTURBATION))
    assert (row["stamps"] > 0) == (name == BY_STAMPS)


def test_all_that_can_be_wrong_is_told(figures):
    wrong = copy.deepcopy(figures)
    wrong["look_back"] |= {"violations": 1, "violating": ["beta_252d"]}
    wrong["truncation"]["by_family"][0]["absent"] = True
    wrong["stamps"] = {"macro": 3}
    wrong["canaries"]["one_day_shift"] = False
    wrong["detected"][0]["honest_passes"] = False
    assert leaks.leaking(wrong) == [
        "look_back: beta_252d",
        f"{FEATURES[0].family} is absent: nothing is proven of it",
        "stamps of macro: 3 rows too early",
        "canary one_day_shift was not caught",
        "the honest twin of centred_window was called a leak",
    ]


def test_a_leaking_feature_ends_the_command_with_its_name(monkeypatch):
    monkeypatch.setattr(leaks, "FEATURES", (FEATURES[0], TOMORROW))
    ended = CliRunner().invoke(app, ["leaks", "--tickers", "8", "--sessions", "510", "--cuts", "4"])
    assert isinstance(ended.exception, LeakError)
    assert str(ended.exception) == "truncation: tomorrow; perturbation: tomorrow"
    assert "tomorrow" in ended.output


def test_too_short_a_market_is_refused(tmp_path):
    with pytest.raises(UsageError, match="raise --sessions"):
        leaks.measure(tmp_path, tickers=4, sessions=300, cuts=20, seed=0)
