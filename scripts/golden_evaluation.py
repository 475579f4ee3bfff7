"""Make trader_pipeline_tests/resources/evaluation.json: what other libraries say of small data that is kept beside their answers.

Run it in an environment of its own: `pip install arch==8.0.0 numerai-tools==0.7.2 scikit-learn==1.9.1 skfolio==1.12.2
statsmodels==0.15.0`, then `python scripts/golden_evaluation.py`. The numerai series are those of numerai-tools' own tests.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm
from arch.bootstrap import optimal_block_length
from numerai_tools.scoring import numerai_corr
from skfolio.measures import cvar
from skfolio.model_selection import CombinatorialPurgedCV
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, mean_pinball_loss

TARGET = Path(__file__).parents[1] / "trader_pipeline_tests" / "resources" / "evaluation.json"
LIBRARIES = ("arch", "numerai-tools", "scikit-learn", "skfolio", "statsmodels")


def main() -> None:
    """Write everything, six decimals in, all digits out."""
    generator = np.random.default_rng(7)
    answers = {
        "made_by": {name: version(name) for name in LIBRARIES},
        "series": [series(generator, slope) for slope in (0.0, 0.5, 0.9)],
        "numerai": numerai(generator),
        "tail": tail(generator),
        "splits": splits(),
        "paths": paths(),
        "probabilities": probabilities(generator),
        "quantiles": quantiles(generator),
    }
    TARGET.write_text(json.dumps(answers, indent=None) + "\n")


def series(generator: np.random.Generator, slope: float) -> dict[str, object]:
    """Return an AR(1), the error of its mean by Newey and West, and the best mean block by Politis and White."""
    shocks = generator.standard_normal(400)
    values = [shocks[0]]
    for shock in shocks[1:]:
        values.append(slope * values[-1] + shock)
    x = np.round(values, 6)
    lags = 12
    fit = sm.OLS(x, np.ones_like(x)).fit(cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False})
    block = optimal_block_length(x)["stationary"].iloc[0]
    return {"values": x.tolist(), "lags": lags, "newey_west_error": float(fit.bse[0]), "block_length": float(block)}


def numerai(generator: np.random.Generator) -> list[dict[str, object]]:
    """Return predictions, targets and their canonical correlation."""
    up, down, up_down = [0.0, 1, 2, 3, 4], [4.0, 3, 2, 1, 0], [1.0, 0, 1, 0, 1]
    cases = [(up, up), (up, down), (up, up_down), (up_down, up), (up_down, up_down)]
    ties = np.round(generator.standard_normal(60), 1)
    cases.append((ties.tolist(), np.round(0.3 * ties + generator.standard_normal(60), 6).tolist()))
    return [
        {"score": a, "target": b, "correlation": float(numerai_corr(pd.DataFrame({"p": a}), pd.Series(b, name="t"))["p"])} for a, b in cases
    ]


def tail(generator: np.random.Generator) -> dict[str, object]:
    """Return fat-tailed returns and their CVaR at levels that do and do not cut between two of them."""
    returns = np.round(0.01 * generator.standard_t(4, 333), 6)
    return {"returns": returns.tolist(), "cvar": {str(level): float(cvar(returns, beta=level)) for level in (0.9, 0.95, 0.99)}}


def splits() -> list[dict[str, object]]:
    """Return first and last position of every run of train and test of each split."""
    found = []
    for purge, embargo in ((0, 0), (3, 0), (3, 4)):
        shape = {"sessions": 124, "blocks": 6, "test_blocks": 2, "purge": purge, "embargo": embargo}
        cv = CombinatorialPurgedCV(n_folds=6, n_test_folds=2, purged_size=purge, embargo_size=embargo)
        for train, tests in cv.split(np.zeros((124, 1))):
            found.append(shape | {"train": runs(train), "test": runs(np.concatenate(tests))})
    return found


def paths() -> dict[str, object]:
    """Return the returns of four trials, the path of each tested block of skfolio's splits, and the paths' Sharpe ratios.

    In each split the trial with the best Sharpe ratio in the train rows is held in the test rows.
    """
    returns = np.round(np.random.default_rng(2).normal(0.02, 1, (4, 124)), 6)
    shape = {"blocks": 6, "test_blocks": 2, "purge": 3, "embargo": 4}
    cv = CombinatorialPurgedCV(n_folds=6, n_test_folds=2, purged_size=3, embargo_size=4)
    ids = cv.get_path_ids()
    held = np.full((ids.max() + 1, 124), np.nan)
    for numbers, (train, tests) in zip(ids, cv.split(returns.T), strict=True):
        best = int(np.argmax(returns[:, train].mean(axis=1) / returns[:, train].std(axis=1, ddof=1)))
        for number, test in zip(numbers, tests, strict=True):
            held[number, test] = returns[best, test]
    ratios = held.mean(axis=1) / held.std(axis=1, ddof=1)
    return shape | {"returns": returns.tolist(), "path_ids": ids.tolist(), "ratios": ratios.tolist()}


def runs(positions: np.ndarray) -> list[list[int]]:
    """Return [first, last] of each stretch of neighbours."""
    ordered = np.sort(positions)
    return [[int(part[0]), int(part[-1])] for part in np.split(ordered, np.flatnonzero(np.diff(ordered) > 1) + 1)]


def probabilities(generator: np.random.Generator) -> dict[str, object]:
    """Return forecasts and outcomes, their Brier score, and mean outcome and forecast of ten equal-count bins."""
    p = np.round(generator.uniform(0.3, 0.8, 500), 6)
    outcome = (generator.random(500) < 0.9 * p).astype(int)
    true, said = calibration_curve(outcome, p, n_bins=10, strategy="quantile")
    brier = float(brier_score_loss(outcome, p))
    return {"p": p.tolist(), "outcome": outcome.tolist(), "brier": brier, "bins_true": true.tolist(), "bins_said": said.tolist()}


def quantiles(generator: np.random.Generator) -> dict[str, object]:
    """Return labels, five quantiles of each, and their pinball losses by level."""
    label = np.round(generator.standard_normal(80), 6)
    center = 0.3 * label + generator.standard_normal(80)
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    said = np.round([center + z for z in (-1.6, -0.7, 0.0, 0.7, 1.6)], 6)
    loss = [float(mean_pinball_loss(label, q, alpha=a)) for q, a in zip(said, levels, strict=True)]
    return {"label": label.tolist(), "levels": levels, "quantiles": said.tolist(), "pinball": loss}


if __name__ == "__main__":
    main()
