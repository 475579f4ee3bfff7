"""Purged, expanding walk-forward: what may be learnt before each block of test sessions.

A label of session t and horizon h is decided at the close of t + h, so it may teach a model that is tested from session s on
only when t + h + embargo < s. `Labels.within` applies that rule; here stand the blocks. López de Prado 2018, ch. 7.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trader_pipeline.errors import InsufficientHistoryError, PreflightError
from trader_pipeline.models.examples import Examples, Labels
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.training.data import TrainingData
from trader_pipeline.training.recipes import Recipe

FOLDS = 3
FINAL = -1
"""Number of the fit on every known label."""
EMBARGO_SESSIONS = 20
"""Sessions left empty between the last decided training label and the test block, beyond the horizon itself."""
MINIMUM_TEST_SESSIONS = 60
LOOKBACK_SESSIONS = 252
"""Sessions before the longest features and betas are known."""
TAIL_SHARE = 0.2
"""Share of the training sessions that chooses penalties, rounds and epochs."""
MINIMUM_TAIL_SESSIONS = 141
_PURGE = max(HORIZONS_SESSIONS) + EMBARGO_SESSIONS
_LEAK = "a leak in the splits, report it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """A block of test sessions as positions [test_first, test_end) of the grid."""

    number: int
    test_first: int
    test_end: int


def required_sessions(recipe: Recipe) -> int:
    """Return how many sessions with at least two tickers the recipe needs."""
    return LOOKBACK_SESSIONS + recipe.training_sessions + _PURGE + FOLDS * MINIMUM_TEST_SESSIONS


def insufficient(recipe: Recipe, sessions: int) -> InsufficientHistoryError:
    """Return the error that says how much history is missing."""
    needed = required_sessions(recipe)
    return InsufficientHistoryError(
        f"features.panel holds {sessions} sessions with at least two tickers, the recipe {recipe.name!r} needs {needed} "
        f"({LOOKBACK_SESSIONS} look-back + {recipe.training_sessions} training + {_PURGE} purge + {FOLDS} x {MINIMUM_TEST_SESSIONS} test); "
        "bring a longer history",
        needed=needed,
        available=sessions,
    )


def folds(sessions: int, recipe: Recipe) -> tuple[Fold, ...]:
    """Return contiguous test blocks over about the last half of the sessions. Raises `InsufficientHistoryError`."""
    if sessions < required_sessions(recipe):
        raise insufficient(recipe, sessions)
    first = max(sessions // 2, LOOKBACK_SESSIONS + recipe.training_sessions + _PURGE)
    edges = [first + (sessions - first) * k // FOLDS for k in range(FOLDS + 1)]
    return tuple(Fold(number=k, test_first=edges[k], test_end=edges[k + 1]) for k in range(FOLDS))


def examples_before(
    data: TrainingData, end: int, sectors: dict[str, str], features: tuple[str, ...], *, embargo: int, window: int | None = None
) -> Examples:
    """Return what may be learnt from the sessions before position `end`: labels decided by then, the tail purged of the rest.

    `window` keeps the labels of as many sessions before `end` alone: rolling instead of expanding.
    """
    first = 0 if window is None else max(0, end - window)
    known = data.labels.until(end)
    tail_first = end - max(MINIMUM_TAIL_SESSIONS, int(TAIL_SHARE * (end - max(first, LOOKBACK_SESSIONS))))
    return Examples(
        grid=type(data.grid)(data.grid.tickers, data.grid.sessions[:end]),
        x_NTF=data.x_NTF[:, :end],
        features=features,
        sectors=sectors,
        fit=known.within(first, tail_first, embargo=embargo),
        tail=known.within(tail_first, end, embargo=embargo),
        every=known.within(first, end, embargo=embargo),
    )


def prove_temporal(examples: Examples, *, test_first: int, embargo: int) -> dict[str, list[int | None]]:
    """Return, by horizon, the sessions between the last label learnt from and the first session that must know nothing of it.

    Proven on the labels as they are, not on the rule that made them: from `fit` to the tail and from `tail` and `every` to the test
    block, each gap is longer than horizon + embargo. None where there is no label. Raises `PreflightError`.
    """
    sessions = examples.grid.sessions
    if len(sessions) > test_first:
        raise PreflightError("temporal_split", f"the features end on {sessions[-1]}, inside the test block; {_LEAK}")
    tail_T = _labelled(examples.tail).any(axis=1)
    tail_first = int(tail_T.argmax()) if tail_T.any() else test_first
    parts = {"fit": (examples.fit, tail_first), "tail": (examples.tail, test_first), "every": (examples.every, test_first)}
    gaps: dict[str, list[int | None]] = {name: [] for name in parts}
    for name, (part, boundary) in parts.items():
        for horizon, known_T in zip(HORIZONS_SESSIONS, _labelled(part).T, strict=True):
            last = int(np.flatnonzero(known_T)[-1]) if known_T.any() else None
            gaps[name].append(None if last is None else boundary - last)
            if last is not None and boundary - last <= horizon + embargo:
                said = f"{name} has the label of {sessions[last]} at {horizon} sessions, {boundary - last} before what must not know it"
                raise PreflightError("temporal_split", f"{said}; {horizon} + {embargo} of embargo must lie between; {_LEAK}")
    return gaps


def _labelled(labels: Labels) -> npt.NDArray[np.bool_]:
    """Return which sessions have a label of any ticker, [T, H]."""
    return np.asarray((np.isfinite(labels.score_NTH) | np.isfinite(labels.scaled_NTH)).any(axis=0))
