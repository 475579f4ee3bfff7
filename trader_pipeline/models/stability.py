"""The population stability index: how far rows lie from those that the bins were learnt from.

PSI = sum over bins of (share now - share then) * log(share now / share then), over tenths of the rows then and one bin for nulls
(Siddiqi 2006). Legend: F features, B edges, R rows.
"""

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

LARGE = 0.25
"""An index from here on is a shift (Siddiqi 2006)."""
BINS = 10
_EMPTY = 1e-3
"""Share that an empty bin counts as."""


def tenths(rows_RF: Float32 | Floats) -> Floats:
    """Return each feature's nine inner tenths, [F, B]; NaN is null, and a feature of nulls alone has zeros.

    Equal edges, of a feature that often takes one value, leave the bins between them empty: then and now, which adds nothing.
    """
    rows_RF = np.asarray(rows_RF, dtype=np.float64)
    valued_F = ~np.isnan(rows_RF).all(axis=0)
    levels = np.linspace(0, 1, BINS + 1)[1:-1]
    edges_FB = np.zeros((rows_RF.shape[1], len(levels)))
    edges_FB[valued_F] = np.nanquantile(rows_RF[:, valued_F], levels, axis=0).T
    return edges_FB


def shares(rows_RF: Float32 | Floats, edges_FB: Floats) -> Floats:
    """Return each feature's share of rows by bin, [F, B + 2], the last of nulls; an edge belongs to the bin under it."""
    found = np.zeros((len(edges_FB), BINS + 1))
    for f, edges in enumerate(edges_FB):
        column = rows_RF[:, f]
        bins = np.where(np.isnan(column), BINS, np.searchsorted(edges, column, side="left"))
        found[f] = np.bincount(bins, minlength=BINS + 1) / len(rows_RF)
    return found


def index(now_FB: Floats, then_FB: Floats) -> Floats:
    """Return each feature's index, [F], of two `shares`; 0 is no difference."""
    now, then = np.maximum(now_FB, _EMPTY), np.maximum(then_FB, _EMPTY)
    return np.asarray(((now - then) * np.log(now / then)).sum(axis=1))
