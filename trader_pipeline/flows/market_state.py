"""The benchmark's bars -> features.market_state.

A state depends on the whole past, so it is made from the whole history whatever part of the panel is made.
"""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import calendar
from trader_pipeline.features.assemble import CoreTables, assemble, benchmark_of
from trader_pipeline.features.hamilton import PARAMETERS, market_states
from trader_pipeline.flows.feature_tables import first_bars
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.schema import core
from trader_pipeline.schema.features import MARKET_STATE

CODE_VERSION = "2"
"""Rises when the same bars would give other states."""

_BARS = """
select * from core.accepted_bars where ticker = ? and known_at <= ?
qualify row_number() over (partition by session order by known_at desc) = 1 order by session
"""


def market_state(lake: Lake, *, as_of: dt.datetime, run_id: str) -> bool:
    """Publish the states from what was known at `as_of`; say whether anything was written. No benchmark, no states."""
    del run_id
    snapshot = lake.snapshot()
    (known,) = snapshot.sql("select count(*) n, max(known_at) m from core.accepted_bars where known_at <= ?", [as_of]).to_pylist()
    read = snapshot.data_version([core.ACCEPTED_BARS, core.CORPORATE_ACTIONS, core.TICKER_MAP])
    inputs = f"{read}:{known['n']}:{known['m']}:{CODE_VERSION}"
    if snapshot.inputs(MARKET_STATE) == inputs:
        return False
    lake.publish(Change.replace(MARKET_STATE, _rows(snapshot, as_of), inputs=inputs))
    return True


def _rows(snapshot: Snapshot, as_of: dt.datetime) -> pa.Table:
    ticker_map = snapshot.read(core.TICKER_MAP)
    ticker = benchmark_of(ticker_map, first_bars(snapshot, as_of))
    if ticker is None:
        return MARKET_STATE.empty()
    ticker_map = ticker_map.filter(pc.equal(ticker_map["ticker"], ticker))
    exchange, bars = ticker_map["exchange"][0].as_py(), snapshot.sql(_BARS, [ticker, as_of])
    days = bars["session"].to_numpy().astype("datetime64[D]")
    sessions = np.union1d(calendar.sessions(exchange, days.min().item(), days.max().item()), days)
    tables = CoreTables(
        accepted_bars=bars,
        corporate_actions=snapshot.actions(as_of, ticker),
        ticker_map=ticker_map,
        sectors=core.SECTORS.empty(),
        characteristics=core.CHARACTERISTICS.empty(),
        macro=core.MACRO.empty(),
        fundamentals=core.FUNDAMENTALS.empty(),
        earnings=core.EARNINGS.empty(),
    )
    known_at = calendar.known_at_array(exchange, sessions)
    benchmark = assemble(tables, sessions, known_at).benchmark
    if benchmark is None:
        return MARKET_STATE.empty()
    states = market_states(sessions, benchmark.log_return[0])
    told = np.isfinite(states.p_turbulent_T) & np.isin(sessions, days)
    columns = dict(zip(PARAMETERS, states.parameters_T6[told].T, strict=True))
    return MARKET_STATE.conform(
        pa.table(
            {
                "session": sessions[told],
                "known_at": pa.array(known_at[told], pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC")),
                "p_turbulent": states.p_turbulent_T[told],
                "fitted_on": states.fitted_on_T[told],
                **columns,
            }
        )
    )
