"""Recipes: which members a run trains, and how. A variation replaces fields of another recipe: `varied`."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from trader_pipeline.errors import PreflightError
from trader_pipeline.models.examples import Examples
from trader_pipeline.models.linear import PENALTIES, fit_ridge
from trader_pipeline.models.member import Member
from trader_pipeline.models.rules import RULES, fit_rule
from trader_pipeline.models.seeded import named, seeded_name
from trader_pipeline.models.trees import TreesConfig, fit_trees

SEED_STEP = 1000
"""Between the seeds of one member, so that runs whose seeds lie side by side share none."""
Report = Callable[[Mapping[str, object]], None]
Result = TypeVar("Result")


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
    skip_preflight: bool = False
    """Whether a check that fails is told instead of raised."""

    def preflight(self, model: str, check: Callable[[], Result]) -> Result | None:
        """Return what the check finds; None where it fails and the run goes on all the same. Raises `PreflightError` otherwise."""
        try:
            return check()
        except PreflightError as error:
            if error.final or not self.skip_preflight:
                raise
            self.report({"event": "preflight_overridden", "model": model, "fold": self.fold, "check": error.check, "said": str(error)})
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRecipe:
    """One member and the function that fits it.

    `learns` says whether it has features to choose from, whose importance can be asked. One that `sees_tail` is refitted on every
    label before it is returned, so that its importance is asked of a fit without the tail. A `random` one is another with another seed.
    """

    name: str
    fit: Callable[[Examples, FitContext], Member]
    learns: bool = True
    sees_tail: bool = False
    random: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFit:
    """How a network is fitted: what differs from the defaults in its configuration and in its `Optimisation`, field by field."""

    kind: str
    size: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, examples: Examples, context: FitContext) -> Member:
        """Train it."""
        from trader_pipeline.models.network_member import NETWORKS  # noqa: PLC0415 - torch takes seconds to import
        from trader_pipeline.training.fit_network import fit_network  # noqa: PLC0415 - the same
        from trader_pipeline.training.optimisation import optimisation_of  # noqa: PLC0415 - the same

        return fit_network(examples, context, NETWORKS[self.kind][0](**self.size), optimisation_of(self.training))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A named set of members. `training_sessions` is the least that the first fold must have to learn from.

    `exclude_features` are left out of the panel: `training.importance` proposes some. It was asked on the newest fold's validation tail,
    which lies in the test sessions of earlier folds: of a recipe that leaves those out, the newest fold alone is judged untouched by it.
    """

    name: str
    members: tuple[MemberRecipe, ...]
    training_sessions: int = 485
    exclude_features: tuple[str, ...] = ()
    window_sessions: int | None = None
    """Learn from as many sessions before each block alone (rolling); None learns from all (expanding)."""


def varied(recipe: Recipe, name: str, *, size: Mapping[str, Any] | None = None, training: Mapping[str, Any] | None = None) -> Recipe:
    """Return the recipe under another name, with these fields of its networks replaced; what is no network stays."""

    def changed(member: MemberRecipe) -> MemberRecipe:
        fit = member.fit
        if not isinstance(fit, NetworkFit):
            return member
        return replace(member, fit=replace(fit, size={**fit.size, **(size or {})}, training={**fit.training, **(training or {})}))

    return replace(recipe, name=name, members=tuple(map(changed, recipe.members)))


def _ridge(examples: Examples, context: FitContext) -> Member:
    context.report({"event": "settings", "model": "ridge", "fold": context.fold, "penalties": PENALTIES})
    return fit_ridge(examples)


def _trees(examples: Examples, context: FitContext) -> Member:
    config = TreesConfig()
    context.report({"event": "settings", "model": "lightgbm", "fold": context.fold, "config": asdict(config)})
    return fit_trees(examples, config, context.seed)


def _rule(name: str) -> MemberRecipe:
    def fit(examples: Examples, context: FitContext) -> Member:  # noqa: ARG001 - fits share one signature; a rule needs no seed
        return fit_rule(name, examples)

    return MemberRecipe(name=name, fit=fit, learns=False, random=False)


LADDER: dict[str, dict[str, int]] = {
    "panel_former_1m": {},
    "panel_former_25m": {"width": 512, "heads": 8, "key_value_heads": 4, "blocks": 7, "window_sessions": 64},
    "panel_former_100m": {"width": 768, "heads": 12, "key_value_heads": 4, "blocks": 14, "window_sessions": 128},
    "panel_former_500m": {"width": 1536, "heads": 24, "key_value_heads": 4, "blocks": 18, "window_sessions": 256},
}
"""Fields of PanelFormer's configuration by recipe: a million weights on a CPU, 25 on one GPU, 500 on several."""

_A_GPU: dict[str, Any] = {"rows_per_step": 65_536}
TRAINING: dict[str, dict[str, Any]] = {
    "panel_former_1m": {},
    "panel_former_25m": _A_GPU | {"learning_rate": 5e-4},
    "panel_former_100m": _A_GPU | {"learning_rate": 3e-4},
    "panel_former_500m": _A_GPU | {"learning_rate": 2e-4, "compute": {"shard": True}},
}
"""Fields of their `Optimisation`: the rate falls with the width, as is usual (Brown et al. 2020, table 2.1), and was not tuned here.

Where one rank trains alone `shard` splits nothing.
"""


def network(kind: str) -> Recipe:
    """Return a network of that kind alone, as its defaults have it."""
    return Recipe(name=kind, members=(MemberRecipe(name=kind, fit=NetworkFit(kind=kind)),))


def rung(name: str) -> Recipe:
    """Return the PanelFormer of that name on the ladder."""
    return varied(network("panel_former"), name, size=LADDER[name], training=TRAINING[name])


def ridge() -> Recipe:
    """Return the linear baseline alone."""
    return Recipe(name="ridge", members=(MemberRecipe(name="ridge", fit=_ridge, sees_tail=True, random=False),))


def classic() -> Recipe:
    """Return ridge and LightGBM."""
    return Recipe(name="classic", members=(*ridge().members, MemberRecipe(name="lightgbm", fit=_trees, sees_tail=True)))


def classic_rolling() -> Recipe:
    """Return the same on the five years before each block alone: what forgetting costs or gains."""
    return replace(classic(), name="classic_rolling", window_sessions=5 * 252)


def baselines() -> Recipe:
    """Return what any trained network must beat: rules of the thumb, ridge and LightGBM."""
    return Recipe(name="baselines", members=(*(_rule(name) for name in RULES), *classic().members))


def three_members() -> Recipe:
    """Return ridge, LightGBM and a PanelFormer of about a million weights."""
    return Recipe(name="three_members", members=(*classic().members, *network("panel_former").members))


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

    return replace(member, name=name, fit=fit)


def ensemble() -> Recipe:
    """Return ridge, and three seeds each of LightGBM and of a PanelFormer of about a million weights."""
    return seeded(three_members(), "ensemble", 3)


RECIPES: dict[str, Callable[[], Recipe]] = {
    **{recipe.__name__: recipe for recipe in (ridge, classic, classic_rolling, baselines, three_members, ensemble)},
    **{kind: partial(network, kind) for kind in ("gru", "patch_tst", "i_transformer")},
    **{name: partial(rung, name) for name in LADDER},
}
"""Every recipe by name."""
