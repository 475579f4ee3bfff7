"""How often the best of the past is worse than the median afterwards: combinatorially symmetric, purged splits.

Bailey, Borwein, López de Prado & Zhu 2017 (CSCV); López de Prado 2018, chapters 7 and 12 (purge, embargo, combinatorial splits).
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt

from trader_pipeline.evaluation.sharpe import ratio

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

BLOCKS = 10


def combinatorial_splits(sessions: int, *, blocks: int, test_blocks: int, purge: int = 0, embargo: int = 0) -> Iterator[tuple[Rows, Rows]]:
    """Yield (train, test) positions for every choice of `test_blocks` of the contiguous blocks, in lexicographic order.

    `purge` sessions on either side of a test block teach nothing, and `embargo` more after it. The last block is the longest.
    """
    size = sessions // blocks
    block_T = np.minimum(np.arange(sessions) // size, blocks - 1)
    for chosen in combinations(range(blocks), test_blocks):
        test_T = np.isin(block_T, chosen)
        barred_T = test_T.copy()
        for first, last in _runs(test_T):
            barred_T[max(first - purge, 0) : first] = True
            barred_T[last + 1 : last + 1 + purge + embargo] = True
        yield np.flatnonzero(~barred_T), np.flatnonzero(test_T)


def probability_of_overfitting(returns_MT: Floats, *, blocks: int = BLOCKS, purge: int = 0) -> float:
    """Return the share of symmetric splits in which the trial that was best in one half ranks under the median in the other.

    `returns_MT` holds the returns of M trials on the same sessions. NaN for fewer than two trials or four sessions a block.
    """
    trials, sessions = returns_MT.shape
    if trials < 2 or sessions < 4 * blocks:  # noqa: PLR2004 - nothing to choose from
        return float("nan")
    worse = []
    for train, test in combinatorial_splits(sessions, blocks=blocks, test_blocks=blocks // 2, purge=purge):
        inside = np.array([ratio(returns) for returns in returns_MT[:, train]])
        outside = np.array([ratio(returns) for returns in returns_MT[:, test]])
        if not (np.isfinite(inside).any() and np.isfinite(outside).all()):
            continue
        best = outside[int(np.nanargmax(inside))]
        rank = ((outside < best).sum() + 0.5 * ((outside == best).sum() + 1)) / (trials + 1)
        worse.append(rank <= 0.5)  # noqa: PLR2004 - the median
    return float(np.mean(worse)) if worse else float("nan")


def _runs(flags_T: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first and last position of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags_T, [False]]).astype(np.int8)))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]
