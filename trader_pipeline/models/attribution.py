"""Why a member said what it said: a base value and one contribution a feature, which sum to the score.

Legend: N tickers, H horizons, F features, P prepared columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

NULL_SUFFIX = " is null"


@dataclass(frozen=True, eq=False, kw_only=True)
class Attribution:
    """One session's scores taken apart: score = base + sum of parts + error, in the member's own units; NaN where not explained.

    `centred` says that `parts_NHF` are known of every ticker that has a score, so that they may be told from the session's mean.
    """

    method: str
    base_NH: Floats
    parts_NHF: Floats
    error_NH: Floats
    centred: bool = True


def attribution(method: str, score_NH: npt.ArrayLike, base_NH: Floats, parts_NHF: Floats, *, centred: bool = True) -> Attribution:
    """Return the attribution with the error that its sum leaves."""
    error_NH = np.asarray(score_NH, np.float64) - base_NH - parts_NHF.sum(axis=-1)
    return Attribution(method=method, base_NH=base_NH, parts_NHF=parts_NHF, error_NH=error_NH, centred=centred)


def folded(parts: Floats, columns: Sequence[str], features: Sequence[str]) -> Floats:
    """Return contributions [..., P] of prepared columns as those of the features [..., F]: "x is null" counts for x."""
    place = {name: f for f, name in enumerate(features)}
    out = np.zeros((*parts.shape[:-1], len(features)))
    for p, name in enumerate(columns):
        out[..., place[name.removesuffix(NULL_SUFFIX)]] += parts[..., p]
    return out
