"""Small markets as core tables: literal prices for hand-computed answers, and a random one with gaps, splits and dividends."""

import datetime as dt
import itertools

import numpy as np
import pyarrow as pa

from trader_pipeline import calendar, panel
from trader_pipeline.features.assemble import CoreTables, assemble
from trader_pipeline.features.hamilton import PARAMETERS
from trader_pipeline.features.headlines import SCORED_NEWS
from trader_pipeline.lake import Change
from trader_pipeline.panel import Grid
from trader_pipeline.schema.core import (
    ACCEPTED_BARS,
    CHARACTERISTICS,
    CORPORATE_ACTIONS,
    EARNINGS,
    FUNDAMENTALS,
    MACRO,
    OPTION_QUOTES,
    SECTORS,
    TICKER_MAP,
    UNIVERSE,
)
from trader_pipeline.schema.features import MARKET_STATE
from trader_pipeline_tests.features import filings

BARS = ("open", "high", "low", "close", "volume_shares")
SINCE = dt.date(2000, 1, 3)
STORED = {
    "accepted_bars": ACCEPTED_BARS,
    "corporate_actions": CORPORATE_ACTIONS,
    "ticker_map": TICKER_MAP,
    "sectors": SECTORS,
    "universe": UNIVERSE,
    "characteristics": CHARACTERISTICS,
    "macro": MACRO,
    "fundamentals": FUNDAMENTALS,
    "earnings": EARNINGS,
    "market_state": MARKET_STATE,
    "option_quotes": OPTION_QUOTES,
}
"""The tables of a lake behind the fields of CoreTables; scored headlines are made of two."""
SERIES = ("DGS3MO", "DGS10", "BAA10Y", "VIXCLS", "T10YIE", "CPIAUCSL", "moodys_aaa_yield", "moodys_baa_yield")


def sessions(count):
    return calendar.sessions("XNYS", dt.date(2015, 1, 2), dt.date(2030, 1, 1))[:count]


def known(days):
    moments = calendar.known_at_array("XNYS", np.asarray(days, dtype="datetime64[D]"))
    return pa.array(moments).cast(pa.timestamp("us", tz="UTC"))


def bars(tickers, days, **columns):
    """`columns` are open, high, low, close, volume_shares as [N, T]; what is not given is the close, or a million shares."""
    close = np.atleast_2d(np.asarray(columns["close"], dtype=float))
    full = {name: np.atleast_2d(np.asarray(columns.get(name, close), dtype=float)) for name in BARS[:4]}
    full["volume_shares"] = np.broadcast_to(np.asarray(columns.get("volume_shares", 1e6), dtype=float), close.shape)
    full["close_usd"] = full["close"]
    table = panel.long(Grid(tuple(tickers), days), np.isfinite(close), full)
    return ACCEPTED_BARS.conform(
        table.append_column("known_at", known(table["session"].to_numpy())).append_column("source", pa.array(["own"] * table.num_rows))
    )


def actions(*rows):
    """Each row is (ticker, session, kind, value)."""
    tickers, days, kinds, values = zip(*rows, strict=True) if rows else ((), (), (), ())
    return CORPORATE_ACTIONS.conform(
        pa.table(
            {
                "ticker": pa.array(tickers, pa.string()),
                "session": pa.array(np.array(days, dtype="datetime64[D]")).cast(pa.date32()),
                "kind": pa.array(kinds, pa.string()),
                "known_at": known(days),
                "known_at_basis": pa.array(["assumed"] * len(rows), pa.string()),
                "source": pa.array(["own"] * len(rows), pa.string()),
                "value": pa.array(values, pa.float64()),
            }
        )
    )


def characteristic(name, tickers, days, values):
    table = panel.long(Grid(tuple(tickers), days), np.isfinite(values), {"value": values})
    return CHARACTERISTICS.conform(
        pa.table(
            {
                "ticker": table["ticker"],
                "name": pa.array([name] * table.num_rows),
                "observed_on": table["session"],
                "known_at": known(table["session"].to_numpy()),
                "source": pa.array(["own"] * table.num_rows),
                "value": table["value"],
            }
        )
    )


def macro(series, days, values, *, told=None):
    """Known with the bars of `days`, or of the days `told`."""
    return MACRO.conform(
        pa.table(
            {
                "series": [series] * len(days),
                "observed_on": pa.array(days).cast(pa.date32()),
                "known_at": known(days if told is None else told),
                "known_at_basis": ["assumed"] * len(days),
                "source": ["own"] * len(days),
                "vintage": ["final"] * len(days),
                "value": np.asarray(values, dtype=float),
            }
        )
    )


