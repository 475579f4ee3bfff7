"""What consumers may rely on: the dashboard, `trader predict`, exports, and whoever reads them.

A contract is written down beside its table and not taken from it, so that a change of the table cannot change the promise unseen.
A column may be added to the table at any time. To take a promise back raises the contract's version and is told in the changelog.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from trader_pipeline.schema import outputs
from trader_pipeline.schema.columns import DATE, HORIZONS_SESSIONS, INSTANT
from trader_pipeline.schema.table import Table

Nulls = Literal["never", "where abstained", "allowed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One column: its type, where it may be null, and between what its values lie (inclusive)."""

    name: str
    dtype: pa.DataType
    nulls: Nulls = "never"
    least: float | None = None
    most: float | None = None
    one_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What holds of the published rows of `table`: one row a `key`, and every promise.

    `ascending` names columns whose values never fall from one to the next; `horizons` are all there for each session and ticker.
    """

    table: Table
    version: int
    key: tuple[str, ...]
    columns: tuple[Promise, ...]
    ascending: tuple[str, ...] = ()
    horizons: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """`predictions.daily/1`."""
        return f"{self.table.full_name}/{self.version}"

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(promise.name for promise in self.columns)

    def select(self, alias: str) -> str:
        """Return the columns for a SELECT: `p."session", p."ticker"`."""
        return ", ".join(f'{alias}."{name}"' for name in self.names)


def _text(name: str) -> Promise:
    return Promise(name=name, dtype=pa.string())


def _share(name: str, nulls: Nulls = "where abstained") -> Promise:
    return Promise(name=name, dtype=pa.float64(), nulls=nulls, least=0.0, most=1.0)


def _return(name: str) -> Promise:
    return Promise(name=name, dtype=pa.float64(), nulls="where abstained", least=-1.0)


def _number(name: str, nulls: Nulls = "allowed") -> Promise:
    return Promise(name=name, dtype=pa.float64(), nulls=nulls)


_SESSION = Promise(name="session", dtype=DATE)
_STAMP = (_text("model_id"), _text("data_version"), Promise(name="made_at", dtype=INSTANT))

PREDICTIONS = Contract(
    table=outputs.DAILY,
    version=1,
    key=("session", "ticker", "horizon_sessions"),
    ascending=("q05", "q25", "q50", "q75", "q95"),
    horizons=HORIZONS_SESSIONS,
    columns=(
        _SESSION,
        _text("ticker"),
        Promise(name="horizon_sessions", dtype=pa.int16()),
        *(_return(name) for name in ("return_mean", "q05", "q25", "q50", "q75", "q95")),
        *(_share(name) for name in ("p_up", "p_outperform", "base_rate")),
        _number("score", "where abstained"),
        _share("confidence"),
        _number("disagreement"),
        _share("novelty"),
        Promise(name="abstained", dtype=pa.bool_()),
        *_STAMP,
        *(_number(name) for name in ("excess_benchmark", "excess_sector")),
        *(Promise(name=name, dtype=pa.bool_(), nulls="allowed") for name in ("earnings_inside", "ex_dividend_inside")),
    ),
)
DECISIONS = Contract(
    table=outputs.DECISIONS,
    version=1,
    key=("session", "ticker"),
    columns=(
        _SESSION,
        _text("ticker"),
        _text("issuer_id"),
        *(_number(name) for name in ("momentum_score", "ml_score")),
        *(_number(name, "never") for name in ("momentum_part", "ml_part", "score")),
        Promise(name="rank", dtype=pa.int64(), least=1.0),
        *(_share(name, "allowed") for name in ("momentum_share", "ml_share")),
        *(_number(name) for name in ("momentum_share_covariance", "ml_share_covariance")),
        Promise(name="action", dtype=pa.string(), one_of=("buy", "sell", "hold")),
        *(Promise(name=name, dtype=pa.float64(), least=-1.0, most=1.0) for name in ("target_weight", "uncut_weight")),
        _text("reasons"),
        *_STAMP,
    ),
)
CONTRACTS = (PREDICTIONS, DECISIONS)

MANIFEST_SCHEMA = "trader.predictions/2"
MANIFEST: Mapping[str, type] = {
    "schema": str,
    "file": str,
    "session": str,
    "rows": int,
    "sha256": str,
    "model_id": str,
    "data_version": str,
    "as_of": str,
    "made_at": str,
    "content_sha256": str,
    "code_version": str,
}
"""What `exports/predictions_<session>.manifest.json` says of the Parquet file beside it, whose rows keep the contract `PREDICTIONS`."""
