"""Prices as a vendor adjusts them, with dividends and a fund's capital gains put into the broad sample, and faults put into those.

Each clean stock of a whole year pays four dividends of 0.3 to 0.9 % of its price. A fund is the mean of 25 such stocks, one price a day
and no volume; its second payout is 4 to 9 % of the price, and 60 to 95 % of that is a capital gain. Closes fall by what is paid, on top
of what they did that day. The adjusted close is right to the last digit, then written with six decimals.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from trader_pipeline.bench.quality_market import PRICES, Array, Flag, Market, table_of
from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.context import VENDOR_PRICES, open_context
from trader_pipeline.checks.report import run_rules
from trader_pipeline.settings import CheckSettings

EX_ROWS = (35, 90, 145, 200)
YEAR_ROWS = 240
"""A stock with fewer rows is left out."""

ADJ_DECIMALS = 6

HOLDINGS = 25
"""Stocks of a fund."""

Rng = np.random.Generator
Days = tuple[dt.date, dt.date]
Series = dict[str, Array]
"""One ticker's columns of core.daily_bars and of VENDOR_PRICES, T rows; `factor` is what each row takes off all before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """One kind of fault in what a vendor says was paid. `mutate` changes a ticker and returns the first and last row at fault."""

    name: str
    rule: str
    size: str
    mutate: Callable[[Series, Rng], tuple[int, int]]
    funds: bool = False


def passes(kind: Payout, market: Market, mutations: int, rng: Rng) -> Iterator[tuple[dict[str, Days], list[Flag], set[Flag]]]:
    """Yield (where it was changed, what the rule says, what it said before) until `mutations` are made; half of the tickers each time."""
    made = 0
    while made < mutations:
        paying = dict(_paying(market, rng, funds=kind.funds))
        before = set(_flags(kind, market, paying))
        chosen = [ticker for ticker in paying if rng.random() < 0.5][: mutations - made]  # noqa: PLR2004 - half of them
        sites = {}
        for ticker in chosen:
            first, last = kind.mutate(paying[ticker], rng)
            session_T = paying[ticker]["session"]
            sites[ticker] = (session_T[first].item(), session_T[last].item())
        yield sites, _flags(kind, market, paying), before
        made += len(chosen)


def _paying(market: Market, rng: Rng, *, funds: bool) -> Iterator[tuple[str, Series]]:
    stocks = {t: slice(a, b) for t, (a, b) in market.starts.items() if t in market.clean and b - a >= YEAR_ROWS}
    whole = [rows for rows in stocks.values() if rows.stop - rows.start == max(r.stop - r.start for r in stocks.values())]
    for ticker, rows in stocks.items():
        if funds and rows not in whole:
            continue
        own = {name: values[rows].copy() for name, values in market.columns.items()}
        if funds:
            held = [market.columns["close"][whole[int(i)]] for i in rng.choice(len(whole), HOLDINGS, replace=False)]
            value_T = np.round(20 * np.mean([close_T / close_T[0] for close_T in held], axis=0), 2)
            own |= {name: value_T.copy() for name in PRICES} | {"volume_shares": np.zeros(len(value_T))}
        yield ticker, _with_payouts(own, rng, fund=funds)


def _with_payouts(own: Series, rng: Rng, *, fund: bool) -> Series:
    n, share = len(own["close"]), float(rng.uniform(0.003, 0.009))
    own |= {"dividend": np.zeros(n), "capital_gain": np.full(n, np.nan), "factor": np.ones(n), "split_ratio": np.full(n, np.nan)}
    if fund:
        own["capital_gain"][:] = 0.0
    for t in EX_ROWS:
        great = fund and t == EX_ROWS[1]
        before = float(own["close"][t - 1])
        own["dividend"][t] = round((float(rng.uniform(0.04, 0.09)) if great else share) * before, 3)
        own["factor"][t] = 1 - own["dividend"][t] / before
        for name in PRICES:
            own[name][t:] *= own["factor"][t]
        if great:
            own["capital_gain"][t] = round(float(own["dividend"][t]) * float(rng.uniform(0.6, 0.95)), 3)
    return own


