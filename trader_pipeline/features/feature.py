"""A feature is declared beside the lines that compute it; its column, dictionary row and tests follow from the declaration."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trader_pipeline.features.clock import clock_of
from trader_pipeline.features.market import Market
from trader_pipeline.schema import Column, Table

Compute = Callable[[Market], npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One column of features.panel.

    `lookback_sessions` is how many sessions before t can change the value at t: 0 reads the session itself alone.
    """

    name: str
    unit: str
    description: str
    formula: str
    inputs: tuple[Table, ...]
    lookback_sessions: int
    compute: Compute

    @property
    def family(self) -> str:
        """The file that declares it: momentum, volatility, valuation, ..."""
        return self.compute.__module__.rpartition(".")[2]

    @property
    def clock(self) -> str:
        """When the newest of its inputs is known; every value counts from the session's close + 30 min."""
        return clock_of(self.inputs)

    @property
    def column(self) -> Column:
        """The panel column, float32, null where a window is incomplete."""
        description = f"{self.description} Formula: {self.formula}. Look-back: {self.lookback_sessions} sessions."
        return Column(name=self.name, dtype=pa.float32(), unit=self.unit, description=description, nullable=True)


def feature(*, unit: str, inputs: tuple[Table, ...], lookback_sessions: int, formula: str) -> Callable[[Compute], Feature]:
    """Declare the decorated function as a feature of the same name; its docstring's first line is the description."""

    def declare(compute: Compute) -> Feature:
        return Feature(
            name=compute.__name__,
            unit=unit,
            description=(compute.__doc__ or "").strip().splitlines()[0],
            formula=formula,
            inputs=inputs,
            lookback_sessions=lookback_sessions,
            compute=compute,
        )

    return declare
