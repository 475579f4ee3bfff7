"""Faults of realistic size for bars: missing and impossible rows, wrong units, splits, spikes, volumes."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trader_pipeline import calendar
from trader_pipeline.bench.quality_market import PRICES, Injured
from trader_pipeline.sources.sample import EXCHANGE

Rng = np.random.Generator
Days = tuple[dt.date, dt.date]
Mutate = Callable[[Injured, Rng, int, int], Days]
"""Change the ticker whose row `at` was chosen and whose last row is `end - 1`; return the first and last day changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of fault and the rule that is there for it. `size` says how large it is made."""

    name: str
    rule: str
    size: str
    mutate: Mutate
    two_sources: bool = False
    at_end: bool = False


def _days(now: Injured, first: int, last: int) -> Days:
    session_R = now.columns["session"]
    return session_R[first].item(), session_R[last].item()


def _scale(now: Injured, rows: slice, factor: float, names: tuple[str, ...] = PRICES) -> None:
    for name in names:
        now.columns[name][rows] = now.columns[name][rows] * factor


def _missing(now: Injured, rng: Rng, at: int, _: int) -> Days:
    n = int(rng.integers(1, 9))
    now.dropped += range(at, at + n)
    return _days(now, at, at + n - 1)


def _null(now: Injured, rng: Rng, at: int, _: int) -> Days:
    n = int(rng.integers(1, 4))
    for name in PRICES if rng.random() < 0.5 else ("close",):  # noqa: PLR2004 - half of them
        now.columns[name][at : at + n] = np.nan
    return _days(now, at, at + n - 1)


def _twice(now: Injured, rng: Rng, at: int, _: int) -> Days:
    close = float(now.columns["close"][at]) * 1.001
    other: dict[str, object] = {"close": close, "high": max(float(now.columns["high"][at]), close)}
    now.added.append((at, other if rng.random() < 0.5 else {}))  # noqa: PLR2004 - half of them
    return _days(now, at, at)


def _off_calendar(now: Injured, rng: Rng, at: int, _: int) -> Days:
    day: dt.date = now.columns["session"][at + int(rng.integers(0, 5))].item()
    while calendar.is_session(EXCHANGE, day):
        day += dt.timedelta(days=1)
    now.added.append((at, {"session": np.datetime64(day)}))
    return day, day


def _future(now: Injured, rng: Rng, at: int, _: int) -> Days:
    last: dt.date = now.columns["session"].max().item()
    day = calendar.offset(EXCHANGE, last, int(rng.integers(1, 4)))
    now.added.append((at, {"session": np.datetime64(day)}))
    return day, day


def _disordered(now: Injured, rng: Rng, at: int, _: int) -> Days:
    columns, by = now.columns, float(rng.uniform(0.01, 0.05))
    low, high = float(columns["low"][at]), float(columns["high"][at])
    which = rng.integers(0, 3)
    if which == 0:
        columns["low"][at], columns["high"][at] = high * (1 + by), low
    elif which == 1:
        columns["low"][at] = min(float(columns["open"][at]), float(columns["close"][at])) * (1 + by)
    else:
        columns["high"][at] = max(float(columns["open"][at]), float(columns["close"][at])) * (1 - by)
    return _days(now, at, at)


def _not_positive(now: Injured, rng: Rng, at: int, _: int) -> Days:
    name = str(rng.choice(PRICES))
    now.columns[name][at] = rng.choice([0.0, -float(now.columns[name][at]), np.inf])
    return _days(now, at, at)


def _unit(factor: float) -> Mutate:
    def mutate(now: Injured, rng: Rng, at: int, _: int) -> Days:
        n = int(rng.choice([1, 1, 2, 5, 10]))
        _scale(now, slice(at, at + n), factor)
        return _days(now, at, at + n - 1)

    return mutate


def _split(now: Injured, rng: Rng, at: int, end: int) -> Days:
    ratio = float(rng.choice([2, 2, 3, 4, 5, 10, 20, 1 / 5, 1 / 10]))
    _scale(now, slice(at, end), 1 / ratio)
    _scale(now, slice(at, end), ratio, ("volume_shares",))
    return _days(now, at, at)


def _split_late(now: Injured, rng: Rng, at: int, end: int) -> Days:
    ratio, late = float(rng.choice([2, 2, 3, 4, 5, 10, 20, 1 / 5, 1 / 10])), int(rng.integers(2, 6))
    _scale(now, slice(at + late, end), 1 / ratio)
    _scale(now, slice(at + late, end), ratio, ("volume_shares",))
    session, ticker = now.columns["session"][at].item(), now.columns["ticker"][at]
    known = {"known_at": now.columns["known_at"][0].item().replace(tzinfo=dt.UTC), "known_at_basis": "assumed", "source": "sample"}
    now.actions.append(known | {"ticker": ticker, "session": session, "kind": "split", "value": ratio})
    return _days(now, at, at + late)


def _stuck(now: Injured, rng: Rng, at: int, _: int) -> Days:
    n, which, columns = int(rng.integers(4, 10)), int(rng.integers(0, 3)), now.columns
    close = float(columns["close"][at])
    for row in range(at + 1, at + 1 + n):
        for name in PRICES:
            columns[name][row] = columns[name][at] if which == 0 else close if which == 1 or name == "close" else columns[name][row]
        columns["low"][row] = min(float(columns[name][row]) for name in PRICES)
        columns["high"][row] = max(float(columns[name][row]) for name in PRICES)
    return _days(now, at, at + n)


def _untraded(now: Injured, rng: Rng, at: int, _: int) -> Days:
    n = int(rng.integers(1, 4))
    now.columns["volume_shares"][at : at + n] = 0.0
    return _days(now, at, at + n - 1)


def _volume_unit(now: Injured, rng: Rng, at: int, _: int) -> Days:
    n, factor = int(rng.integers(1, 21)), float(rng.choice([0.001, 0.01, 100, 1000]))
    _scale(now, slice(at, at + n), factor, ("volume_shares",))
    return _days(now, at, at + n - 1)


def _spike(now: Injured, rng: Rng, at: int, _: int) -> Days:
    size = 1 + float(rng.uniform(0.3, 0.6))
    factor = size if rng.random() < 0.5 else 1 / size  # noqa: PLR2004 - half of them
    _scale(now, slice(at, at + 1), factor, PRICES if rng.random() < 2 / 3 else ("close",))
    now.columns["low"][at] = min(float(now.columns[name][at]) for name in PRICES)
    now.columns["high"][at] = max(float(now.columns[name][at]) for name in PRICES)
    return _days(now, at, at)


def _stale(now: Injured, rng: Rng, _: int, end: int) -> Days:
    n = int(rng.integers(2, 21))
    now.dropped += range(end - n, end)
    return _days(now, end - n - 1, end - 1)


def _disagree(now: Injured, rng: Rng, at: int, _: int) -> Days:
    _scale(now, slice(at, at + 1), 1 + float(rng.uniform(0.01, 0.05)) * float(rng.choice([-1, 1])))
    return _days(now, at, at)


def _level(now: Injured, rng: Rng, at: int, end: int) -> Days:
    _scale(now, slice(at, end), float(rng.choice([10, 0.1, 1000, 0.001, 3.37, 1 / 3.37])))
    return _days(now, at, at)


def _wick(now: Injured, rng: Rng, at: int, _: int) -> Days:
    factor = float(rng.choice([2.2, 3, 10]))
    name, by = ("high", factor) if rng.random() < 0.5 else ("low", 1 / factor)  # noqa: PLR2004 - half of them
    _scale(now, slice(at, at + 1), by, (name,))
    return _days(now, at, at)


def _close_apart(now: Injured, rng: Rng, at: int, _: int) -> Days:
    _scale(now, slice(at, at + 1), float(rng.choice([2.5, 0.4])), ("close",))
    now.columns["low"][at] = min(float(now.columns[name][at]) for name in PRICES)
    now.columns["high"][at] = max(float(now.columns[name][at]) for name in PRICES)
    return _days(now, at, at)


def _quiet_spike(now: Injured, rng: Rng, at: int, end: int) -> Days:
    close = now.columns["close"][at - 20 : min(at + 20, end)]
    usual = 1.4826 * float(np.nanmedian(np.abs(np.diff(np.log(close)))))
    size = np.exp(max(float(rng.uniform(0.12, 0.2)), 15 * usual))
    _scale(now, slice(at, at + 1), float(size if rng.random() < 0.5 else 1 / size))  # noqa: PLR2004 - half of them
    return _days(now, at, at)


def _volume_level(now: Injured, rng: Rng, at: int, end: int) -> Days:
    _scale(now, slice(at, end), float(rng.choice([0.001, 0.01, 100, 1000])), ("volume_shares",))
    return _days(now, at, at)


def _no_volume(now: Injured, _: Rng, at: int, end: int) -> Days:
    first = at
    while first > 0 and now.columns["ticker"][first - 1] == now.columns["ticker"][at]:
        first -= 1
    now.columns["volume_shares"][first:end] = 0.0
    return _days(now, first, end - 1)


KINDS = (
    Kind(name="missing_sessions", rule="missing_dates", size="1 to 8 sessions in a row", mutate=_missing),
    Kind(name="null_closes", rule="nan_ratio", size="close, or all four prices, on 1 to 3 rows", mutate=_null),
    Kind(name="duplicate_rows", rule="duplicates", size="a row again, half with another close", mutate=_twice),
    Kind(name="off_calendar_rows", rule="off_calendar", size="a row on a day without a session", mutate=_off_calendar),
    Kind(name="future_rows", rule="off_calendar", size="a row 1 to 3 sessions ahead", mutate=_future),
    Kind(name="ohlc_inversions", rule="ohlc_order", size="low or high 1 to 5 % beyond open and close", mutate=_disordered),
    Kind(name="impossible_prices", rule="ohlc_order", size="one price 0, negative or infinite", mutate=_not_positive),
    Kind(name="prices_100x", rule="price_unit", size="all prices of 1 to 10 rows times 100", mutate=_unit(100)),
    Kind(name="prices_0.01x", rule="price_unit", size="all prices of 1 to 10 rows by 100", mutate=_unit(0.01)),
    Kind(name="split_without_action", rule="split_jump", size="2:1 to 20:1, 1:5, 1:10 from a row on", mutate=_split),
    Kind(name="split_too_late", rule="split_applied", size="a known split takes effect 2 to 5 rows late", mutate=_split_late),
    Kind(name="stuck_prices", rule="stuck_prices", size="bar, last price or close for 4 to 9 more rows", mutate=_stuck),
    Kind(name="zero_volume", rule="zero_volume", size="0 on 1 to 3 rows", mutate=_untraded),
    Kind(name="volume_unit", rule="volume_unit", size="0.001, 0.01, 100 or 1000 times, 1 to 20 rows", mutate=_volume_unit),
    Kind(name="outlier_spikes", rule="outlier_returns", size="30 to 60 % up or down for a row; a third the close alone", mutate=_spike),
    Kind(name="stale_tickers", rule="staleness", size="the last 2 to 20 rows gone", mutate=_stale, at_end=True),
    Kind(
        name="sources_disagree",
        rule="source_disagreement",
        size="one of two sources off by 1 to 5 % on a row",
        mutate=_disagree,
        two_sources=True,
    ),
    Kind(
        name="level_shift",
        rule="split_jump",
        size="prices times or by 10, 1000, 3.37 from a row on",
        mutate=_level,
    ),
    Kind(name="wicks", rule="price_spike", size="a high times, or a low by, 2.2, 3 or 10", mutate=_wick),
    Kind(name="closes_apart", rule="price_spike", size="a close times 2.5 or 0.4, its bar stretched to hold it", mutate=_close_apart),
    Kind(
        name="quiet_spikes",
        rule="outlier_returns",
        size="a whole bar off by 12 to 20 %, at least 15 times what the stock moves",
        mutate=_quiet_spike,
    ),
    Kind(name="volume_level", rule="volume_unit", size="0.001, 0.01, 100 or 1000 times from a row on", mutate=_volume_level),
    Kind(name="no_volume", rule="zero_volume", size="0 on every row", mutate=_no_volume),
)
