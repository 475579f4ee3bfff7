"""EDGAR asked session after session: what a ticker costs, and what is known of figures that appear after their filing."""

import datetime as dt

import pytest

from trader_pipeline import calendar
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.lake import Lake
from trader_pipeline.schema import core
from trader_pipeline.schema.raw_sec import SEC_FACTS
from trader_pipeline.settings import SecSettings, Settings
from trader_pipeline.sources.sec import SEC
from trader_pipeline_tests.fake_sec import FakeSec, companyfacts, submissions
from trader_pipeline_tests.fast import FAST

CIK = 77
ASSETS = ("Assets", "USD", None)


@pytest.fixture
def sec():
    with FakeSec() as server:
        server.company("NEW", CIK)
        server.file(CIK, "0-1", "2024-05-01", [(*ASSETS, "2024-03-31", 1.0)], accepted="2024-05-01T15:00:00.000Z")
        yield server


@pytest.fixture
def settings(tmp_path, sec):
    contact = SecSettings(**FAST | {"base_url": sec.url, "timeout_seconds": 5, "contact": "Jane Doe jane@example.com"})
    return Settings(home=tmp_path, dataset="live", _env_file=None, live_first_session="2010-01-04", sec=contact)


@pytest.fixture
def lake(settings):
    return Lake(settings.dataset_home, "live")


@pytest.fixture
def cost(lake, settings, sec):
    def cost(day, **options):
        """Fetch after the session; return the requests for filings and for figures."""
        sec.hits.clear()
        moment = calendar.known_at("XNYS", dt.date(2024, 6, day))
        ingest(lake, SEC, settings, as_of=moment, fetched_at=moment, run_id=str(day), tickers=("NEW",), **options)
        return sec.hits[submissions(CIK)], sec.hits[companyfacts(CIK)]

    return cost


def known(lake):
    tables = {table.full_name: lake.snapshot().read(table) for table in SEC.raw_tables}
    rows = SEC.to_core(tables)[core.FUNDAMENTALS].sort_by("filed_on").to_pylist()
    return [(row["value"], row["accepted_at"]) for row in rows]


def test_a_session_without_a_filing_costs_one_request(cost, sec, lake):
    assert [cost(day) for day in (3, 4, 5)] == [(1, 1), (1, 0), (1, 0)]
    sec.file(CIK, "0-2", "2024-06-06", [(*ASSETS, "2024-04-30", 2.0)], accepted="2024-06-06T20:10:00.000Z")
    assert cost(6) == (1, 1)
    assert [value for value, _ in known(lake)] == [1.0, 2.0]


def test_figures_that_appear_days_after_their_filing_are_stored_with_its_acceptance(cost, sec, lake):
    cost(3)
    sec.file(CIK, "0-2", "2024-06-04", [], accepted="2024-06-04T20:31:00.000Z")
    assert cost(4) == (1, 1)
    assert len(known(lake)) == 1
    sec.file(CIK, "0-2", "2024-06-04", [(*ASSETS, "2024-04-30", 2.0)])
    assert cost(6) == (1, 1)
    assert known(lake)[1] == (2.0, dt.datetime(2024, 6, 4, 20, 31, tzinfo=dt.UTC))


def test_the_whole_is_asked_for_again_when_it_is_wanted_and_a_stamp_that_was_lost_is_no_news(cost, sec, lake):
    cost(3)
    sec.filings[CIK].clear()
    assert cost(4, restate=True) == (1, 1)
    assert lake.snapshot().rows(SEC_FACTS) == 1
    assert known(lake)[0][1] is not None
