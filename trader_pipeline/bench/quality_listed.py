"""Clean listings and stays in a universe, and faults put into them."""

import datetime as dt

from trader_pipeline.bench.quality_fact import FIRST, Fact, Rng, Row
from trader_pipeline.schema.core import TICKER_MAP, UNIVERSE


def mapped(ticker: str, rng: Rng) -> list[Row]:
    """Return one ticker's rows of core.ticker_map; every second one was renamed once."""
    row = {"ticker": ticker, "valid_to": None, "issuer_id": ticker, "exchange": str(rng.choice(["XNYS", "XLON", "XTKS"])), "role": "stock"}
    changed_on = FIRST + dt.timedelta(days=int(rng.integers(100, 900)))
    if int(ticker[1:]) % 2:
        return [row | {"symbol": ticker, "valid_from": FIRST}]
    old = row | {"symbol": f"{ticker}.OLD", "valid_from": FIRST, "valid_to": changed_on - dt.timedelta(days=1), "ended": "renamed"}
    return [old, row | {"symbol": ticker, "valid_from": changed_on}]


def _map_fault(rows: list[Row], rng: Rng) -> dt.date:
    last = rows[-1]
    which = int(rng.integers(0, 4))
    if which == 0:
        last["valid_to"] = last["valid_from"] - dt.timedelta(days=int(rng.integers(1, 60)))
    elif which == 1:
        last["exchange"] = str(rng.choice(["NYSE", "LSE", "??"]))
    elif which == 2:  # noqa: PLR2004 - two rows of the ticker at once
        day = last["valid_from"] + dt.timedelta(days=int(rng.integers(1, 90)))
        rows.append(last | {"valid_from": day, "symbol": last["symbol"] + "X"})
    else:
        rows.append(last | {"valid_from": last["valid_from"] + dt.timedelta(days=30)})
    at_fault: dt.date = rows[-1]["valid_from"]
    return at_fault


def _member(ticker: str, rng: Rng) -> list[Row]:
    """Return one ticker's stays in a universe: one, or two with a year between them."""
    out = FIRST + dt.timedelta(days=int(rng.integers(100, 500)))
    row = {"universe": "made_up", "ticker": ticker, "valid_from": FIRST, "valid_to": None}
    return [row] if rng.random() < 0.5 else [row | {"valid_to": out}, row | {"valid_from": out + dt.timedelta(days=365)}]  # noqa: PLR2004


def _member_fault(rows: list[Row], rng: Rng) -> dt.date:
    last = rows[-1]
    if rng.random() < 0.5:  # noqa: PLR2004 - half of them
        last["valid_to"] = last["valid_from"] - dt.timedelta(days=int(rng.integers(1, 60)))
    else:
        rows.append(last | {"valid_from": last["valid_from"] + dt.timedelta(days=int(rng.integers(1, 300)))})
    at_fault: dt.date = rows[-1]["valid_from"]
    return at_fault


KINDS = (
    Fact(
        name="map_overlaps",
        rule="ticker_map",
        size="ends before it begins, unknown exchange, two rows at once",
        table=TICKER_MAP,
        make=mapped,
        mutate=_map_fault,
    ),
    Fact(
        name="stays_overlap",
        rule="universe",
        size="ends before it begins, a member twice at once",
        table=UNIVERSE,
        make=_member,
        mutate=_member_fault,
    ),
)
