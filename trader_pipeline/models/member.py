"""What every trained model offers, whatever is inside."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trader_pipeline.models.attribution import Attribution
from trader_pipeline.models.forecast import Forecast
from trader_pipeline.panel import Grid


class Member(Protocol):
    """A trained model that can be saved and asked."""

    @property
    def name(self) -> str:
        """The key in `MODELS`, with `@1` and so on for further seeds: column `model` of the tables and folder under members/."""
        ...

    @property
    def features(self) -> tuple[str, ...]:
        """The last axis of what `predict` takes, in order."""
        ...

    @property
    def context_sessions(self) -> int:
        """How many sessions, the session itself included, can change what is said of a session; earlier ones need not be passed."""
        ...

    @property
    def weights(self) -> int:
        """About how many numbers were learnt: what a forecast of one ticker-session costs."""
        ...

    def predict(
        self, features_NTF: npt.NDArray[np.float32], grid: Grid, sectors: Mapping[str, str], *, newest: int | None = None
    ) -> Forecast:
        """Return the forecast for every session of the grid; what is said of session t depends on sessions <= t alone.

        Where only the `newest` sessions are wanted, earlier ones may stay NaN.
        """
        ...

    def explain(
        self, features_NTF: npt.NDArray[np.float32], grid: Grid, sectors: Mapping[str, str], wanted_N: npt.NDArray[np.bool_]
    ) -> Attribution:
        """Return why the last session's scores are what they are, at least of the tickers in `wanted_N`."""
        ...

    def files(self) -> dict[str, bytes]:
        """Return everything that loading needs, as file name -> bytes."""
        ...
