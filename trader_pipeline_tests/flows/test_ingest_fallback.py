"""A refetch with source=fallback asks the stand-ins again, although they had nothing new before; the only source where there is one."""

import datetime as dt

import pytest

from trader_pipeline import calendar
from trader_pipeline.defs.resources import RunOptions
from trader_pipeline.errors import UsageError
from trader_pipeline.flows import universe
from trader_pipeline.flows.freshness import staleness
from trader_pipeline.flows.ingest import ingest, is_due
from trader_pipeline.flows.ingest_plan import bars_in_order
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.lake import Lake
from trader_pipeline.settings import FmpSettings, SourceSettings
from trader_pipeline.sources import feeds_of
from trader_pipeline_tests.fake_fmp import BARS, KEY, STABLE, FakeFmp
from trader_pipeline_tests.fake_world import World
from trader_pipeline_tests.fake_yahoo import FakeYahoo
from trader_pipeline_tests.fast import FAST
from trader_pipeline_tests.sources.asking_yahoo import settings_for

FIRST, TODAY = dt.date(2025, 3, 3), dt.date(2025, 6, 2)
OLD = dt.date(2025, 5, 28)  # three sessions before
AS_OF = calendar.known_at("XNYS", TODAY)
TICKERS = ("AAA", "BBB", "SPY")


class Vendors:
    """Yahoo and FMP, both of which know the market up to `OLD`, and a lake."""

    def __init__(self, home, yahoo, fmp, order):
        self.yahoo, self.fmp = yahoo, fmp
        asking = FmpSettings(base_url=fmp.url + STABLE, api_key=KEY, attempts=2, **FAST)
        chosen = {"dataset": "live", "live_first_session": str(FIRST), "fmp": asking, "sources": SourceSettings(bars=order)}
        self.settings = settings_for(home, yahoo.url).model_copy(update=chosen)
        universe.add(self.settings.universe_file, "default", list(TICKERS), added=FIRST)
        self.minutes = 0
        self.lake = Lake(self.settings.dataset_home / "lake", "live")

    def run(self, **options):
        """Ask the sources in their order; return how often each was asked, in requests for bars."""
        self.minutes += 5
        at = AS_OF + dt.timedelta(minutes=self.minutes)
        before = [sum(self.yahoo.requests(t) for t in TICKERS), self.fmp.hits[BARS]]
        feeds = [feed for feed in feeds_of(self.settings) if feed.kind == "bars"]
        for feed in bars_in_order(feeds[0], self.settings):
            ingest(self.lake, feed, self.settings, as_of=AS_OF, fetched_at=at, run_id="r", **options)
        standardize(self.lake, tuple(feeds), as_of=AS_OF, run_id="r", symbols_file=self.settings.symbols_file)
        after = [sum(self.yahoo.requests(t) for t in TICKERS), self.fmp.hits[BARS]]
        return [now - then for now, then in zip(after, before, strict=True)]

    def behind(self):
        return staleness(self.lake, as_of=AS_OF)["core.daily_bars"]


@pytest.fixture
def vendors(tmp_path):
    with FakeYahoo(World(first=FIRST, today=OLD)) as yahoo, FakeFmp(World(first=FIRST, today=OLD)) as fmp:
        yield lambda *order: Vendors(tmp_path / "home", yahoo, fmp, order)


def test_a_stand_in_is_asked_again_and_the_first_choice_is_not(vendors):
    found = vendors("yahoo", "fmp")
    assert found.run() == [3, 3]
    assert found.behind() == 3
    found.fmp.world.today = TODAY
    assert found.run() == [0, 0]  # both had answered since the close
    assert found.run(fallback=True) == [0, 3]
    assert found.behind() == 0
    assert found.run(fallback=True) == [0, 0]  # nothing is lacking any more


def test_the_only_source_is_asked_again(vendors):
    found = vendors("yahoo")
    assert found.run() == [3, 0]
    found.yahoo.world.today = TODAY
    assert found.run() == [0, 0]
    assert found.run(fallback=True) == [3, 0]
    assert found.behind() == 0


def test_a_stand_in_without_its_key_leaves_one_source(vendors):
    found = vendors("yahoo", "fmp")
    found.settings.fmp.api_key = None
    found.run()
    found.yahoo.world.today = TODAY
    assert found.run(fallback=True) == [3, 0]
    assert found.behind() == 0


def test_the_first_choice_is_asked_for_what_it_was_not_asked_yet(vendors):
    found = vendors("yahoo", "fmp")
    found.yahoo.world.today = TODAY
    assert found.run(fallback=True) == [3, 0]
    assert found.behind() == 0


def test_what_is_due_does_not_change(vendors):
    found = vendors("yahoo", "fmp")
    found.run()
    assert not is_due(found.lake, feeds_of(found.settings), found.settings, as_of=AS_OF)


def test_another_word_is_refused():
    assert (RunOptions().fallback, RunOptions(source="fallback").fallback) == (False, True)
    with pytest.raises(UsageError, match="source is 'fmp'; write 'fallback', or leave it empty"):
        _ = RunOptions(source="fmp").fallback
