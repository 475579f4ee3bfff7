"""PanelFormer as the trainer takes it."""

from dataclasses import replace

from torch import nn

from trader_pipeline.models.examples import Examples, Labels
from trader_pipeline.models.member import Member
from trader_pipeline.models.panel_former import PanelFormer, PanelFormerConfig
from trader_pipeline.models.panel_former_member import PanelFormerMember
from trader_pipeline.training.fit_network import Trainable, fit_network, start_bins_at_base_rate
from trader_pipeline.training.optimisation import Optimisation
from trader_pipeline.training.recipes import FitContext

NAME = "panel_former"


def panel_former(size: PanelFormerConfig) -> Trainable:
    """Return how a PanelFormer of this size is trained; `size.columns` is set from the prepared features."""

    def start(network: nn.Module, labels: Labels) -> None:
        start_bins_at_base_rate(network.bins_head, labels)  # type: ignore[arg-type]

    return Trainable(
        name=NAME,
        build=lambda columns: PanelFormer(replace(size, columns=columns)),
        member=PanelFormerMember,  # type: ignore[arg-type]
        start=start,
    )


def fit_panel_former(examples: Examples, context: FitContext, size: PanelFormerConfig, settings: Optimisation) -> Member:
    """Return the trained member. Raises `TrainingError`."""
    return fit_network(examples, context, panel_former(size), settings)
