"""Whether what came is to be relied on: how many tickers lack their last session, and why."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from trader_pipeline.errors import SourceUnavailableError, UsageError
from trader_pipeline.flows.ingest_plan import Plan
from trader_pipeline.flows.ingest_stored import Stored
from trader_pipeline.lake import Snapshot
from trader_pipeline.sources.source import Attempt

FAILED = frozenset({"throttled", "transient_exhausted", "unknown_symbol", "schema_change"})
FAILED_TICKERS = 2
FAILED_RATIO = 0.02
"""More failed tickers than both of these, of all that the run wants, fail the fetch, after what came was published."""

Said = tuple[str, str | None]
"""Outcome and detail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The tickers that no source has brought or answered, each with what was said last, and how many are wanted."""

    source: str
    failed: Mapping[str, Said]
    wanted: int
    changed: Mapping[str, Said]
    """Tickers whose answer had another form than we read, whether or not another source brought them."""
    nothing: bool
    """Nothing that was asked for came."""

    def raise_if_unavailable(self) -> None:
        """Raise `SourceUnavailableError` when too many are missing, when nothing came, or when an answer changed its form."""
        failed = len(self.failed)
        too_many = failed > FAILED_TICKERS and failed > FAILED_RATIO * self.wanted
        if not (self.changed or too_many or self.nothing):
            return
        said = {**self.changed, **self.failed}
        detail = next((f" ({ticker}: {words})" for ticker, (_, words) in said.items() if words), "")
        raise SourceUnavailableError(
            f"{self.source}: {_said(said)} of {self.wanted} tickers{detail}; what came is stored, run again later to ask for the rest"
        )


def of_one(plan: Plan, attempts: Iterable[Attempt], unknown_before: Collection[str]) -> Coverage:
    """Return the coverage of a feed that stands alone. A ticker that was unknown before is no news."""
    said = {a.ticker: (a.outcome, a.detail) for a in attempts if a.outcome != "unknown_symbol" or a.ticker not in unknown_before}
    failed = {ticker: words for ticker, words in said.items() if words[0] in FAILED}
    complete = {s.asked for s in plan.stored.subjects} - set(plan.due) - plan.benchmark
    changed = {ticker: words for ticker, words in said.items() if words[0] == "schema_change"}
    wanted = len(said) + len(complete)
    return Coverage(source=plan.feed.source, failed=failed, wanted=wanted, changed=changed, nothing=bool(failed) and len(failed) == wanted)


def of_all(plan: Plan, snapshot: Snapshot, unknown_before: Collection[str]) -> Coverage:
    """Return the coverage of all sources of bars together, when the last of them was asked; `snapshot` is the lake afterwards."""
    now = Plan(feed=plan.feed, stored=Stored(snapshot, plan.stored.subjects), as_of=plan.as_of, bars=plan.bars)
    wanted = [subject.asked for subject in plan.stored.subjects]
    since = min(plan.cutoffs.values())
    said = {feed.source: now.stored.last_outcomes(feed, wanted, since) for feed in plan.bars}
    lacking = [symbol for symbol in wanted if symbol not in now.complete]
    words = {symbol: [found[symbol] for found in said.values() if symbol in found] for symbol in lacking}
    failed = {symbol: answers[-1] for symbol, answers in words.items() if answers and all(outcome in FAILED for outcome, _ in answers)}
    failed = {s: answer for s, answer in failed.items() if answer[0] != "unknown_symbol" or s not in unknown_before}
    changed = {symbol: answer for found in said.values() for symbol, answer in found.items() if answer[0] == "schema_change"}
    asked = {symbol for symbol in wanted if symbol in now.complete or symbol not in unknown_before}
    return Coverage(
        source=" + ".join(feed.source for feed in plan.bars),
        failed=failed,
        wanted=len(asked),
        changed=changed,
        nothing=bool(failed) and (asked - plan.benchmark or asked) <= set(failed),
    )


def refuse_unknown(plan: Plan, snapshot: Snapshot, tickers: tuple[str, ...] | None) -> None:
    """Raise `UsageError` when the run names tickers and no source of bars knows any of them."""
    if not tickers:
        return
    last = Stored(snapshot, plan.stored.subjects).last_outcomes(plan.feed, tickers)
    unknown = all(last.get(ticker, ("",))[0] == "unknown_symbol" for ticker in tickers)
    if unknown and not any(ticker in marks for marks in plan.marks.values() for ticker in tickers):
        raise UsageError(f"{plan.feed.source} knows none of {_shown(list(tickers))}; check the spelling of the tickers")


def _said(said: Mapping[str, Said]) -> str:
    by_outcome: dict[str, list[str]] = {}
    for ticker, (outcome, _) in said.items():
        by_outcome.setdefault(outcome, []).append(ticker)
    return "; ".join(f"{outcome}: {_shown(tickers)}" for outcome, tickers in sorted(by_outcome.items()))


def _shown(tickers: list[str], most: int = 20) -> str:
    rest = f" and {len(tickers) - most} more" if len(tickers) > most else ""
    return ", ".join(sorted(tickers)[:most]) + rest