def _adjusted(own: Series) -> Array:
    """Return the closes times the factors of all later rows."""
    after = np.append(np.cumprod(own["factor"][::-1])[::-1][1:], 1.0)
    rounded: Array = np.round(own["close"] * after, ADJ_DECIMALS)
    return rounded


def _flags(kind: Payout, market: Market, paying: dict[str, Series]) -> list[Flag]:
    every = [{**own, "adj_close": _adjusted(own)} for own in paying.values()]
    columns = {name: np.concatenate([own[name] for own in every]) for name in every[0]}
    bars = table_of(columns)
    numbers = {
        name: pa.array(columns[name], pa.float64(), from_pandas=True) for name in ("adj_close", "dividend", "split_ratio", "capital_gain")
    }
    prices = {name: bars[name] for name in ("ticker", "session", "source", *PRICES)}
    vendor = pa.table({**prices, "volume": bars["volume_shares"], **numbers}).select(VENDOR_PRICES.names)
    context = open_context(bars, market.ticker_map, as_of=market.as_of, settings=CheckSettings(), vendor_prices=vendor)
    report = run_rules([rule for rule in CHECKS if rule.name == kind.rule], context, run_id="bench")
    return [(f["ticker"], f["first_session"], f["last_session"]) for r in report.results for f in r.findings.to_pylist()]


def _unadjusted(own: Series, rng: Rng) -> tuple[int, int]:
    t = int(rng.choice(EX_ROWS))
    own["factor"][t] = 1.0
    return t, t


def _listed_100x(own: Series, rng: Rng) -> tuple[int, int]:
    t = int(rng.choice(EX_ROWS))
    own["dividend"][t] *= float(rng.choice([100, 0.01]))
    return t, t


def _phantom_adjustment(own: Series, rng: Rng) -> tuple[int, int]:
    t = int(rng.choice(EX_ROWS)) + int(rng.integers(5, 15))
    own["factor"][t] = 1 - float(rng.uniform(0.003, 0.03))
    return t, t


def _adjusted_100x(own: Series, rng: Rng) -> tuple[int, int]:
    t = int(rng.choice(EX_ROWS))
    own["dividend"][t] *= 100
    own["factor"][t] = 1 - own["dividend"][t] / own["close"][t - 1]
    return t, t


def _repeated(own: Series, rng: Rng) -> tuple[int, int]:
    t = int(rng.choice(EX_ROWS))
    again = t + int(rng.integers(1, 5))
    own["dividend"][again] = own["dividend"][t]
    own["factor"][again] = 1 - own["dividend"][again] / own["close"][again - 1]
    return t, again  # which of the two is the true one, nothing but the price could tell


def _gain_twice(own: Series, _: Rng) -> tuple[int, int]:
    t = EX_ROWS[1]
    own["factor"][t] = 1 - (own["dividend"][t] + own["capital_gain"][t]) / own["close"][t - 1]
    return t, t


KINDS = (
    Payout(name="adjustment_missing", rule="dividend_adjustment", size="no step for a dividend of 0.3 to 0.9 %", mutate=_unadjusted),
    Payout(name="dividend_100x", rule="dividend_adjustment", size="one listed dividend times or by 100", mutate=_listed_100x),
    Payout(
        name="adjustment_phantom", rule="dividend_adjustment", size="a step of 0.3 to 3 % without a dividend", mutate=_phantom_adjustment
    ),
    Payout(name="dividend_and_step_100x", rule="dividend_size", size="one dividend and its step times 100", mutate=_adjusted_100x),
    Payout(name="dividend_repeated", rule="dividend_repeated", size="listed and taken off again 1 to 4 sessions later", mutate=_repeated),
    Payout(name="gain_twice", rule="capital_gains_twice", size="2.4 to 9 % of the price taken off again", mutate=_gain_twice, funds=True),
)
