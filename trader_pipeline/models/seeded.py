"""The same kind of member fitted again from another seed: it is told apart by its name, `panel_former@1`."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trader_pipeline.models.attribution import Attribution
from trader_pipeline.models.forecast import Forecast
from trader_pipeline.models.member import Member
from trader_pipeline.panel import Grid

_BETWEEN = "@"


def seeded_name(kind: str, number: int) -> str:
    """Return the name of the member's `number`th seed; the first has none of its own."""
    return f"{kind}{_BETWEEN}{number}" if number else kind


def kind_of(name: str) -> str:
    """Return the key in `MODELS` of a member's name."""
    return name.partition(_BETWEEN)[0]


@dataclass(frozen=True, slots=True)
class SeededMember:
    """`inner` under a name of its own."""

    inner: Member
    name: str

    @property
    def features(self) -> tuple[str, ...]:
        """As `inner`."""
        return self.inner.features

    @property
    def context_sessions(self) -> int:
        """As `inner`."""
        return self.inner.context_sessions

    @property
    def weights(self) -> int:
        """As `inner`."""
        return self.inner.weights

    def predict(
        self, features_NTF: npt.NDArray[np.float32], grid: Grid, sectors: Mapping[str, str], *, newest: int | None = None
    ) -> Forecast:
        """As `inner`."""
        return self.inner.predict(features_NTF, grid, sectors, newest=newest)

    def explain(
        self, features_NTF: npt.NDArray[np.float32], grid: Grid, sectors: Mapping[str, str], wanted_N: npt.NDArray[np.bool_]
    ) -> Attribution:
        """As `inner`."""
        return self.inner.explain(features_NTF, grid, sectors, wanted_N)

    def files(self) -> dict[str, bytes]:
        """As `inner`."""
        return self.inner.files()


def named(member: Member, name: str) -> Member:
    """Return the member under `name`, itself where that is its own."""
    return member if member.name == name else SeededMember(member, name)
