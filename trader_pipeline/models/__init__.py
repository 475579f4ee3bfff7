"""Models: features of the past to a score and a return distribution for every ticker and horizon."""

from collections.abc import Callable, Mapping

from trader_pipeline.models.linear import RidgeMember
from trader_pipeline.models.member import Member
from trader_pipeline.models.trees import TreesMember

MODELS: dict[str, Callable[[Mapping[str, bytes]], Member]] = {
    "ridge": RidgeMember.of_files,
    "lightgbm": TreesMember.of_files,
}
"""How each kind of member is rebuilt from its files."""

__all__ = ["MODELS", "Member"]
