"""Recipes: which members a run trains, and how. A variation is a function that replaces fields of another recipe."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from trader_pipeline.models.examples import Examples
from trader_pipeline.models.linear import fit_ridge
from trader_pipeline.models.member import Member
from trader_pipeline.models.rules import RULES, fit_rule
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
    training_sessions: int = 485
    window_sessions: int | None = None
    """Learn from as many sessions before each block alone (rolling); None learns from all (expanding)."""


def _ridge(examples: Examples, context: FitContext) -> Member:  # noqa: ARG001 - fits share one signature; ridge needs no seed
    return fit_ridge(examples)


def _trees(examples: Examples, context: FitContext) -> Member:
    return fit_trees(examples, TreesConfig(), context.seed)


def _rule(name: str) -> MemberRecipe:
    def fit(examples: Examples, context: FitContext) -> Member:  # noqa: ARG001 - fits share one signature; a rule needs no seed
        return fit_rule(name, examples)

    return MemberRecipe(name=name, fit=fit)


def _network(name: str, **size: object) -> MemberRecipe:
    """Return a member of one kind; `size` replaces fields of its configuration."""

    def fit(examples: Examples, context: FitContext) -> Member:
        from trader_pipeline.models.network_member import NETWORKS  # noqa: PLC0415 - torch takes seconds to import
        from trader_pipeline.training.fit_network import fit_network  # noqa: PLC0415 - the same
        from trader_pipeline.training.optimisation import Optimisation  # noqa: PLC0415 - the same

        return fit_network(examples, context, NETWORKS[name][0](**size), Optimisation())

    return MemberRecipe(name=name, fit=fit)


LADDER: dict[str, dict[str, int]] = {
    "panel_former_1m": {},
    "panel_former_25m": {"width": 512, "heads": 8, "key_value_heads": 4, "blocks": 7, "window_sessions": 64},
    "panel_former_100m": {"width": 768, "heads": 12, "key_value_heads": 4, "blocks": 14, "window_sessions": 128},
    "panel_former_500m": {"width": 1536, "heads": 24, "key_value_heads": 4, "blocks": 18, "window_sessions": 256},
}
"""Fields of PanelFormer's configuration by recipe: a million weights on a CPU, 25 on one GPU, 500 on several."""


def _single(member: MemberRecipe, name: str | None = None) -> Callable[[], Recipe]:
    def recipe() -> Recipe:
        """Return the member alone."""
        return Recipe(name=name or member.name, members=(member,))

    return recipe


def ridge() -> Recipe:
    """Return the linear baseline alone."""
    return Recipe(name="ridge", members=(MemberRecipe(name="ridge", fit=_ridge),))


def classic() -> Recipe:
    """Return ridge and LightGBM."""
    return Recipe(name="classic", members=(*ridge().members, MemberRecipe(name="lightgbm", fit=_trees)))


def classic_rolling() -> Recipe:
    """Return the same on the five years before each block alone: what forgetting costs or gains."""
    return replace(classic(), name="classic_rolling", window_sessions=5 * 252)


def baselines() -> Recipe:
    """Return what any trained network must beat: rules of the thumb, ridge and LightGBM."""
    return Recipe(name="baselines", members=(*(_rule(name) for name in RULES), *classic().members))


def three_members() -> Recipe:
    """Return ridge, LightGBM and a PanelFormer of about a million weights."""
    return Recipe(name="three_members", members=(*classic().members, _network("panel_former")))


RECIPES: dict[str, Callable[[], Recipe]] = {
    **{recipe.__name__: recipe for recipe in (ridge, classic, classic_rolling, baselines, three_members)},
    **{name: _single(_network(name)) for name in ("gru", "patch_tst", "i_transformer")},
    **{name: _single(_network("panel_former", **size), name) for name, size in LADDER.items()},
}
"""Every recipe by name."""
