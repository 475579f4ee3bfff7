"""What became of a fit, in one sentence: from its losses by epoch, the preflight and the balanced accuracy out of fold."""

import math
from collections.abc import Mapping, Sequence

from trader_pipeline.schema.columns import HORIZONS_SESSIONS

_PLATEAU = 0.001
"""Share of the first epoch's training loss that must be learnt in all later ones."""
_STUCK = 0.01
"""Balanced accuracy this near to one half is none."""


def diagnose(
    epochs: Sequence[Mapping[str, float | int | None]],
    *,
    learnt_ten: bool | None = None,
    balanced_accuracy: Sequence[float] = (),
    score_spread: float | None = None,
) -> str:
    """Return the sentence. `epochs` hold train_loss and validation_loss, none for a fit that has no epochs.

    `learnt_ten` says whether ten labels could be learnt by heart, None where that was not tried; `balanced_accuracy` [H] is NaN where
    there is no label; `score_spread` is the standard deviation of the scores.
    """
    if learnt_ten is False:
        return "it could not learn ten labels by heart: capacity or a bug; mend the network before you look at the data"
    parts = [part for part in (_course(epochs, learnt_ten=learnt_ten), _direction(balanced_accuracy)) if part]
    if score_spread == 0:
        parts.insert(0, "every ticker gets the same score: it found nothing that tells them apart")
    return "; ".join(parts)


def _course(epochs: Sequence[Mapping[str, float | int | None]], *, learnt_ten: bool | None) -> str:
    if not epochs:
        return ""
    losses = [(a, b) for e in epochs if (a := e["train_loss"]) is not None and (b := e["validation_loss"]) is not None]
    if len(losses) < len(epochs):
        return f"{len(epochs) - len(losses)} of {len(epochs)} epochs have no finite loss: the incidents name the inputs"
    if len(losses) == 1:
        return "one epoch is too few to see a course"
    train, validation = [loss for loss, _ in losses], [loss for _, loss in losses]
    learnt = (train[0] - min(train)) / max(abs(train[0]), 1e-8)
    best = validation.index(min(validation))
    if learnt < _PLATEAU:
        said = f"plateau at once: {len(epochs)} epochs took {learnt:.2%} off the training loss"
        return f"{said}; try another learning rate, or inputs that say something"
    if best == 0:
        sound = "it can learn ten labels by heart" if learnt_ten else "training goes on to fall"
        return f"{sound}, and validation was best after the first epoch: regularisation or data, not capacity"
    after = "then it overfits" if best < len(epochs) - 1 else "and may fall further"
    return f"validation was best after epoch {best} of 0 to {len(epochs) - 1}, {after}"


def _direction(balanced_accuracy: Sequence[float]) -> str:
    known = {h: value for h, value in zip(HORIZONS_SESSIONS, balanced_accuracy, strict=False) if not math.isnan(value)}
    if not known:
        return ""
    said = ", ".join(f"{value:.1%} at {horizon}" for horizon, value in known.items())
    if all(abs(value - 0.5) < _STUCK for value in known.values()):
        return f"its direction is stuck at 50 % (balanced accuracy {said} sessions): no better than a coin"
    return f"balanced accuracy {said} sessions"