def states(days, probability):
    columns = dict.fromkeys(PARAMETERS, np.full(len(days), 0.5))
    rows = {"session": days, "known_at": known(days), "p_turbulent": np.asarray(probability, dtype=float), "fitted_on": days}
    return MARKET_STATE.conform(pa.table(rows | columns))


def news(*rows):
    """Each row is (ticker, moment it was known as ISO text or datetime64 in UTC, text, model or None, score or None)."""
    tickers, moments, texts, models, scores = zip(*rows, strict=True)
    at = pa.array(np.array(moments, dtype="datetime64[us]"), pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
    return pa.table([pa.array(tickers), at, pa.array(texts), pa.array(models), pa.array(scores)], schema=SCORED_NEWS)


def publish(lake, tables):
    lake.publish(*(Change.replace(table, getattr(tables, name)) for name, table in STORED.items()))


def universe(*rows):
    """Each row is (ticker, first day, last day or None), of the S&P 500."""
    listed = [
        {
            "universe": "sp500",
            "ticker": ticker,
            "valid_from": np.datetime64(first, "D").item(),
            "valid_to": last and np.datetime64(last, "D").item(),
        }
        for ticker, first, last in rows
    ]
    return UNIVERSE.conform(pa.Table.from_pylist(listed, schema=UNIVERSE.arrow_schema))


def quote(ticker, session, days_ahead, *, kind, strike, mid, spot=100.0, known_at=None, **other):
    """One row of core.option_quotes with a spread of two cents; known with its session's bar unless `known_at` (UTC) says when."""
    session = np.datetime64(session, "D")
    at = known([session])[0].as_py() if known_at is None else dt.datetime.fromisoformat(known_at).replace(tzinfo=dt.UTC)
    row = {"ticker": ticker, "session": session.item(), "known_at": at, "source": "own", "expiry": (session + days_ahead).item()}
    row |= {"kind": kind, "strike": strike, "underlying": spot, "bid": mid - 0.01, "ask": mid + 0.01, "last": None}
    return row | {"volume_contracts": 1.0, "open_interest_contracts": None, "implied_volatility": None, "currency": "USD"} | other


def quotes(rows):
    return OPTION_QUOTES.conform(pa.Table.from_pylist(list(rows), schema=OPTION_QUOTES.arrow_schema))


def core(accepted, *, moves=None, benchmark=None, sectors=None, facts=None, series=None, filed=None, reports=None, **more):
    """`benchmark` is a ticker; `sectors` maps ticker to sector."""
    tickers = sorted(set(accepted["ticker"].to_pylist()))
    listed = [
        {
            "ticker": t,
            "symbol": t,
            "valid_from": SINCE,
            "issuer_id": t,
            "exchange": "XNYS",
            "role": "benchmark" if t == benchmark else "stock",
        }
        for t in tickers
    ]
    placed = [{"ticker": t, "valid_from": SINCE, "valid_to": None, "sector": s} for t, s in sorted((sectors or {}).items())]
    return CoreTables(
        accepted_bars=accepted,
        corporate_actions=moves if moves is not None else actions(),
        ticker_map=TICKER_MAP.conform(pa.Table.from_pylist(listed)),
        sectors=SECTORS.conform(pa.Table.from_pylist(placed, schema=SECTORS.arrow_schema)),
        characteristics=facts if facts is not None else CHARACTERISTICS.empty(),
        macro=series if series is not None else MACRO.empty(),
        fundamentals=filed if filed is not None else FUNDAMENTALS.empty(),
        earnings=reports if reports is not None else EARNINGS.empty(),
        **more,
    )


def market(tables, days):
    return assemble(tables, days, calendar.known_at_array("XNYS", days))


def lone(**columns):
    """The market of one ticker A with the given bars."""
    days = sessions(np.asarray(columns["close"]).shape[-1])
    return market(core(bars(["A"], days, **columns)), days)


def random_core(count=440, seed=5):
    """Fourteen tickers and a benchmark: gaps, late listings, an early end, splits, dividends, three sectors, and facts of every kind.
    One joins the universe late, one leaves it, one is never in it.

    Headlines come out in the morning, ten minutes after the close (of summer) and at 23:00 UTC. Of options there are the last 40
    sessions, some contracts asked for a session late. Two series begin late and stand before others; consumer prices are revised.
    """
    generator = np.random.default_rng(seed)
    days, names = sessions(count), [f"T{i:02d}" for i in range(14)]
    market_move = 0.01 * generator.standard_normal(count)
    close = 50 * np.exp(
        np.cumsum(market_move * generator.uniform(0.5, 1.5, (14, 1)) + 0.015 * generator.standard_normal((14, count)), axis=1)
    )
    split_at = {1: (count // 3, 2.0), 4: (count - 60, 1.5), 9: (count - 8, 0.1)}
    moves = [(names[i], days[at], "split", ratio) for i, (at, ratio) in split_at.items()]
    for i, (at, ratio) in split_at.items():
        close[i, at:] /= ratio
    moves += [(names[2], days[at], "dividend", 0.7) for at in range(30, count, 63)] + [(names[9], days[count - 20], "dividend", 1.1)]
    close[generator.random(close.shape) < 0.01] = np.nan
    close[6, : count // 2], close[11, count - 40 :] = np.nan, np.nan
    opened = close * np.exp(0.004 * generator.standard_normal(close.shape))
    high = np.maximum(opened, close) * np.exp(np.abs(0.005 * generator.standard_normal(close.shape)))
    low = np.minimum(opened, close) * np.exp(-np.abs(0.005 * generator.standard_normal(close.shape)))
    volume = np.round(1e6 * np.exp(generator.standard_normal((14, 1)) + 0.3 * generator.standard_normal(close.shape)))
    index = 300 * np.exp(np.cumsum(market_move))
    accepted = pa.concat_tables(
        [bars(names, days, open=opened, high=high, low=low, close=close, volume_shares=volume), bars(["ZSPY"], days, close=index[None])]
    )
    facts = [characteristic(name, names, days, generator.standard_normal((14, count))) for name in ("z", "w")]
    filed, reports = filings.random_filings(names, dt.date(2011, 1, 1), days[-1].item())
    return core(
        accepted,
        moves=actions(*moves),
        benchmark="ZSPY",
        sectors={name: ("tech" if i < 6 else "energy" if i < 12 else "small") for i, name in enumerate(names)},
        facts=pa.concat_tables(facts),
        series=pa.concat_tables(
            [
                macro("regime", days, np.where(generator.random(count) < 0.5, -1.0, 1.0)),
                *(macro(name, days, 50 + np.cumsum(0.1 * generator.standard_normal(count))) for name in SERIES),
                *(macro(name, days[-150:], 30 + np.cumsum(0.1 * generator.standard_normal(150))) for name in ("vix_close", "AAA10Y")),
                macro("CPIAUCSL", days[:-30], 50 + np.cumsum(0.1 * generator.standard_normal(count - 30)), told=days[30:]),
            ]
        ),
        market_state=states(days, generator.random(count)),
        scored_news=random_news(generator, names, days),
        option_quotes=random_quotes(generator, names, days[-40:]),
        filed=filed,
        reports=reports,
        universe=universe(
            *((name, SINCE, None) for name in names if name not in ("T03", "T08", "T13")),
            ("T03", days[count // 2], None),
            ("T08", SINCE, days[count - 70]),
        ),
    ), days


def random_news(generator, names, days):
    rows = []
    for i, t in zip(*np.nonzero(generator.random((len(names), len(days))) < 0.3), strict=True):
        at = days[t] + np.timedelta64(int(generator.choice((13 * 60, 20 * 60 + 10, 23 * 60))), "m")
        rows += [(names[i], at, f"text {i} {t}", model, generator.uniform(-1, 1)) for model in ("finbert", "vader")]
    return news(*rows)


def random_quotes(generator, names, days):
    rows = []
    for name, day in itertools.product(names[::3], days[:-1]):
        late = known([calendar.offset("XNYS", day.item(), 1)])[0].as_py().replace(tzinfo=None).isoformat()
        rows.append(quote(name, day, 45, kind="put", strike=97.5, mid=generator.uniform(2, 9), volume_contracts=9.0, known_at=late))
    for name, day in itertools.product(names, days):
        for ahead, strike in itertools.product((20, 45, 100), (80.0, 90.0, 100.0, 110.0, 120.0)):
            extra = generator.uniform(0.5, 1.0) * np.sqrt(ahead) * np.exp(-(((strike - 100) / (2 * np.sqrt(ahead))) ** 2))
            for kind, inner in (("call", 100 - strike), ("put", strike - 100)):
                rows.append(
                    quote(
                        name,
                        day,
                        ahead,
                        kind=kind,
                        strike=strike,
                        mid=max(inner, 0) + extra,
                        volume_contracts=float(generator.integers(1, 9)),
                    )
                )
    return quotes(rows)
