"""Daily operation around a dividend: whether the vendor took it off shows although the overlap's rows are stored once."""

import datetime as dt

import pytest

from trader_pipeline import calendar
from trader_pipeline.flows.check import check
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.lake import Lake
from trader_pipeline.sources.yahoo import YAHOO
from trader_pipeline_tests.fake_world import World
from trader_pipeline_tests.fake_yahoo import FakeYahoo
from trader_pipeline_tests.sources.asking_yahoo import settings_for

FIRST = dt.date(2024, 6, 3)
DAYS = calendar.sessions("XNYS", dt.date(2025, 2, 3), dt.date(2025, 2, 21)).tolist()
EX, SPLIT = dt.date(2025, 2, 12), dt.date(2025, 2, 18)


@pytest.fixture
def outcome(tmp_path, request):
    """The lake and the report of the last day, after a run every so many sessions."""
    forgotten, every = request.param
    world = World(first=FIRST, today=DAYS[0])
    world.dividends["ACME"].append((EX, 2.0))
    world.splits["ACME"].append((SPLIT, 2, 1))
    world.unadjusted |= {EX} if forgotten else set()
    with FakeYahoo(world) as yahoo:
        settings = settings_for(tmp_path, yahoo.url).model_copy(update={"dataset": "live", "live_first_session": FIRST.isoformat()})
        lake = Lake(settings.dataset_home / "lake", "live")
        for day in DAYS[::every]:
            world.today, moment = day, calendar.known_at("XNYS", day)
            ingest(lake, YAHOO, settings, as_of=moment, fetched_at=moment, run_id="run", tickers=("ACME",))
        standardize(lake, (YAHOO,), as_of=moment, run_id="run")
        return lake, check(lake, as_of=moment, settings=settings.checks, run_id="run")


@pytest.mark.parametrize(
    ("outcome", "days"), [((True, 1), [EX]), ((False, 1), []), ((True, 3), [EX]), ((False, 3), [])], indirect=["outcome"]
)
def test_a_dividend_that_the_vendor_forgot_to_take_off_is_found_day_by_day(outcome, days):
    lake, report = outcome
    findings = [f for r in report.results for f in r.findings.to_pylist() if f["ticker"] == "ACME" and f["severity"] == "error"]
    assert [(f["rule"], f["first_session"]) for f in findings] == [("dividend_adjustment", day) for day in days]
    repeated = lake.snapshot().sql("select session from core.daily_bars where ticker = 'ACME' group by session having count(*) > 1")
    assert repeated.num_rows == 0, "a row that came again says nothing new"
