"""What choosing the best trial of the past would have earned: backtest paths of combinatorial purged splits.

López de Prado 2018, chapter 12. Each of the N blocks is tested in phi = C(N - 1, k - 1) splits, so the tested blocks make phi
whole paths. M trials, T sessions, P paths.
"""

from itertools import combinations

import numpy as np
import numpy.typing as npt

from trader_pipeline.evaluation.overfitting import BLOCKS, Floats, Rows, combinatorial_splits
from trader_pipeline.evaluation.sharpe import ratio

TEST_BLOCKS = 2
EMBARGO_SESSIONS = 20


def path_numbers(blocks: int, test_blocks: int) -> Rows:
    """Return the path that each tested block of each split belongs to, [splits, test_blocks]: in how many splits before it was tested."""
    tested = np.zeros(blocks, dtype=np.int64)
    numbers = []
    for chosen in combinations(range(blocks), test_blocks):
        numbers.append(tested[list(chosen)])
        tested[list(chosen)] += 1
    return np.array(numbers)


def backtest_paths(
    returns_MT: Floats, *, purge: int, embargo: int = EMBARGO_SESSIONS, blocks: int = BLOCKS, test_blocks: int = TEST_BLOCKS
) -> Floats | None:
    """Return [P, T]: in each tested block the returns of the trial with the best Sharpe ratio in that split's train sessions.

    None for fewer than two trials, for blocks that purge and embargo eat up, and where no trial has a ratio in some split.
    What changing from one trial to another costs is not in the returns.
    """
    trials, sessions = returns_MT.shape
    if trials < 2 or sessions // blocks <= purge + embargo + 1:  # noqa: PLR2004 - nothing to choose from
        return None
    numbers = path_numbers(blocks, test_blocks)
    paths_PT = np.full((numbers.max() + 1, sessions), np.nan)
    splits = combinatorial_splits(sessions, blocks=blocks, test_blocks=test_blocks, purge=purge, embargo=embargo)
    for number, (train, test) in zip(numbers, splits, strict=True):
        inside = np.array([ratio(returns) for returns in returns_MT[:, train]])
        if not np.isfinite(inside).any():
            return None
        block = np.minimum(test // (sessions // blocks), blocks - 1)
        paths_PT[number[np.unique(block, return_inverse=True)[1]], test] = returns_MT[int(np.nanargmax(inside)), test]
    return paths_PT


def path_measures(paths_PT: Floats | None, *, baseline: float, annual: float) -> dict[str, npt.ArrayLike]:
    """Return the columns of evaluation.strategy that speak of the paths, NaN without any.

    `baseline` is the Sharpe ratio of a session that shares under it are counted against, over the same sessions.
    """
    ratios = np.array([np.nan]) if paths_PT is None else np.array([ratio(path) for path in paths_PT])
    low, median, high = annual * np.quantile(ratios, [0.05, 0.5, 0.95])
    known = paths_PT is not None
    return {
        "paths": len(ratios) if known else 0,
        "path_sharpe_05": low,
        "path_sharpe_median": median,
        "path_sharpe_95": high,
        "paths_below_zero": float(np.mean(ratios < 0)) if known else np.nan,
        "paths_below_baseline": float(np.mean(ratios < baseline)) if known and np.isfinite(baseline) else np.nan,
    }
