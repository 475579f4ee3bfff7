"""The samples as a market to injure: which rows may be changed, and the tables that the rules are shown."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import calendar
from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.context import VENDOR_PRICES, CheckContext, open_context
from trader_pipeline.checks.report import run_rules
from trader_pipeline.schema import Table
from trader_pipeline.schema.columns import INSTANT
from trader_pipeline.schema.core import CORPORATE_ACTIONS, DAILY_BARS, SECTORS, TICKER_MAP
from trader_pipeline.settings import CheckSettings, Settings
from trader_pipeline.sources import sample
from trader_pipeline.sources.source import FetchRequest

MARGIN = 25
"""No row nearer than this to an end of its ticker is changed, and none nearer than this to a known split."""

PRICES = ("open", "high", "low", "close")

Array = npt.NDArray[Any]
Flag = tuple[str, dt.date, dt.date]
"""What a rule objects to: ticker, first and last day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Bars as arrays, R rows sorted by ticker and session, and what stands beside them. `clean`: tickers that no rule objects to."""

    name: str
    columns: Mapping[str, Array]
    ticker_map: pa.Table
    beside: Mapping[Table, pa.Table]
    as_of: dt.datetime
    order: Sequence[str] = ("sample",)
    clean: frozenset[str] = frozenset()

    @property
    def starts(self) -> dict[str, tuple[int, int]]:
        """First row and one past the last of each ticker."""
        ticker_R = self.columns["ticker"]
        edges = np.flatnonzero(np.r_[True, ticker_R[1:] != ticker_R[:-1], True])
        return {str(ticker_R[a]): (a, b) for a, b in pairwise(edges.tolist())}


@dataclass(slots=True, kw_only=True)
class Injured:
    """A market being changed: `columns` are copies, `dropped` rows go, `added` rows are copies of a row with other values."""

    columns: dict[str, Array]
    ticker_map: list[dict[str, object]]
    actions: list[dict[str, object]]
    dropped: list[int] = field(default_factory=list)
    added: list[tuple[int, dict[str, object]]] = field(default_factory=list)


def injured(market: Market) -> Injured:
    """Return a copy of the market that may be changed."""
    actions = market.beside[CORPORATE_ACTIONS].to_pylist()
    return Injured(
        columns={name: values.copy() for name, values in market.columns.items()}, ticker_map=market.ticker_map.to_pylist(), actions=actions
    )


def flags(market: Market, rule: str, changed: Injured | None = None, *, more: Mapping[Table, pa.Table] | None = None) -> list[Flag]:
    """Return what one rule objects to in the market, or in it as changed."""
    now = changed or injured(market)
    context = _context(market, now, more or {})
    report = run_rules([r for r in CHECKS if r.name == rule], context, run_id="bench")
    return [(f["ticker"], f["first_session"], f["last_session"]) for r in report.results for f in r.findings.to_pylist()]


def markets() -> list[Market]:
    """Return both samples; the deep one cut into a ticker a year, so that as many can be changed at once."""
    return [_with_clean(_by_year(_loaded("deep"))), _with_clean(_loaded("broad"))]


def twice(market: Market, rng: np.random.Generator) -> Market:
    """Return the market as two sources tell it: the second one's prices differ by 0.05 % (standard deviation)."""
    n = len(market.columns["ticker"])
    second = {name: values.copy() for name, values in market.columns.items()}
    second["source"] = np.full(n, "second", dtype=object)
    for name in PRICES:
        second[name] = np.asarray(second[name], dtype=float) * np.exp(rng.normal(0, 0.0005, n))
    both = {name: np.concatenate([values, second[name]]) for name, values in market.columns.items()}
    order_R = np.lexsort((both["session"], both["source"].astype(str), both["ticker"].astype(str)))
    return replace(market, columns={name: values[order_R] for name, values in both.items()}, order=("sample", "second"))


def table_of(columns: Mapping[str, Array]) -> pa.Table:
    """Return the arrays as core.daily_bars; NaN is null."""
    n = len(columns["ticker"])
    return pa.table(
        {
            "ticker": pa.array(columns["ticker"], pa.string()),
            "session": pa.array(columns["session"]).cast(pa.date32()),
            "source": pa.array(columns["source"], pa.string()),
            "known_at": pa.array(columns["known_at"]).cast(INSTANT),
            "known_at_basis": pa.repeat("assumed", n),
            **{name: pa.array(columns[name], pa.float64(), from_pandas=True) for name in (*PRICES, "volume_shares")},
            "currency": pa.repeat("USD", n),
            "price_unit": pa.repeat("USD", n),
        },
        schema=DAILY_BARS.arrow_schema,
    )


