"""Recipes: which members a run trains, and how. A variation is a function that replaces fields of another recipe."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from trader_pipeline.models.examples import Examples
from trader_pipeline.models.linear import fit_ridge
from trader_pipeline.models.member import Member
from trader_pipeline.models.rules import RULES, fit_rule
from trader_pipeline.models.seeded import named, seeded_name
from trader_pipeline.models.trees import TreesConfig, fit_trees

SEED_STEP = 1000
"""Between the seeds of one member, so that runs whose seeds lie side by side share none."""
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
    random: bool = True
    """Whether another seed makes another member."""


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


def _rule(name: str) -> MemberRecipe:
    def fit(examples: Examples, context: FitContext) -> Member:  # noqa: ARG001 - fits share one signature; a rule needs no seed
        return fit_rule(name, examples)

    return MemberRecipe(name=name, fit=fit, random=False)


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
    return Recipe(name="ridge", members=(MemberRecipe(name="ridge", fit=_ridge, random=False),))


def classic() -> Recipe:
    """Return ridge and LightGBM."""
    return Recipe(name="classic", members=(*ridge().members, MemberRecipe(name="lightgbm", fit=_trees)))


def baselines() -> Recipe:
    """Return what any trained network must beat: rules of the thumb, ridge and LightGBM."""
    return Recipe(name="baselines", members=(*(_rule(name) for name in RULES), *classic().members))


def three_members() -> Recipe:
    """Return ridge, LightGBM and a PanelFormer of about a million weights."""
    return Recipe(name="three_members", members=(*classic().members, _network("panel_former")))


def seeded(recipe: Recipe, name: str, seeds: int) -> Recipe:
    """Return the recipe with `seeds` of each member that another seed changes."""
    members = [_reseeded(member, k) for member in recipe.members for k in range(seeds if member.random else 1)]
    return replace(recipe, name=name, members=tuple(members))


def _reseeded(member: MemberRecipe, number: int) -> MemberRecipe:
    if number == 0:
        return member
    name = seeded_name(member.name, number)

    def fit(examples: Examples, context: FitContext) -> Member:
        def report(event: Mapping[str, object]) -> None:
            context.report({**event, "model": name} if "model" in event else event)

        own = replace(
            context,
            seed=context.seed + SEED_STEP * number,
            scratch=context.scratch / name,
            profile=context.profile and context.profile / name,
            report=report,
        )
        return named(member.fit(examples, own), name)

    return MemberRecipe(name=name, fit=fit)


def ensemble() -> Recipe:
    """Return ridge, and three seeds each of LightGBM and of a PanelFormer of about a million weights."""
    return seeded(three_members(), "ensemble", 3)


RECIPES: dict[str, Callable[[], Recipe]] = {
    **{recipe.__name__: recipe for recipe in (ridge, classic, baselines, three_members, ensemble)},
    **{name: _single(_network(name)) for name in ("gru", "patch_tst", "i_transformer")},
    **{name: _single(_network("panel_former", **size), name) for name, size in LADDER.items()},
}
"""Every recipe by name."""
