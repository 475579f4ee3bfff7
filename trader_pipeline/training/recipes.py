"""Recipes: which members a run trains, and how. A variation is a function that replaces fields of another recipe."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from trader_pipeline.errors import PreflightError
from trader_pipeline.models.examples import Examples
from trader_pipeline.models.linear import PENALTIES, fit_ridge
from trader_pipeline.models.member import Member
from trader_pipeline.models.rules import RULES, fit_rule
from trader_pipeline.models.trees import TreesConfig, fit_trees

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
    label before it is returned, so that its importance is asked of a fit without the tail.
    """

    name: str
    fit: Callable[[Examples, FitContext], Member]
    learns: bool = True
    sees_tail: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A named set of members. `training_sessions` is the least that the first fold must have to learn from.

    `exclude_features` are left out of the panel: `training.importance` proposes some.
    """

    name: str
    members: tuple[MemberRecipe, ...]
    training_sessions: int = 500
    exclude_features: tuple[str, ...] = ()


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

    return MemberRecipe(name=name, fit=fit, learns=False)


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
    return Recipe(name="ridge", members=(MemberRecipe(name="ridge", fit=_ridge, sees_tail=True),))


def classic() -> Recipe:
    """Return ridge and LightGBM."""
    return Recipe(name="classic", members=(*ridge().members, MemberRecipe(name="lightgbm", fit=_trees, sees_tail=True)))


def baselines() -> Recipe:
    """Return what any trained network must beat: rules of the thumb, ridge and LightGBM."""
    return Recipe(name="baselines", members=(*(_rule(name) for name in RULES), *classic().members))


def three_members() -> Recipe:
    """Return ridge, LightGBM and a PanelFormer of about a million weights."""
    return Recipe(name="three_members", members=(*classic().members, _network("panel_former")))


RECIPES: dict[str, Callable[[], Recipe]] = {
    **{recipe.__name__: recipe for recipe in (ridge, classic, baselines, three_members)},
    **{name: _single(_network(name)) for name in ("gru", "patch_tst", "i_transformer")},
    **{name: _single(_network("panel_former", **size), name) for name, size in LADDER.items()},
}
"""Every recipe by name."""
