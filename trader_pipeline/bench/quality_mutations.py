"""Faults of realistic size put into the samples, and how many of them each rule finds: recall, and precision beside the unharmed data.

A pass changes every clean ticker once, each on rows of its own; a deep ticker counts as one a year. A mutation is found when the
rule objects to that ticker over those days. An objection is right when it lies within two sessions of a mutation; what the rule
says of the unharmed data is not counted against it.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from trader_pipeline.bench import quality_facts, quality_payouts
from trader_pipeline.bench.quality_bars import KINDS, Days, Kind
from trader_pipeline.bench.quality_fact import Fact
from trader_pipeline.bench.quality_market import MARGIN, Flag, Injured, Market, flags, injured, markets, twice
from trader_pipeline.schema.core import CORPORATE_ACTIONS

NEAR_DAYS = 4
"""Two sessions and a weekend: as far as an objection may reach beyond the rows that were changed."""

LONGEST = 10
"""Sessions that are kept free of other mutations after a row that is changed, unless the session has many tickers."""

TRIES = 50
"""Rows of a ticker that are tried before it is left alone in this pass."""

Rng = np.random.Generator


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
    by_kind: list[tuple[Kind | Fact | quality_payouts.Payout, Tally]] = []
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
