"""core.fundamentals as what was known of each ticker's newest statement at every session.

A version counts from its `known_at` on, a restatement too. A quarter is the figure of three months, else year to date less the
year to date a quarter before (the fourth: year less nine months); twelve months are the year, else four known quarters. The newest
period is the newest that has net income. Of two sources that tell one figure the first of SOURCES counts; nothing is converted:
figures in another currency than the newest statement's are null. Nothing is known MAXIMUM_AGE_DAYS after the newest period came out.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.errors import SchemaError
from trader_pipeline.features import known, statement_loops
from trader_pipeline.features.known import Index, Instants, Records
from trader_pipeline.features.statement_loops import EVENT, FIGURE, LENGTHS, Layout
from trader_pipeline.panel import Grid
from trader_pipeline.schema.core import FUNDAMENTALS

SOURCES = ("sec", "fmp", "simulated")
"""As filed before as a vendor tells it."""
MAXIMUM_AGE_DAYS = 400
"""A year and the five weeks by which a yearly report may come later than the last."""
FLOWS = (
    "total_revenue",
    "cost_of_revenue",
    "gross_profit",
    "operating_income",
    "net_income",
    "depreciation_and_amortization",
    "operating_cash_flow",
    "capital_expenditure",
    "earnings_per_share",
)
BALANCES = (
    "total_assets",
    "current_assets",
    "cash_and_equivalents",
    "total_liabilities",
    "current_liabilities",
    "total_debt",
    "long_term_debt",
    "shareholders_equity",
)
COUNTS = ("shares_outstanding", "shares_basic")
"""Where no source tells the shares outstanding (FMP), the period's average stands for them."""
USD = "USD"

_METRICS = (*FLOWS, *BALANCES, *COUNTS)
_LAYOUT = Layout(len(FLOWS), len(BALANCES), FLOWS.index("net_income"), FLOWS.index("earnings_per_share"))
_MONTH_SHIFT = np.timedelta64(7, "D")
"""Years of 52 or 53 weeks end up to six days into the next month."""


def read_statements(facts: pa.Table, grid: Grid, known_at: Instants, split_S: Records) -> known.Known:
    """Return the statements: `net_income_year`, `net_income_quarter`, `total_assets` and so on, each also with `_before` (a year).

    `facts` has every version of core.fundamentals; `known_at` [T] is when each session's bar is known, UTC without zone. Also
    `shares`, `surprise`, `is_usd` (1, else NaN), and `fresh_day`: when the newest period came out. Raises `SchemaError` for a
    source without a rank.
    """
    figure_R, currencies = _figures(facts, grid, known_at)
    events = _count_events(figure_R)
    event_E = np.empty(events, EVENT)
    out = statement_loops.Known(
        quarter_EF2=np.empty((events, len(FLOWS), 2)),
        year_EF2=np.empty((events, len(FLOWS), 2)),
        balance_EB2=np.empty((events, len(BALANCES), 2)),
        shares_E2=np.empty((events, 2)),
        surprise_E=np.empty(events),
    )
    statement_loops.follow(figure_R, split_S, _LAYOUT, event_E, out)
    event_NT = np.full(grid.shape, -1)
    days_T = known.days(grid.sessions)
    statement_loops.newest_event((event_E["row"], event_E["column"]), event_E["fresh"], days_T, MAXIMUM_AGE_DAYS, event_NT)
    usd = currencies.index(USD) if USD in currencies else len(currencies)
    figures = {"surprise": out.surprise_E, "is_usd": np.where(event_E["currency"] == usd, 1.0, np.nan)}
    figures["fresh_day"] = event_E["fresh"].astype(np.float64)
    for before, suffix in enumerate(("", "_before")):
        figures |= {f"{name}_quarter{suffix}": out.quarter_EF2[:, number, before] for number, name in enumerate(FLOWS)}
        figures |= {f"{name}_year{suffix}": out.year_EF2[:, number, before] for number, name in enumerate(FLOWS)}
        figures |= {f"{name}{suffix}": out.balance_EB2[:, number, before] for number, name in enumerate(BALANCES)}
        figures[f"shares{suffix}"] = out.shares_E2[:, before]
    return known.Known(event_NT=event_NT, day_T=days_T, day_E=event_E["known"].copy(), split_S=split_S, figures=figures)


def _figures(facts: pa.Table, grid: Grid, known_at: Instants) -> tuple[Records, list[str]]:
    """Return the figures that we take, by ticker and moment, and the currencies by number."""
    facts = facts.filter(pc.is_in(facts["metric"], pa.array(_METRICS)))
    row_R = grid.ticker_index(facts["ticker"])
    known_R = known.instants(facts["known_at"])
    column_R = np.searchsorted(known_at, known_R, side="left")
    keep_R = np.flatnonzero((row_R >= 0) & (column_R < len(grid.sessions)))
    facts, known_R = facts.take(pa.array(keep_R)), known_R[keep_R]
    out_R = np.empty(len(keep_R), FIGURE)
    out_R["row"], out_R["column"], out_R["known"] = row_R[keep_R], column_R[keep_R], known_R.astype("datetime64[D]").astype(np.int64)
    out_R["metric"] = _number(facts["metric"], _METRICS)
    counts_R = out_R["metric"] >= len(FLOWS) + len(BALANCES)
    months_R = facts["months"].to_numpy().astype(np.int64)
    out_R["length"] = np.where(counts_R, 0, np.searchsorted(LENGTHS, months_R))
    ends_R = facts["period_end"].to_numpy().astype("datetime64[D]")
    out_R["period"] = (ends_R - _MONTH_SHIFT).astype("datetime64[M]").astype(np.int64) + 12 * 1970
    out_R["value"] = facts["value"].to_numpy()
    currency = pc.if_else(pc.equal(facts["unit"], "shares"), None, pc.replace_substring(facts["unit"], "/shares", ""))
    currencies = sorted(pc.unique(currency.drop_null()).to_pylist())
    out_R["currency"] = _number(currency, currencies)
    out_R["rank"] = _ranks(facts)
    filed = pc.coalesce(facts["filed_on"].cast(pa.timestamp("us")), facts["known_at"].cast(pa.timestamp("us")))
    out_R["filed"] = known.days(filed)
    order_R = np.lexsort((-months_R, ends_R, -out_R["rank"], known_R, out_R["row"]))
    return out_R[order_R], currencies


def _ranks(facts: pa.Table) -> Index:
    rank_R = _number(facts["source"], SOURCES)
    if (rank_R < 0).any():
        unknown = sorted(set(pc.unique(facts["source"]).to_pylist()) - set(SOURCES))
        raise SchemaError(f"{FUNDAMENTALS.full_name}: no rank for the sources {unknown}; name them in features/statements.SOURCES")
    return rank_R


def _number(values: pa.ChunkedArray, names: tuple[str, ...] | list[str]) -> Index:
    """Return each value's place among `names`, -1 where it is none of them."""
    number_R: Index = pc.fill_null(pc.index_in(values, pa.array(names, pa.string())), -1).to_numpy().astype(np.int64)
    return number_R


def _count_events(figure_R: Records) -> int:
    if not len(figure_R):
        return 0
    changes_R = (np.diff(figure_R["row"]) != 0) | (np.diff(figure_R["column"]) != 0)
    return int(np.count_nonzero(changes_R)) + 1
