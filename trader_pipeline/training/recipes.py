"""Recipes: which members a run trains, and how. A variation is a function that replaces fields of another recipe."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trader_pipeline.models.examples import Examples
from trader_pipeline.models.linear import fit_ridge
from trader_pipeline.models.member import Member
from trader_pipeline.models.trees import TreesConfig, fit_trees

Report = Callable[[Mapping[str, object]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitContext:
    """What a fit may know beside its examples. `epochs_of_folds` collects what earlier folds chose, for the final fit to reuse."""

    seed: int
    fold: int
    report: Report
    scratch: Path
    epochs_of_folds: dict[str, list[int]] = field(default_factory=dict)
    profile: Path | None = None
    """Folder for traces of a few steps; none without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRecipe:
    """One member and the function that fits it."""

    name: str
    fit: Callable[[Examples, FitContext], Member]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A named set of members. `training_sessions` is the least that the first fold must have to learn from."""

    name: str
    members: tuple[MemberRecipe, ...]
    training_sessions: int = 500


def _ridge(examples: Examples, context: FitContext) -> Member:  # noqa: ARG001 - fits share one signature; ridge needs no seed
    return fit_ridge(examples)


def _trees(examples: Examples, context: FitContext) -> Member:
    return fit_trees(examples, TreesConfig(), context.seed)


def _panel_former_1m(examples: Examples, context: FitContext) -> Member:
    from trader_pipeline.models.panel_former import PanelFormerConfig  # noqa: PLC0415 - torch takes seconds to import
    from trader_pipeline.training.fit_panel_former import fit_panel_former  # noqa: PLC0415 - the same
    from trader_pipeline.training.optimisation import Optimisation  # noqa: PLC0415 - the same

    return fit_panel_former(examples, context, PanelFormerConfig(columns=0), Optimisation())


def ridge() -> Recipe:
    """Return the linear baseline alone."""
    return Recipe(name="ridge", members=(MemberRecipe(name="ridge", fit=_ridge),))


def classic() -> Recipe:
    """Return ridge and LightGBM."""
    return Recipe(name="classic", members=(*ridge().members, MemberRecipe(name="lightgbm", fit=_trees)))


def three_members() -> Recipe:
    """Return ridge, LightGBM and a PanelFormer of about a million weights."""
    return Recipe(name="three_members", members=(*classic().members, MemberRecipe(name="panel_former", fit=_panel_former_1m)))


RECIPES: dict[str, Callable[[], Recipe]] = {"ridge": ridge, "classic": classic, "three_members": three_members}
"""Every recipe by name."""
