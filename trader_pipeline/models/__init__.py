"""Models: features of the past to a score and a return distribution for every ticker and horizon."""

from collections.abc import Callable, Mapping

from trader_pipeline.models.linear import RidgeMember
from trader_pipeline.models.member import Member
from trader_pipeline.models.trees import TreesMember


def _panel_former(files: Mapping[str, bytes]) -> Member:
    from trader_pipeline.models.panel_former_member import PanelFormerMember  # noqa: PLC0415 - torch takes seconds to import

    return PanelFormerMember.of_files(files)


MODELS: dict[str, Callable[[Mapping[str, bytes]], Member]] = {
    "ridge": RidgeMember.of_files,
    "lightgbm": TreesMember.of_files,
    "panel_former": _panel_former,
}
"""How each kind of member is rebuilt from its files."""

__all__ = ["MODELS", "Member"]