def _context(market: Market, now: Injured, more: Mapping[Table, pa.Table]) -> CheckContext:
    columns = now.columns
    if now.added:
        at = [row for row, _ in now.added]
        extra = {name: values[at].copy() for name, values in columns.items()}
        for place, (_, values) in enumerate(now.added):
            for name, value in values.items():
                extra[name][place] = value
        columns = {name: np.concatenate([values, extra[name]]) for name, values in columns.items()}
    if now.dropped:
        keep_R = np.ones(len(columns["ticker"]), dtype=bool)
        keep_R[now.dropped] = False
        columns = {name: values[keep_R] for name, values in columns.items()}
    actions = pa.Table.from_pylist(now.actions, schema=CORPORATE_ACTIONS.arrow_schema)
    return open_context(
        table_of(columns),
        pa.Table.from_pylist(now.ticker_map, schema=TICKER_MAP.arrow_schema),
        as_of=market.as_of,
        settings=CheckSettings(),
        order=market.order,
        beside={**market.beside, CORPORATE_ACTIONS: actions, **more},
        vendor_prices=VENDOR_PRICES.empty_table(),
    )


def _core(dataset: str) -> Mapping[Table, pa.Table]:
    request = FetchRequest(as_of=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), fetched_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    (result,) = sample.fetch(request, Settings(dataset=dataset, _env_file=None))
    return sample.to_core({table.full_name: result.tables.get(table, table.empty()) for table in sample.SAMPLE.raw_tables})


def _loaded(dataset: str) -> Market:
    core = _core(dataset)
    bars, listed = core[DAILY_BARS].sort_by([("ticker", "ascending"), ("session", "ascending")]), core[TICKER_MAP]
    session_R = bars["session"].to_numpy().astype("datetime64[D]")
    columns: dict[str, Array] = {
        "ticker": np.array(bars["ticker"].to_pylist(), dtype=object),
        "session": session_R,
        "source": np.array(bars["source"].to_pylist(), dtype=object),
        "known_at": calendar.known_at_array(sample.EXCHANGE, session_R).astype("datetime64[us]"),
        **{name: bars[name].to_numpy(zero_copy_only=False).astype(float) for name in (*PRICES, "volume_shares")},
    }
    as_of = calendar.known_at(sample.EXCHANGE, sample.LAST_SESSIONS[dataset])
    actions = core[CORPORATE_ACTIONS]
    clock = {"known_at": pa.repeat(pa.scalar(as_of, INSTANT), actions.num_rows), "known_at_basis": pa.repeat("assumed", actions.num_rows)}
    told = pa.table({**{name: actions[name] for name in ("ticker", "session", "kind", "source", "value")}, **clock})
    return Market(
        name=dataset,
        columns=columns,
        ticker_map=TICKER_MAP.conform(listed),
        beside={CORPORATE_ACTIONS: CORPORATE_ACTIONS.conform(told), SECTORS: SECTORS.conform(core[SECTORS])},
        as_of=as_of,
    )


def _by_year(market: Market) -> Market:
    """Return the market with AAPL of 2012 as a ticker of its own, AAPL-2012, that ended with its year."""
    session_R = market.columns["session"].astype("datetime64[D]")
    year_R = session_R.astype("datetime64[Y]").astype(int) + 1970
    newest = int(year_R.max())
    ticker_R = np.array([f"{t}-{y}" for t, y in zip(market.columns["ticker"], year_R, strict=True)], dtype=object)
    columns = {**market.columns, "ticker": ticker_R}
    order_R = np.lexsort((session_R, ticker_R.astype(str)))
    columns = {name: values[order_R] for name, values in columns.items()}
    of_ticker = {row["ticker"]: row for row in market.ticker_map.to_pylist()}
    rows = []
    for name, (a, b) in replace(market, columns=columns).starts.items():
        first, last = columns["session"][a].item(), columns["session"][b - 1].item()
        ended = None if first.year == newest else last
        rows.append(of_ticker[name.rpartition("-")[0]] | {"ticker": name, "symbol": name, "valid_from": first, "valid_to": ended})
    actions = [row | {"ticker": f"{row['ticker']}-{row['session'].year}"} for row in market.beside[CORPORATE_ACTIONS].to_pylist()]
    return replace(
        market,
        columns=columns,
        ticker_map=pa.Table.from_pylist(rows, schema=TICKER_MAP.arrow_schema),
        beside={CORPORATE_ACTIONS: pa.Table.from_pylist(actions, schema=CORPORATE_ACTIONS.arrow_schema)},
    )


def _with_clean(market: Market) -> Market:
    context = _context(market, injured(market), {})
    report = run_rules(CHECKS, context, run_id="bench")
    faulty = {ticker for r in report.results for ticker in pc.unique(r.findings["ticker"]).to_pylist()}
    return replace(market, clean=frozenset(market.starts) - faulty)
