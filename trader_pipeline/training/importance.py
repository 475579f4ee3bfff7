"""What a member's forecasts lose when one feature tells nothing: permutation importance on the validation tail (Breiman 2001).

Values are exchanged between the tickers of a session, so that the market's level stays; what never differs between tickers is
exchanged between sessions. The loss is that of the score, squared, and of the quantiles (pinball, twice), the mean over horizons.
Legend: N tickers, T sessions, F features, H horizons, Q quantile levels.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trader_pipeline.models.examples import Examples, Labels
from trader_pipeline.models.forecast import Forecast, present
from trader_pipeline.models.member import Member
from trader_pipeline.panel import Grid
from trader_pipeline.schema.quantiles import QUANTILES

Float32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

BUDGET = 2e11
"""Multiplications that one answer may cost, about 10 s of one core. Sessions are left out to keep it; below 20 nothing is asked."""
_SINGLY = 64
"""Up to so many features each is asked alone, beyond it the families."""
_TICKERS, _SESSIONS, _LEAST_SESSIONS = 64, 126, 20
_REPEATS = 2
_BLOCKS = 10
"""Stretches of consecutive sessions whose means tell the noise: neighbouring labels share most of their holding periods."""
_NOISES = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """How much the loss rises when what `name` stands for is permuted, and the standard error of that."""

    name: str
    features: tuple[str, ...]
    increase: float
    noise: float

    @property
    def may_go(self) -> bool:
        """Whether the forecasts do without: the rise is no more than two standard errors."""
        return self.increase <= _NOISES * self.noise


def importance(member: Member, examples: Examples, *, seed: int) -> list[Importance]:
    """Return the importance of each feature, or of each family where there are many, largest first; nothing where the budget is too small.

    The member must not have learnt from the tail. `seed` draws the permutations.
    """
    units = _units(examples.features, examples.families)
    sample = _sample(examples, member, len(units))
    if sample is None:
        return []
    rng = np.random.default_rng(seed)
    before_T = _loss(_asked(member, sample, sample.x_NTF), sample)
    found = []
    for name, columns in units.items():
        after_T = sum(_loss(_asked(member, sample, _permuted(sample.x_NTF, columns, rng)), sample) for _ in range(_REPEATS)) / _REPEATS
        rise_T = (after_T - before_T)[np.isfinite(before_T)]
        means = np.array([part.mean() for part in np.array_split(rise_T, _BLOCKS)])
        names = tuple(examples.features[f] for f in columns)
        noise = float(means.std(ddof=1) / np.sqrt(_BLOCKS))
        found.append(Importance(name=name, features=names, increase=float(rise_T.mean()), noise=noise))
    return sorted(found, key=lambda one: -one.increase)


@dataclass(frozen=True, eq=False)
class _Sample:
    """A piece of the panel whose last sessions are the tail's, and the labels of those."""

    grid: Grid
    x_NTF: Float32
    sectors: Mapping[str, str]
    score_THN: Float32
    scaled_THN: Float32


def _units(features: tuple[str, ...], families: Mapping[str, str]) -> dict[str, list[int]]:
    units: dict[str, list[int]] = {}
    for f, name in enumerate(features):
        unit = name if len(features) <= _SINGLY else families.get(name, name)
        units.setdefault(unit, []).append(f)
    return units


def _sample(examples: Examples, member: Member, units: int) -> _Sample | None:
    """Return the newest sessions of the tail, of evenly spaced tickers, as many as the budget allows; None below the least."""
    labelled_NT = np.asarray(np.isfinite(examples.tail.score_NTH).any(axis=2))
    known_T = np.flatnonzero(labelled_NT.any(axis=0))
    own_N = np.flatnonzero(labelled_NT.any(axis=1))
    own_N = own_N[:: max(1, -(-len(own_N) // _TICKERS))]
    context = member.context_sessions - 1
    affordable = int(BUDGET / max(1, member.weights * units * _REPEATS * len(own_N))) - context
    if min(len(known_T), affordable) < _LEAST_SESSIONS:
        return None
    first, end = int(known_T[-min(len(known_T), affordable, _SESSIONS)]), int(known_T[-1]) + 1
    start = max(0, first - context)
    tail = Labels(*(labels[own_N, first:end] for labels in (examples.tail.score_NTH, examples.tail.scaled_NTH)))
    tickers = tuple(examples.grid.tickers[n] for n in own_N.tolist())
    return _Sample(
        Grid(tickers, examples.grid.sessions[start:end]),
        examples.x_NTF[own_N, start:end],
        examples.sectors,
        tail.score_NTH.transpose(1, 2, 0),
        tail.scaled_NTH.transpose(1, 2, 0),
    )


def _asked(member: Member, sample: _Sample, x_NTF: Float32) -> Forecast:
    sessions = len(sample.grid.sessions)
    return member.predict(x_NTF, sample.grid, sample.sectors).sessions(sessions - len(sample.score_THN), sessions)


def _loss(forecast: Forecast, sample: _Sample) -> Floats:
    """Return the mean loss of each session [T], NaN where none can be told."""
    squared = (forecast.score_TNH.swapaxes(1, 2) - sample.score_THN) ** 2
    off_THNQ = sample.scaled_THN[..., None] - forecast.scaled_quantiles_TNHQ.swapaxes(1, 2)
    levels = np.array(QUANTILES)
    pinball = 2 * np.maximum(levels * off_THNQ, (levels - 1) * off_THNQ).mean(axis=-1)
    cost_TX = np.concatenate([squared, pinball], axis=1).reshape(len(squared), -1).astype(np.float64)
    known_TX = np.isfinite(cost_TX)
    count_T = known_TX.sum(axis=1)
    return np.where(count_T > 0, np.where(known_TX, cost_TX, 0.0).sum(axis=1) / np.maximum(count_T, 1), np.nan)


def _permuted(x_NTF: Float32, columns: list[int], rng: np.random.Generator) -> Float32:
    """Return a copy whose `columns` changed hands between the tickers that are present; the columns of a family go together."""
    here_NT = present(x_NTF)
    changed = x_NTF.copy()
    own = x_NTF[:, :, columns]
    known = here_NT[..., None] & ~np.isnan(own)
    low, high = np.where(known, own, np.inf).min(axis=0), np.where(known, own, -np.inf).max(axis=0)
    shared = ~(low < high).any(axis=0)
    between_tickers, between_sessions = (np.array(columns)[which] for which in (~shared, shared))
    for here_N, x_NF, changed_NF in zip(here_NT.T, x_NTF.swapaxes(0, 1), changed.swapaxes(0, 1), strict=True):
        there = np.flatnonzero(here_N)
        changed_NF[np.ix_(there, between_tickers)] = x_NF[np.ix_(rng.permutation(there), between_tickers)]
    level_TS = np.where(np.isfinite(high), high, np.nan)[rng.permutation(x_NTF.shape[1])][:, shared]
    changed[:, :, between_sessions] = np.where(here_NT[..., None], level_TS, own[:, :, shared])
    return changed
