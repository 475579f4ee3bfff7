"""What each row of a vendor's series says of cash paid: listed, taken off the adjusted closes, and shown by the price."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.series import LEAST_NOISE, Days, Floats, Series, local_noise, vendor_series
from trader_pipeline.checks.splits import unlisted_steps, without_split_before

WAIT_ROWS = 10
"""A price that nobody traded on the ex-date shows the cash on the next row that was, up to this many later."""

FLOAT_NOISE = 3e-6
"""Relative; prices come as 32-bit floats and are written with six digits."""

HARD = 1.5
"""Rounding is a bound, not a scatter: half as much again is beyond it."""

MOST_DECIMALS = 6

LEVELS = ("price_unit", "split_applied")
"""Rules that say of prices that all of them are off by one factor."""
SOME_SIGMAS = 2
"""The day speaks against cash when the price fell two standard deviations less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """Cash at row `t`, per share of the row's basis. `before` is the close before it.

    `cash`: listed, 0 for none; `gain`: the capital gain beside it; `split`: ratio of a split of the same row, else 1.
    `taken`: cash that the adjusted closes take off, NaN where there are none; `rounding`: the most that rounding can do to it.
    `drop`: largest fall of the price by then as a share of `before`, NaN where nothing traded; `drop_open`, `drop_close`: of the
    open and the close. `sigma`: what the price moves anyway by then, robust standard deviation as a share; `sigma_open`: by the open.
    """

    t: int
    before: float
    cash: float
    gain: float
    split: float
    taken: float
    rounding: float
    drop: float
    drop_open: float
    drop_close: float
    sigma: float
    sigma_open: float

    @property
    def share(self) -> float:
        """The cash as a share of the close before."""
        return self.cash / self.before

    def unpaid(self, cash: float) -> float:
        """Return by how many standard deviations the price fell less than `cash` asks for, and at least by half of it, else 0.

        Prices move less overnight, when they go ex: where the day speaks against the cash too, the open counts, unless it
        repeats the close.
        """
        share = cash / self.before
        missing = share - max(self.drop, 0.0)
        if missing <= share / 2:
            return 0.0
        sigmas = missing / self.sigma
        overnight = (share - max(self.drop_open, 0.0)) / self.sigma_open if self.drop_open else 0.0
        return max(sigmas, overnight) if sigmas > SOME_SIGMAS else sigmas


_DOUBTFUL = """
with ordered as (
  select ticker, source, session, close, dividend, coalesce(dividend, 0) as cash, coalesce(capital_gain, 0) as gain,
    adj_close / close as factor, lag(close) over w as before, lag(adj_close / close) over w as factor_before
  from vendor_prices where close > 0 window w as (partition by ticker, source order by session)
), paid as (
  select *, before * (1 - factor_before / factor) as taken from ordered where before is not null
), dividends as (
  select ticker, source, session - lag(session) over w as gap, cash / lag(cash) over w as ratio, cash / before as share,
    median(cash / before) over (partition by ticker, source) as usual
  from paid where cash > 0 window w as (partition by ticker, source order by session)
)
select ticker, source from paid where dividend is not null
  and (gain > 0 or cash > 0.03 * before or abs(taken - cash) > greatest(0.05 * cash, 1e-4 * before))
union select ticker, source from dividends where gap <= 20 or share < usual / 30 or usual < 0.001
"""
"""Series that some rule may object to: each line is wider than the rule's own."""


def paying_series(context: CheckContext) -> list[tuple[Series, list[Payout]]]:
    """Return each daily or slower series of `vendor_prices` on which a rule may have something to say, with its payouts, oldest first.

    Payouts beside a row whose unit or split is at fault are left out: cash cannot be compared with such prices.
    """
    if "payouts" not in context.memo:
        context.memo["payouts"] = list(_paying_series(context))
    found: list[tuple[Series, list[Payout]]] = context.memo["payouts"]
    return found


def _paying_series(context: CheckContext) -> Iterator[tuple[Series, list[Payout]]]:
    spacings = {(row["ticker"], row["source"]): row["spacing"] for row in context.rows("select ticker, source, spacing from series")}
    rows = context.rows(_DOUBTFUL)
    chosen = {key for row in rows if spacings.get(key := (row["ticker"], row["source"])) != "intraday"}
    doubtful, other_basis = _doubtful_days(context), without_split_before(context)
    for series in vendor_series(context, chosen, spacings):
        if len(series.day_T) > 1:
            key = (series.ticker, series.source)
            wrong_T = np.isin(series.day_T, doubtful.get(key, [])) | (series.day_T < other_basis.get(key, np.datetime64("NaT")))
            yield series, [payout for payout in payouts_of(series) if not wrong_T[payout.t - 1 : payout.t + 2].any()]


