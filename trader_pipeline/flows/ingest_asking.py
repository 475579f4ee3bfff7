"""Ask a feed, store what comes batch by batch, and tell how far it is."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from trader_pipeline.flows.ingest_batch import Batch, Sink
from trader_pipeline.settings import Settings
from trader_pipeline.sources.source import Feed, FetchResult


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchProgress:
    """How far a fetch is: `done` tickers of `of`, what they cost, and the seconds since it began."""

    feed: str
    done: int
    of: int
    requests: int
    retries: int
    throttled: int
    seconds: float


class Counted:
    """Asks a feed for `of` tickers and reports after every answer."""

    def __init__(self, feed: Feed, settings: Settings, report: Callable[[FetchProgress], None], of: int) -> None:
        self.feed, self.settings, self.report, self.of = feed, settings, report, of
        self.done = self.requests = self.retries = self.throttled = 0
        self.began = time.monotonic()

    def into(self, sink: Sink) -> None:
        """Ask, and store what comes, batch by batch; on an error or an interrupt what came is stored first."""
        batch = Batch()
        answers = self.feed.fetch(sink.request, self.settings)
        try:
            for result in answers:
                batch.add(result)
                self._count(result)
                if batch.full:
                    sink.store(batch)
        finally:
            if close := getattr(answers, "close", None):
                close()  # a generator ends its threads here
            sink.store(batch)

    def _count(self, result: FetchResult) -> None:
        self.done += len(result.attempts)
        self.requests += sum(a.requests for a in result.attempts)
        self.retries += sum(a.retries for a in result.attempts)
        self.throttled += sum(a.throttled for a in result.attempts)
        counts = {name: getattr(self, name) for name in ("done", "of", "requests", "retries", "throttled")}
        self.report(FetchProgress(feed=self.feed.name, seconds=time.monotonic() - self.began, **counts))
