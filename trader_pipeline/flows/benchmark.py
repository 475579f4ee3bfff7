"""Close-to-close returns of the benchmark, or of what stands in for it."""

import datetime as dt

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import adjustment
from trader_pipeline.lake import Snapshot
from trader_pipeline.panel import Grid, dense

EQUAL_WEIGHT = "equal_weight"
"""Name of the stand-in: the mean of the universe's returns, rebalanced daily."""

Floats = npt.NDArray[np.float64]


def benchmark_name(snapshot: Snapshot, as_of: dt.datetime) -> str | None:
    """Return the first ticker whose role is `benchmark` and that has bars known at `as_of`, None where there is none."""
    found = snapshot.sql(
        "select min(b.ticker) as name from core.accepted_bars b join core.ticker_map m using (ticker) "
        "where m.role = 'benchmark' and b.known_at <= ?",
        [as_of],
    )
    name: str | None = found["name"][0].as_py()
    return name


def benchmark_returns(snapshot: Snapshot, grid: Grid, daily_return_NT: Floats, *, as_of: dt.datetime) -> tuple[str, Floats]:
    """Return the benchmark's name and its return of each session, 0 where it has no bar.

    That of `benchmark_name`; where there is none, `EQUAL_WEIGHT`.
    """
    name = benchmark_name(snapshot, as_of)
    if name is None:
        known = np.isfinite(daily_return_NT)
        count = np.maximum(known.sum(axis=0), 1)
        return EQUAL_WEIGHT, np.where(known, daily_return_NT, 0).sum(axis=0) / count
    bars = snapshot.sql(
        "select ticker, session, close from core.accepted_bars where known_at <= $as_of and ticker = $name "
        "qualify row_number() over (partition by session order by known_at desc) = 1 order by session",
        {"as_of": as_of, "name": name},
    )
    own = total_returns(bars, snapshot.actions(as_of, name))
    returns = dense(bars.append_column("return", pa.array(own)), Grid((name,), grid.sessions), "return")[0]
    return name, np.nan_to_num(returns)


def total_returns(bars: pa.Table, actions: pa.Table) -> Floats:
    """Return one ticker's total return from each bar to the next; the first has none: NaN. Bars ascend."""
    sessions, close = bars["session"].to_numpy().astype("datetime64[D]"), bars["close"].to_numpy()
    days, value = actions["session"].to_numpy().astype("datetime64[D]"), actions["value"].to_numpy()
    split = np.asarray(pc.equal(actions["kind"], "split").to_numpy())
    factor = adjustment.split_factors(sessions, days[split], value[split])
    wealth = close * factor * adjustment.dividend_factors(sessions, close, factor, days[~split], value[~split])
    return np.concatenate([[np.nan], wealth[1:] / wealth[:-1] - 1])
