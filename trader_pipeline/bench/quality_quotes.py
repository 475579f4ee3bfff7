"""Clean news and option chains, and faults put into them."""

import datetime as dt

from trader_pipeline import calendar
from trader_pipeline.bench.quality_fact import FIRST, Fact, Rng, Row, one
from trader_pipeline.schema.core import NEWS, OPTION_QUOTES


def _headlines(ticker: str, rng: Rng) -> list[Row]:
    rows = []
    for i in range(12):
        at = dt.datetime.combine(FIRST, dt.time(9), dt.UTC) + dt.timedelta(days=30 * i, minutes=int(rng.integers(0, 600)))
        known = at + dt.timedelta(hours=int(rng.choice([0, 0, 5, 48])))
        row = {"ticker": ticker, "news_id": f"{ticker}-{i}", "published_at": at, "known_at": known, "known_at_basis": "assumed"}
        rows.append(row | {"source": "made_up", "title": f"{ticker} reports {i}"})
    return rows


def _from_the_future(rows: list[Row], rng: Rng) -> dt.date:
    row = one(rows, rng)
    row["published_at"] = row["known_at"] + dt.timedelta(minutes=int(rng.choice([1, 60, 300, 3 * 24 * 60])))
    day: dt.date = row["published_at"].date()
    return day


def _wordless(rows: list[Row], rng: Rng) -> dt.date:
    row = one(rows, rng)
    if rng.random() < 0.5:  # noqa: PLR2004 - half of them
        row["title"] = str(rng.choice(["", "  "]))
    else:
        later = dt.timedelta(hours=1)
        row = row | {"published_at": row["published_at"] + later, "known_at": row["known_at"] + later}
        rows.append(row)
    day: dt.date = row["published_at"].date()
    return day


def _chain(ticker: str, rng: Rng) -> list[Row]:
    spot, rows = float(rng.uniform(5, 500)), []
    for i in range(24):
        session = calendar.offset("XNYS", FIRST, i // 12)
        bid = float(rng.choice([0.0, 1.0, 1.0])) * float(rng.uniform(0.01, 0.2)) * spot
        row = {"ticker": ticker, "session": session, "source": "made_up", "expiry": session + dt.timedelta(days=30 * (1 + i % 4))}
        row |= {"kind": "call" if i % 2 else "put", "strike": round(spot * (0.8 + 0.1 * (i % 5)), 2), "underlying": spot, "bid": bid}
        row |= {"ask": bid * 1.05 + 0.05, "last": bid, "volume_contracts": 1.0, "open_interest_contracts": 10.0, "currency": "USD"}
        rows.append(row | {"implied_volatility": float(rng.uniform(0.05, 3)), "known_at": calendar.known_at("XNYS", session)})
    return rows


def _odd_volatility(rows: list[Row], rng: Rng) -> dt.date:
    row = one(rows, rng)
    row["implied_volatility"] = float(rng.choice([0.0, -0.3, 5.5, 30.0]))
    day: dt.date = row["session"]
    return day


def _odd_quote(rows: list[Row], rng: Rng) -> dt.date:
    row, which = one(rows, rng), int(rng.integers(0, 3))
    if which == 0:
        row["expiry"] = row["session"] - dt.timedelta(days=int(rng.integers(1, 30)))
    elif which == 1:
        row["last"] = -1.0
    else:
        row["bid"] = row["ask"] * float(rng.uniform(1.01, 1.5))
    day: dt.date = row["session"]
    return day


KINDS = (
    Fact(
        name="news_from_future",
        rule="news_clock",
        size="published 1 minute to 3 days after it was known",
        table=NEWS,
        make=_headlines,
        mutate=_from_the_future,
    ),
    Fact(
        name="news_wordless",
        rule="news_text",
        size="no title, one id twice",
        table=NEWS,
        make=_headlines,
        mutate=_wordless,
    ),
    Fact(
        name="odd_volatility",
        rule="option_volatility",
        size="0, -30 %, 550 % or 3,000 %",
        table=OPTION_QUOTES,
        make=_chain,
        mutate=_odd_volatility,
    ),
    Fact(
        name="odd_quotes",
        rule="option_quotes",
        size="expired, a negative price, a bid 1 to 50 % over the ask",
        table=OPTION_QUOTES,
        make=_chain,
        mutate=_odd_quote,
    ),
)
