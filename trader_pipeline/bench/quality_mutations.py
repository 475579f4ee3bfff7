"""Faults of realistic size put into the samples, and how many of them each rule finds: recall, and precision beside the unharmed data.

A pass changes every clean ticker once, each on rows of its own; a deep ticker counts as one a year. A mutation is found when the
rule objects to that ticker over those days. An objection is right when it lies within two sessions of a mutation; what the rule
says of the unharmed data is not counted against it.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from trader_pipeline import calendar
from trader_pipeline.bench import quality_facts, quality_payouts
from trader_pipeline.bench.quality_market import MARGIN, PRICES, Flag, Injured, Market, flags, injured, markets, twice
from trader_pipeline.schema.core import CORPORATE_ACTIONS
from trader_pipeline.sources.sample import EXCHANGE

NEAR_DAYS = 4
"""Two sessions and a weekend: as far as an objection may reach beyond the rows that were changed."""

LONGEST = 10
"""Sessions that are kept free of other mutations after a row that is changed, unless the session has many tickers."""

TRIES = 50
"""Rows of a ticker that are tried before it is left alone in this pass."""

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
)


@dataclass(slots=True)
class Tally:
    """Mutations made and found; objections right and wrong."""

    made: int = 0
    found: int = 0
    right: int = 0
    wrong: int = 0

    def add(self, sites: dict[str, Days], said: list[Flag], before: set[Flag]) -> None:
        """Count one pass: `before` is what the rule says of the unharmed data."""
        self.made += len(sites)
        found = set()
        near = dt.timedelta(days=NEAR_DAYS)
        for ticker, first, last in said:
            if (ticker, first, last) in before:
                continue
            site = sites.get(ticker)
            right = site is not None and first >= site[0] - near and last <= site[1] + near
            if site is not None and first <= site[1] and last >= site[0]:
                found.add(ticker)
            self.right += right
            self.wrong += not right
        self.found += len(found)

    def __add__(self, other: "Tally") -> "Tally":
        """Return both counted together."""
        return Tally(self.made + other.made, self.found + other.found, self.right + other.right, self.wrong + other.wrong)

    @property
    def figures(self) -> dict[str, float | int]:
        """Recall and precision, and what they are of."""
        said = self.right + self.wrong
        return {
            "recall": self.found / self.made if self.made else 0.0,
            "precision": self.right / said if said else 0.0,
            "mutations": self.made,
            "found": self.found,
            "objections": said,
        }


def measure(mutations: int = 1000, *, seed: int = 20260105, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return recall and precision over `mutations` faults of each kind: `mutations` by rule, `mutation_kinds` by kind.

    `only` names rules; without it, all. The same seed gives the same figures.
    """
    by_kind: list[tuple[Kind | quality_facts.Fact | quality_payouts.Payout, Tally]] = []
    samples = markets()
    for number, kind in enumerate(KINDS):
        if not only or kind.rule in only:
            by_kind.append((kind, _bars(kind, samples, mutations, np.random.default_rng([seed, number]))))
    for number, fact in enumerate(quality_facts.KINDS):
        if not only or fact.rule in only:
            by_kind.append((fact, _counted(quality_facts.passes(fact, mutations, np.random.default_rng([seed, 1000 + number])))))
    for number, payout in enumerate(quality_payouts.KINDS):
        if not only or payout.rule in only:
            of_broad = quality_payouts.passes(payout, samples[-1], mutations, np.random.default_rng([seed, 2000 + number]))
            by_kind.append((payout, _counted(of_broad)))
    by_rule: dict[str, Tally] = {}
    for kind_or_fact, tally in by_kind:
        by_rule[kind_or_fact.rule] = by_rule.get(kind_or_fact.rule, Tally()) + tally
    return {
        "mutations": {rule: tally.figures for rule, tally in by_rule.items()},
        "mutation_kinds": {kind.name: {"rule": kind.rule, "size": kind.size, **tally.figures} for kind, tally in by_kind},
    }


def _counted(passes: Iterable[tuple[dict[str, Days], list[Flag], set[Flag]]]) -> Tally:
    tally = Tally()
    for sites, said, before in passes:
        tally.add(sites, said, before)
    return tally


def _bars(kind: Kind, samples: list[Market], mutations: int, rng: Rng) -> Tally:
    tally = Tally()
    told = [twice(market, rng) for market in samples] if kind.two_sources else samples
    before = [set(flags(market, kind.rule)) for market in told]
    while tally.made < mutations:
        for market, known in zip(told, before, strict=True):
            if tally.made < mutations:
                now = injured(market)
                sites = _mutate(kind, market, now, rng, mutations - tally.made)
                tally.add(sites, flags(market, kind.rule, now), known)
    return tally


def _mutate(kind: Kind, market: Market, now: Injured, rng: Rng, most: int) -> dict[str, Days]:
    newest, room = market.columns["session"].max(), _room(market)
    splits = {row["ticker"]: np.datetime64(row["session"]) for row in market.beside[CORPORATE_ACTIONS].to_pylist()}
    sites: dict[str, Days] = {}
    for ticker, (start, end) in sorted(market.starts.items(), key=lambda _: rng.random()):
        if kind.two_sources:
            end = start + (end - start) // 2  # noqa: PLW2901 - the rows of one of the two sources
        if ticker not in market.clean or end - start < 3 * MARGIN or len(sites) == most:
            continue
        if kind.at_end and market.columns["session"][end - 1] != newest:
            continue
        for _ in range(TRIES):
            at = int(rng.integers(start + MARGIN, end - MARGIN))
            touched = [day.item() for day in market.columns["session"][at : at + LONGEST]]
            near_split = ticker in splits and abs(market.columns["session"][at] - splits[ticker]) < np.timedelta64(2 * MARGIN, "D")
            if not near_split and (kind.at_end or min(room[day] for day in touched) >= 1):
                room.update({day: room[day] - 1 for day in touched})
                sites[ticker] = kind.mutate(now, rng, at, end)
                break
    return sites


def _room(market: Market) -> dict[dt.date, float]:
    """Return how many tickers a session may be changed of: a tenth of those that have it, none where it is a hole itself."""
    days, counts = np.unique(market.columns["session"], return_counts=True)
    usual = np.median(counts)
    return {day.item(): max(1.0, n / 10) if n > usual * 0.9 else 0.0 for day, n in zip(days, counts, strict=True)}
