"""Figures beside the answers of other libraries; scripts/golden_evaluation.py made them."""

import json
from pathlib import Path

import numpy as np
import pytest

from trader_pipeline import measures
from trader_pipeline.evaluation import distribution, intervals
from trader_pipeline.evaluation.backtest_paths import backtest_paths, path_numbers
from trader_pipeline.evaluation.numerai import numerai_correlation
from trader_pipeline.evaluation.overfitting import combinatorial_splits
from trader_pipeline.evaluation.sharpe import ratio

GOLDEN = json.loads((Path(__file__).parents[1] / "resources" / "evaluation.json").read_text())


@pytest.mark.parametrize("case", GOLDEN["series"], ids=["white", "half", "persistent"])
def test_newey_west_is_statsmodels(case):
    half = intervals.newey_west_half_width(case["values"], case["lags"])
    assert half / 1.959963984540054 == pytest.approx(case["newey_west_error"], rel=1e-9)


@pytest.mark.parametrize("case", GOLDEN["series"], ids=["white", "half", "persistent"])
def test_block_length_is_that_of_arch(case):
    assert intervals.block_length(case["values"]) == pytest.approx(max(case["block_length"], 1.0), rel=1e-9)


@pytest.mark.parametrize("case", GOLDEN["numerai"])
def test_numerai_correlation_is_numerai_s(case):
    found = numerai_correlation([case["score"]], [case["target"]])[0]
    assert found == pytest.approx(case["correlation"], abs=1e-9)


def test_numerai_correlation_skips_missing_names():
    case = GOLDEN["numerai"][-1]
    score, target = [*case["score"], 9.0, np.nan], [*case["target"], np.nan, 9.0]
    assert numerai_correlation([score], [target])[0] == pytest.approx(case["correlation"], abs=1e-9)
    assert np.isnan(numerai_correlation([[1.0, 2.0, np.nan]], [[1.0, 2.0, 3.0]])[0])
    assert np.isnan(numerai_correlation([[1.0, 1.0, 1.0]], [[1.0, 2.0, 3.0]])[0])


def test_cvar_is_skfolio_s():
    tail = GOLDEN["tail"]
    for level, expected in tail["cvar"].items():
        assert measures.conditional_value_at_risk(tail["returns"], float(level)) == pytest.approx(expected, rel=1e-9)


def test_combinatorial_purged_splits_are_skfolio_s():
    for settings in {(c["purge"], c["embargo"]) for c in GOLDEN["splits"]}:
        cases = [c for c in GOLDEN["splits"] if (c["purge"], c["embargo"]) == settings]
        shape = {name: cases[0][name] for name in ("blocks", "test_blocks", "purge", "embargo")}
        found = list(combinatorial_splits(cases[0]["sessions"], **shape))
        assert [(positions(c["train"]), positions(c["test"])) for c in cases] == [(a.tolist(), b.tolist()) for a, b in found]


def test_backtest_paths_are_skfolio_s():
    case = GOLDEN["paths"]
    shape = {name: case[name] for name in ("blocks", "test_blocks")}
    assert path_numbers(**shape).tolist() == case["path_ids"]
    paths = backtest_paths(np.array(case["returns"]), purge=case["purge"], embargo=case["embargo"], **shape)
    assert len(set(case["ratios"])) == len(case["ratios"]) == 5, "the paths differ, so a wrong one shows"
    assert [ratio(path) for path in paths] == pytest.approx(case["ratios"], rel=1e-9)


def positions(runs):
    return [p for first, last in runs for p in range(first, last + 1)]


def test_brier_and_calibration_bins_are_scikit_learn_s():
    case = GOLDEN["probabilities"]
    p, outcome = np.array(case["p"]), np.array(case["outcome"], dtype=float)
    assert measures.brier(p, outcome) == pytest.approx(case["brier"], rel=1e-9)
    bins = measures.calibration_bins(p, outcome)
    assert bins.outcome == pytest.approx(case["bins_true"], rel=1e-9)
    assert bins.probability == pytest.approx(case["bins_said"], rel=1e-9)
    gaps = np.abs(np.array(case["bins_true"]) - case["bins_said"])
    assert measures.expected_calibration_error(p, outcome) == pytest.approx(gaps.mean(), rel=1e-9)  # bins of 50 each


def test_pinball_is_scikit_learn_s():
    case = GOLDEN["quantiles"]
    assert distribution.pinball(case["quantiles"], case["label"], case["levels"]) == pytest.approx(np.mean(case["pinball"]), rel=1e-9)
