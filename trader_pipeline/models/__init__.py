"""Models: features of the past to a score and a return distribution for every ticker and horizon."""

from collections.abc import Callable, Mapping

from trader_pipeline.models.linear import RidgeMember
from trader_pipeline.models.member import Member
from trader_pipeline.models.rules import RuleMember
from trader_pipeline.models.trees import TreesMember


def _network(files: Mapping[str, bytes]) -> Member:
    from trader_pipeline.models.network_member import NetworkMember  # noqa: PLC0415 - torch takes seconds to import

    return NetworkMember.of_files(files)


MODELS: dict[str, Callable[[Mapping[str, bytes]], Member]] = {
    "zero": RuleMember.of_files,
    "momentum": RuleMember.of_files,
    "reversal": RuleMember.of_files,
    "ridge": RidgeMember.of_files,
    "lightgbm": TreesMember.of_files,
    "panel_former": _network,
    "gru": _network,
    "patch_tst": _network,
    "i_transformer": _network,
}
"""How each kind of member is rebuilt from its files."""

__all__ = ["MODELS", "Member"]
