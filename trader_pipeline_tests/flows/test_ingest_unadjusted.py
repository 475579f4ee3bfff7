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
def world():
    world = World(first=FIRST, today=DAYS[0])
    world.dividends["ACME"].append((EX, 2.0))
    world.splits["ACME"].append((SPLIT, 2, 1))
    return world


@pytest.fixture
def market(tmp_path, world):
    with FakeYahoo(world) as yahoo:
        settings = settings_for(tmp_path, yahoo.url).model_copy(update={"dataset": "live", "live_first_session": FIRST.isoformat()})
        yield Lake(settings.dataset_home / "lake", "live"), settings


def asked(market, world, day, **options):
    """Ask Yahoo after the close of `day`; return the moment."""
    lake, settings = market
    world.today, moment = day, calendar.known_at("XNYS", day) + dt.timedelta(hours=len(options))
    ingest(lake, YAHOO, settings, as_of=moment, fetched_at=moment, run_id="run", tickers=("ACME",), **options)
    return moment


def errors(market, moment):
    """Return the errors of ACME at the moment: rule and session."""
    lake, settings = market
    standardize(lake, (YAHOO,), as_of=moment, run_id="run")
    report = check(lake, as_of=moment, settings=settings.checks, run_id=f"run {moment}")
    findings = [f for r in report.results for f in r.findings.to_pylist() if f["ticker"] == "ACME" and f["severity"] == "error"]
    return [(f["rule"], f["first_session"]) for f in findings]


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("forgotten", [False, True])
def test_a_dividend_that_the_vendor_forgot_to_take_off_is_found_day_by_day(market, world, forgotten, every):
    world.unadjusted |= {EX} if forgotten else set()
    for day in DAYS[::every]:
        moment = asked(market, world, day)
    assert errors(market, moment) == ([("dividend_adjustment", EX)] if forgotten else [])
    repeated = market[0].snapshot().sql("select session from core.daily_bars where ticker = 'ACME' group by session having count(*) > 1")
    assert repeated.num_rows == 0, "a row that came again says nothing new"


def test_what_the_vendor_mended_is_seen_by_asking_for_all_of_it(market, world):
    world.unadjusted |= {EX}
    for day in DAYS[::5]:
        asked(market, world, day)
    world.unadjusted.clear()
    again = asked(market, world, DAYS[-1], since=EX)
    assert errors(market, again) == [("dividend_adjustment", EX)], "no close differs, so nothing is stored"
    whole = asked(market, world, DAYS[-1], since=EX, restate=True)
    assert errors(market, whole) == []
