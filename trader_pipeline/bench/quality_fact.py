"""One kind of fault in a table beside the bars, and the columns that all of them share."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from trader_pipeline.schema import Table

FIRST = dt.date(2016, 1, 4)

Rng = np.random.Generator
Row = dict[str, Any]
Make = Callable[[str, Rng], list[Row]]
Mutate = Callable[[list[Row], Rng], dt.date]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One kind of fault in a table beside the bars. `mutate` changes the rows of one ticker and returns the day at fault."""

    name: str
    rule: str
    size: str
    table: Table
    make: Make
    mutate: Mutate


def one(rows: list[Row], rng: Rng) -> Row:
    """Return one of the rows by chance."""
    return rows[int(rng.integers(0, len(rows)))]