def _doubtful_days(context: CheckContext) -> dict[tuple[str, str], Days]:
    """Return the days of each ticker and source on which the rules on levels found prices in another unit or on another split's basis.

    Of a step without an action that stays, that is its own row: cash before it is on one basis with the prices before it.
    """
    found = context.quarantine.filter(pc.is_in(context.quarantine["rule"], pa.array(LEVELS)))
    days = unlisted_steps(context)
    for row in found.select(["ticker", "source", "session"]).to_pylist():
        days.setdefault((row["ticker"], row["source"]), []).append(row["session"])
    return {key: np.array(own, dtype="datetime64[D]") for key, own in days.items()}


def payouts_of(series: Series) -> list[Payout]:
    """Return what rows with cash, listed or taken off, say; the first row says nothing."""
    close_T = series.close_T
    factor_T = series.adj_T / close_T
    kept_T = factor_T[:-1] / factor_T[1:]
    exact_T = _rounding(series)
    cash_T = np.nan_to_num(series.dividend_T)
    listed_T = cash_T[1:] > 0
    if series.spacing == "daily":
        off_T = np.nan_to_num(np.abs(1 - kept_T)) > np.maximum(HARD * exact_T, 1e-4)
    else:
        off_T = np.zeros(len(kept_T), dtype=bool)  # a longer bar is adjusted at its own row or at the next: judged where cash is listed
    return [_payout(series, factor_T, exact_T, int(i) + 1) for i in np.flatnonzero(listed_T | off_T)]


def _payout(series: Series, factor_T: Floats, exact_T: Floats, t: int) -> Payout:
    close_T = series.close_T
    before = float(close_T[t - 1])
    after = t if series.spacing == "daily" else min(t + 1, len(close_T) - 1)
    kept = float(factor_T[t - 1] / factor_T[after])
    split = float(series.split_T[t])
    if split != 1 and abs(math.log(abs(kept)) + math.log(split)) < abs(math.log(split)) / 3:
        kept *= split  # closes as traded, adjusted closes with splits
    (drop, drop_open, drop_close), waited = _fall(series, t)
    return Payout(
        t=t,
        before=before,
        cash=float(np.nan_to_num(series.dividend_T[t])),
        gain=float(np.nan_to_num(series.gain_T[t])),
        split=split,
        taken=before * (1 - kept),
        rounding=before * float(exact_T[t - 1]),
        drop=drop,
        drop_open=drop_open,
        drop_close=drop_close,
        sigma=local_noise(np.diff(np.log(close_T), prepend=np.nan), t) * math.sqrt(waited),
        sigma_open=local_noise(np.log(series.price_T4[1:, 0] / close_T[:-1]), t - 1, least=LEAST_NOISE / 2) * math.sqrt(waited),
    )


def _rounding(series: Series) -> Floats:
    """Return by how much writing prices with few digits can change each step of adjusted over plain closes (T - 1).

    Closes written in coarser steps than the adjusted ones are ticks, and exact.
    """
    adjusted, plain = _quantum(series.adj_T), _quantum(series.close_T)
    relative_T = adjusted / 2 / np.abs(series.adj_T) + FLOAT_NOISE
    if adjusted >= plain:
        relative_T = relative_T + plain / 2 / series.close_T
    return np.asarray(relative_T[:-1] + relative_T[1:])


def _quantum(value_T: Floats) -> float:
    """Return the smallest power of ten that all values are written in."""
    known = value_T[np.isfinite(value_T)]
    for decimals in range(MOST_DECIMALS + 1):
        if len(known) and np.allclose(known, np.round(known, decimals), rtol=1e-6, atol=0):
            return float(10.0**-decimals)
    return 0.0


def _fall(series: Series, t: int) -> tuple[tuple[float, float, float], int]:
    """Return the largest fall from the close before, the open's and the close's, of the first row that shows one, and the rows it took.

    A longer bar shows its own payout, or the next does.
    """
    close_T = series.close_T
    before = close_T[t - 1]
    slow = series.spacing != "daily"
    for waited, row in enumerate(range(t, min(t + WAIT_ROWS, len(close_T))), start=1):
        if series.traded_T[row] or not math.isclose(close_T[row], before, rel_tol=1e-6):
            prices = (np.nanmin(series.price_T4[row : row + 1 + slow]), series.price_T4[row, 0], close_T[row])
            low, opened, closed = (float(1 - price / before) for price in prices)
            return (low, opened, closed), waited + slow
    return (math.nan, math.nan, math.nan), WAIT_ROWS
