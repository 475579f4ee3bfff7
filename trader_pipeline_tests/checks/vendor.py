"""Small series as a vendor would send them, adjusted closes computed by the vendor's own arithmetic, for the rules on levels and cash."""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.context import VENDOR_PRICES
from trader_pipeline.schema.core import CORPORATE_ACTIONS
from trader_pipeline_tests.checks.build import DAYS, context, row, table

RECORDED = json.loads((Path(__file__).parent.parent / "resources" / "yahoo_faults.json").read_text())

PRICES = ("open", "high", "low", "close")


def series(n=120, *, sigma=0.01, seed=1, first=100.0, dividends=None, splits=None, gains=None, days=None, ticker="A"):
    """Return rows of a random walk, one dict a row, that falls by each dividend (row -> cash) and is adjusted for it.

    Splits are listed and already applied, as a vendor does. `gains` lies inside `dividends`.
    """
    dividends, splits, gains = dividends or {}, splits or {}, gains or {}
    rng = np.random.default_rng(seed)
    rows, close, factor = [], first, 1.0
    for i in range(n):
        opened = max(close - dividends.get(i, 0.0), 0.01) * np.exp(sigma / 2 * rng.standard_normal())
        ended = opened * np.exp(sigma * rng.standard_normal())
        spread = 1 + sigma / 4
        rows.append(
            {
                "ticker": ticker,
                "session": (days or DAYS)[i],
                "open": opened,
                "high": max(opened, ended) * spread,
                "low": min(opened, ended) / spread,
                "close": ended,
                "volume": 1000.0 + 10 * i,
                "dividend": dividends.get(i, 0.0),
                "split_ratio": splits.get(i, 0.0),
                "capital_gain": gains.get(i, 0.0),
            }
        )
        close = ended
    for i in reversed(range(n)):
        rows[i]["adj_close"] = rows[i]["close"] * factor
        if i and dividends.get(i):
            factor *= 1 - dividends[i] / rows[i - 1]["close"]
    return rows


def times(rows, places, factor, *columns):
    """Return `rows` with prices of some rows multiplied, all of them and the adjusted close unless columns are named."""
    columns = columns or (*PRICES, "adj_close")
    return [r | {c: r[c] * factor for c in columns} if i in places else r for i, r in enumerate(rows)]


def put(rows, place, **values):
    return [r | values if i == place else r for i, r in enumerate(rows)]


def adjusted_before(rows, place, factor):
    """Return `rows` with the adjusted closes before a row multiplied."""
    return times(rows, range(place), factor, "adj_close")


def recorded(name):
    """Return the rows of a recorded fault and the right values by date."""
    fault = RECORDED[name]
    nothing = {"ticker": fault["symbol"], "dividend": 0.0, "split_ratio": 0.0, "capital_gain": 0.0}
    rows = [nothing | dict(zip(fault["columns"], values, strict=True)) for values in fault["rows"]]
    return [{**r, "session": dt.date.fromisoformat(r.pop("date"))} for r in rows], fault["right"]


def judged(rule, rows, **options):
    """Run one rule on the context that `opened` gives."""
    context = opened(rows, **options)
    return next(one for one in CHECKS if one.name == rule).run(context)


def opened(rows, *, vendor=True, actions=(), dividends=(), others=()):
    """Return rows of source `own`; without `vendor` they are as traded, `actions` (session, ratio), `dividends` (session, cash).

    `others`: more bars.
    """
    bars = [_bar(r) for r in rows] + list(others)
    known = {"source": "own", "known_at_basis": "assumed", "ticker": rows[0]["ticker"]}
    known["known_at"] = dt.datetime(2018, 1, 1, tzinfo=dt.UTC)
    told = [("split", *action) for action in actions] + [("dividend", *action) for action in dividends]
    found = [known | {"kind": kind, "session": day, "value": value} for kind, day, value in told]
    beside = {CORPORATE_ACTIONS: pa.Table.from_pylist(found, schema=CORPORATE_ACTIONS.arrow_schema)} if found else {}
    prices = pa.Table.from_pylist([{"source": "own", **r} for r in rows], schema=VENDOR_PRICES) if vendor else None
    as_of = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return context(table(bars), as_of=as_of, beside=beside, vendor_prices=prices)


def _bar(r):
    return row(r["ticker"], r["session"], **{c: r[c] for c in PRICES}, volume_shares=r["volume"])


def errors(result):
    """Return the first sessions of the errors."""
    return [f.first_session for f in result.findings if f.severity == "error"]


def away(result):
    """Return the sessions that the rule quarantines."""
    return sorted(result.quarantine["session"].to_pylist()) if result.quarantine is not None else []


def proposals(result):
    """Return the proposed values by session and column."""
    rows = result.repairs.to_pylist() if result.repairs is not None else []
    return {(r["session"], r["column_name"]): r["proposed"] for r in rows}
