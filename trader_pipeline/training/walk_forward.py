"""Every member of a recipe: fitted before each test block and asked about it, then fitted on all that is known."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from trader_pipeline.measures import balanced_accuracy
from trader_pipeline.models.examples import Examples
from trader_pipeline.models.forecast import Forecast, present
from trader_pipeline.models.member import Member
from trader_pipeline.panel import Grid
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.training import finished, launch
from trader_pipeline.training.data import TrainingData
from trader_pipeline.training.diagnosis import diagnose
from trader_pipeline.training.importance import importance
from trader_pipeline.training.preflight_data import class_balance, drift, drifted, require_finite, require_finite_forecast
from trader_pipeline.training.recipes import FitContext, MemberRecipe, Recipe, Report
from trader_pipeline.training.request import TrainingRequest
from trader_pipeline.training.splits import EMBARGO_SESSIONS, FINAL, FOLDS, Fold, examples_before, folds, prove_temporal


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """What one member said of one test block."""

    model: str
    fold: Fold
    forecast: Forecast


@dataclass(frozen=True, eq=False)
class Walk:
    """All out-of-fold forecasts, and the members of the final fit."""

    out_of_fold: list[OutOfFold]
    members: list[Member]


def walk(data: TrainingData, recipe: Recipe, request: TrainingRequest, report: Report, scratch: Path) -> Walk:
    """Check the data of every fold, then fit and ask every member. Raises `InsufficientHistoryError`, `PreflightError`."""
    blocks, window = folds(len(data.grid.sessions), recipe), recipe.window_sessions
    asked = FitContext(
        seed=request.seed, fold=FINAL, report=report, scratch=scratch, skip_preflight=request.skip_preflight, profile=request.profile_folder
    )
    for block in blocks:
        _check_data(data, request, replace(asked, fold=block.number), end=block.test_first, embargo=EMBARGO_SESSIONS, window=window)
    _check_data(data, request, asked, end=len(data.grid.sessions), embargo=0, window=window)
    answers, members = list[OutOfFold](), []
    for member in recipe.members:
        told: list[Mapping[str, Any]] = []

        def tell(event: Mapping[str, Any], told: list[Mapping[str, Any]] = told) -> None:
            told.append(event)
            report(event)

        walked = replace(asked, report=tell, epochs_of_folds={})
        for answer in out_of_fold(data, member, blocks, request, walked, window=window):
            tell(_diagnosis(answer, data, told))
            answers.append(answer)
        end = len(data.grid.sessions)
        members.append(_fit(data, member, request, replace(walked, profile=None), end=end, embargo=0, window=window))
        _ask(members[-1], data, Fold(number=FINAL, test_first=end - 1, test_end=end), request.sectors, walked)
    return Walk(answers, members)


def out_of_fold(
    data: TrainingData,
    member: MemberRecipe,
    blocks: Sequence[Fold],
    request: TrainingRequest,
    context: FitContext,
    *,
    window: int | None = None,
) -> Iterator[OutOfFold]:
    """Fit the member before each block, in `context` but for the fold, and yield what it says about the block."""
    for block in blocks:
        own = replace(context, fold=block.number)
        fitted = _fit(data, member, request, own, end=block.test_first, embargo=EMBARGO_SESSIONS, window=window)
        yield OutOfFold(member.name, block, _ask(fitted, data, block, request.sectors, own))


def direction_accuracy(answer: OutOfFold, data: TrainingData, h: int) -> float:
    """Return the balanced accuracy of the sign of the expected return in the test block; NaN unless labels go both ways."""
    label_TN = data.labels.scaled_NTH[:, answer.fold.test_first : answer.fold.test_end, h].T
    return balanced_accuracy(answer.forecast.scaled_mean_TNH[:, :, h], label_TN)


def _diagnosis(answer: OutOfFold, data: TrainingData, told: list[Mapping[str, Any]]) -> dict[str, object]:
    """Return the event that says what became of a fold."""
    own = [event for event in told if event.get("fold") == answer.fold.number and event.get("model") == answer.model]
    ten = [event["overfit_ten_left"] for event in told if event["event"] == "preflight" and "overfit_ten_left" in event]
    score_TNH = answer.forecast.score_TNH
    accuracy = [direction_accuracy(answer, data, h) for h in range(len(HORIZONS_SESSIONS))]
    says = diagnose(
        [event for event in own if event["event"] == "epoch"],
        learnt_ten=ten[0] is not None if ten else None,
        balanced_accuracy=accuracy,
        score_spread=float(np.nanstd(score_TNH)) if np.isfinite(score_TNH).any() else None,
    )
    shares = [None if np.isnan(share) else share for share in accuracy]
    return {"event": "diagnosis", "model": answer.model, "fold": answer.fold.number, "says": says, "balanced_accuracy": shares}


def _fit(
    data: TrainingData, member: MemberRecipe, request: TrainingRequest, context: FitContext, *, end: int, embargo: int, window: int | None
) -> Member:
    first, last = str(data.grid.sessions[0]), str(data.grid.sessions[end - 1])
    facts: dict[str, object] = {"model": member.name, "fold": context.fold}
    kept = context.scratch / f"{member.name}-fold{context.fold}-done"
    if (done := finished.load(kept, context)) is not None:
        return done
    context.report({"event": "fit_start", **facts, "first_session": first, "last_session": last})
    began = time.perf_counter()
    with finished.noting(context) as (noting, events):
        learnt = examples_before(data, end, request.sectors, request.features, embargo=embargo, window=window)
        learnt = replace(learnt, families=request.families)
        fitted = member.fit(learnt, noting)
        if member.learns and context.fold == FOLDS - 1 and launch.is_first():
            _tell_importance(fitted, learnt, member, noting)
    context.report({"event": "fit_end", **facts, "seconds": round(time.perf_counter() - began, 3)})
    if launch.is_first():
        finished.save(kept, fitted, context, events)
    return fitted


def _check_data(data: TrainingData, request: TrainingRequest, context: FitContext, *, end: int, embargo: int, window: int | None) -> None:
    """Check what every member of a fold will see, and tell what was found."""
    learnt, name = examples_before(data, end, request.sectors, request.features, embargo=embargo, window=window), "data"
    context.preflight(name, lambda: require_finite(learnt))
    drift_of = drift(learnt)
    context.report(
        {
            "event": "preflight",
            "model": name,
            "fold": context.fold,
            "gap_sessions": context.preflight(name, lambda: prove_temporal(learnt, test_first=end, embargo=embargo)),
            "drifted": drifted(drift_of),
            "class_balance": context.preflight(name, lambda: class_balance(learnt)),
            "drift": drift_of,
        }
    )


def _tell_importance(fitted: Member, learnt: Examples, member: MemberRecipe, context: FitContext) -> None:
    """Ask what each feature is worth to a fit that did not see the tail; say so where that would cost too much."""
    if member.sees_tail:
        fitted = member.fit(replace(learnt, every=learnt.fit), replace(context, report=lambda _: None))
    found = importance(fitted, learnt, seed=context.seed)
    rows = [asdict(one) | {"may_go": one.may_go} for one in found]
    drop_list = [name for one in found if one.may_go for name in one.features]
    said = {"drop_list_clean": "in the newest fold alone: earlier ones are tested on sessions that it was drawn up on"}
    said |= {} if found else {"why": "the tail is too short, or the network too large for the budget of one answer"}
    context.report({"event": "importance", "model": member.name, "fold": context.fold, "drop_list": drop_list, "rows": rows} | said)


def _ask(member: Member, data: TrainingData, block: Fold, sectors: dict[str, str], context: FitContext) -> Forecast:
    """Return the forecast of the block's sessions, from no session after them, once it is known to be finite."""
    first = max(0, block.test_first + 1 - member.context_sessions)
    grid = Grid(data.grid.tickers, data.grid.sessions[first : block.test_end])
    forecast = member.predict(data.x_NTF[:, first : block.test_end], grid, sectors)
    own = forecast.sessions(block.test_first - first, block.test_end - first)
    here_NT = present(data.x_NTF[:, block.test_first : block.test_end])
    context.preflight(member.name, lambda: require_finite_forecast(member.name, own, here_NT.T))
    return own
