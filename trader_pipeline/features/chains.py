"""From option quotes to one row a snapshot (a ticker's chain of one session), and to arrays of what was known at each session."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trader_pipeline.features import smile

Float = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

TENORS_DAYS = (30, 60, 90)
SKEW_DAYS = 30
NEAREST_DAYS = 7
"""Of a contract that ends sooner a tick is a large part of the price."""
MAXIMUM_AGE_SESSIONS = 1
"""A snapshot is taken after the close + 30 minutes of its session, so it may be known only at the next one; then it is stale."""
RATE_SERIES = "DGS3MO"
_DAYS_A_YEAR = 365.0

_SIDES = """
select ticker, session, source, known_at, expiry, strike,
  max((bid + ask) / 2) filter (kind = 'call' and sound) as call, max((bid + ask) / 2) filter (kind = 'put' and sound) as put,
  coalesce(sum(volume_contracts) filter (kind = 'call'), 0) as calls, coalesce(sum(volume_contracts) filter (kind = 'put'), 0) as puts
from (select *, coalesce(bid > 0 and ask >= bid, false) as sound from quotes
      qualify known_at = min(known_at) over (partition by ticker, session, source))
group by all order by ticker, session, source, known_at, expiry, strike
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshots:
    """One entry a snapshot, by ticker and session. `columns` are volatilities a year, and puts per call traded; NaN without."""

    ticker: pa.ChunkedArray
    session: npt.NDArray[np.datetime64]
    known_at: npt.NDArray[np.datetime64]
    columns: Mapping[str, Float]


def snapshots(quotes: pa.Table, rate_of: Mapping[np.datetime64, float]) -> Snapshots:
    """Return what each chain of core.option_quotes says, with the rate (percent a year) of its session in `rate_of`; none, no volatility.

    A snapshot is what was asked at one moment, the first of its session; contracts that came later never join it.
    A quote without bid or ask, or with the ask below the bid, is none; its contract still counts as traded.
    """
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("quotes", quotes)
        rows = con.sql(_SIDES).to_arrow_table()
    codes = [np.asarray(rows[name].combine_chunks().dictionary_encode().indices) for name in ("ticker", "source")]
    session, expiry = (rows[name].to_numpy().astype("datetime64[D]") for name in ("session", "expiry"))
    new_S = _changes(*codes, session.astype(np.int64))
    new_E = new_S | _changes(expiry.astype(np.int64))
    start_S, start_E = np.flatnonzero(new_S), np.flatnonzero(new_E)
    days_E = (expiry[start_E] - session[start_E]).astype(np.int64)
    years_E = np.where(days_E >= NEAREST_DAYS, days_E / _DAYS_A_YEAR, np.nan)
    rate_E = np.log1p(np.array([rate_of.get(day, np.nan) for day in session[start_E]], dtype=float) / 100)
    prices_Q3 = np.stack([rows[name].to_numpy().astype(float) for name in ("strike", "call", "put")], axis=1)
    found_E3 = smile.volatilities(np.append(start_E, len(session)), prices_Q3, years_E, rate_E)
    first_S = np.searchsorted(start_E, np.append(start_S, len(session)))
    tenor = {
        (point, days): smile.at_tenor(first_S, years_E, np.ascontiguousarray(found_E3[:, point]), days / _DAYS_A_YEAR)
        for point, days in (*((smile.ATM, days) for days in TENORS_DAYS), (smile.PUT_25, SKEW_DAYS), (smile.CALL_25, SKEW_DAYS))
    }
    calls_S, puts_S = (np.add.reduceat(rows[name].to_numpy().astype(float), start_S) for name in ("calls", "puts"))
    return Snapshots(
        ticker=rows["ticker"].take(pa.array(start_S)),
        session=session[start_S],
        known_at=rows["known_at"].cast(pa.int64()).to_numpy()[start_S].view("datetime64[us]"),
        columns={
            **{f"atm_{days}d": tenor[smile.ATM, days] for days in TENORS_DAYS},
            "skew": tenor[smile.PUT_25, SKEW_DAYS] - tenor[smile.CALL_25, SKEW_DAYS],
            "puts_per_call": np.divide(puts_S, calls_S, out=np.full(len(calls_S), np.nan), where=calls_S > 0),
        },
    )


def _changes(*columns: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    """Return where a row differs from the one before in any column; the first does."""
    new = np.zeros(len(columns[0]), dtype=np.bool_)
    new[:1] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return new
