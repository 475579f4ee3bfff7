"""How good forecast quantiles are. Legend: Q levels, ascending; any shape after it."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def pinball(quantiles_Q: npt.ArrayLike, label: npt.ArrayLike, levels_Q: npt.ArrayLike) -> float:
    """Return the pinball loss, mean over rows and levels, in the label's unit: less is better. Koenker & Bassett 1978."""
    levels = np.asarray(levels_Q, dtype=np.float64).reshape(-1, *([1] * np.ndim(label)))
    gap = np.asarray(label, dtype=np.float64)[None] - np.asarray(quantiles_Q, dtype=np.float64)
    return float(np.maximum(levels * gap, (levels - 1) * gap).mean())


def probability_integral(quantiles_Q: npt.ArrayLike, label: npt.ArrayLike) -> Floats:
    """Return, for each level, the share of labels at or under its quantile: the distribution of the PIT at those levels.

    A calibrated forecaster gives the levels themselves. Dawid 1984; Diebold, Gunther & Tay 1998.
    """
    quantiles, outcome = np.asarray(quantiles_Q, dtype=np.float64), np.asarray(label, dtype=np.float64)
    share: Floats = (outcome[None] <= quantiles).reshape(len(quantiles), -1).mean(axis=1)
    return share


def interval_coverage(quantiles_Q: npt.ArrayLike, label: npt.ArrayLike) -> float:
    """Return the share of labels inside the outermost quantiles, bounds included."""
    quantiles, outcome = np.asarray(quantiles_Q, dtype=np.float64), np.asarray(label, dtype=np.float64)
    return float(((outcome >= quantiles[0]) & (outcome <= quantiles[-1])).mean())
