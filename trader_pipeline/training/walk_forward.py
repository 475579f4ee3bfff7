"""Every member of a recipe: fitted before each test block and asked about it, then fitted on all that is known."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from trader_pipeline.models.forecast import Forecast
from trader_pipeline.models.member import Member
from trader_pipeline.panel import Grid
from trader_pipeline.training import finished, launch
from trader_pipeline.training.data import TrainingData
from trader_pipeline.training.recipes import FitContext, MemberRecipe, Recipe, Report
from trader_pipeline.training.request import TrainingRequest
from trader_pipeline.training.splits import EMBARGO_SESSIONS, FINAL, Fold, examples_before, folds


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
    """Fit and ask every member. Raises `InsufficientHistoryError` before the first fit."""
    blocks = folds(len(data.grid.sessions), recipe)
    out_of_fold, members = [], []
    for member in recipe.members:
        epochs: dict[str, list[int]] = {}
        for block in blocks:
            context = FitContext(
                seed=request.seed, fold=block.number, report=report, scratch=scratch, epochs_of_folds=epochs, profile=request.profile_folder
            )
            fitted = _fit(data, member, request, context, end=block.test_first, embargo=EMBARGO_SESSIONS, window=recipe.window_sessions)
            out_of_fold.append(OutOfFold(member.name, block, _ask(fitted, data, block, request.sectors)))
        context = FitContext(seed=request.seed, fold=FINAL, report=report, scratch=scratch, epochs_of_folds=epochs)
        members.append(_fit(data, member, request, context, end=len(data.grid.sessions), embargo=0, window=recipe.window_sessions))
    return Walk(out_of_fold, members)


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
        fitted = member.fit(replace(learnt, families=request.families), noting)
    context.report({"event": "fit_end", **facts, "seconds": round(time.perf_counter() - began, 3)})
    if launch.is_first():
        finished.save(kept, fitted, context, events)
    return fitted


def _ask(member: Member, data: TrainingData, block: Fold, sectors: dict[str, str]) -> Forecast:
    """Return the forecast of the block's sessions, from no session after them."""
    first = max(0, block.test_first + 1 - member.context_sessions)
    grid = Grid(data.grid.tickers, data.grid.sessions[first : block.test_end])
    forecast = member.predict(data.x_NTF[:, first : block.test_end], grid, sectors)
    return forecast.sessions(block.test_first - first, block.test_end - first)
