"""Ingest and standardize over the real yfinance and a Yahoo on 127.0.0.1, day after day."""

import datetime as dt

import pytest

from trader_pipeline.errors import SourceUnavailableError
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.lake import Lake
from trader_pipeline.sources.yahoo import YAHOO
from trader_pipeline_tests.fake_world import World
from trader_pipeline_tests.fake_yahoo import FakeYahoo
from trader_pipeline_tests.sources.asking_yahoo import settings_for

SPLIT_DAY = dt.date(2025, 3, 10)
FRIDAY = dt.datetime(2025, 3, 7, 21, 30, tzinfo=dt.UTC)  # close + 30 min, New York on winter time
MONDAY = dt.datetime(2025, 3, 10, 20, 30, tzinfo=dt.UTC)  # the same on summer time, which began on the 9th
TICKERS = ("ACME", "BBB")


@pytest.fixture
def yahoo():
    world = World(today=dt.date(2025, 3, 7))
    world.splits["ACME"].append((SPLIT_DAY, 4, 1))
    world.dividends["ACME"].append((dt.date(2025, 2, 14), 0.4))
    with FakeYahoo(world) as server:
        yield server


@pytest.fixture
def market(tmp_path, yahoo):
    """A lake of the live dataset and settings that ask the fake."""
    settings = settings_for(tmp_path, yahoo.url).model_copy(update={"dataset": "live", "live_first_session": "2024-01-02"})
    return Lake(settings.dataset_home / "lake", "live"), settings


def bring_up_to_date(market, as_of, tickers=TICKERS):
    lake, settings = market
    outcome = ingest(lake, YAHOO, settings, as_of=as_of, fetched_at=as_of, run_id="run", tickers=tickers)
    standardize(lake, (YAHOO,), as_of=as_of, run_id="run")
    return outcome


def test_a_second_run_sends_no_request_and_leaves_the_lake_alone(market, yahoo):
    first = bring_up_to_date(market, FRIDAY)
    asked, head = yahoo.hits.total(), market[0].snapshot().commit.id
    assert first.requests == asked == 5  # ACME, BBB, the benchmark; a cookie and a crumb
    second = bring_up_to_date(market, FRIDAY)
    assert (second.requests, second.changed, yahoo.hits.total()) == (0, False, asked)
    assert market[0].snapshot().commit.id == head


def test_a_split_between_two_runs_restates_nothing(market, yahoo):
    bring_up_to_date(market, FRIDAY)
    stored = "select * from core.daily_bars where session <= date '2025-03-07' order by ticker, session"
    before = market[0].snapshot().sql(stored)
    yahoo.world.today = SPLIT_DAY
    bring_up_to_date(market, MONDAY)
    snapshot = market[0].snapshot()
    assert snapshot.sql(stored).equals(before)
    bases = snapshot.sql("select distinct known_at_basis from core.daily_bars")["known_at_basis"].to_pylist()
    assert bases == ["assumed"]
    closes = snapshot.sql("select close from core.daily_bars where ticker = 'ACME' order by session desc limit 2")["close"].to_pylist()
    days = yahoo.world.days.tolist()
    traded = yahoo.world.traded("ACME")["close"]
    assert closes == pytest.approx([traded[days.index(SPLIT_DAY)], traded[days.index(dt.date(2025, 3, 7))]], rel=1e-6)
    assert closes[1] / closes[0] == pytest.approx(4, rel=0.1)
    actions = snapshot.sql("select session, kind, value from core.corporate_actions order by session").to_pylist()
    assert [(a["session"], a["kind"], pytest.approx(a["value"])) for a in actions] == [
        (dt.date(2025, 2, 14), "dividend", 0.4),
        (SPLIT_DAY, "split", 4.0),
    ]


def test_one_unknown_ticker_is_named_and_the_rest_arrives(market, yahoo):
    yahoo.world.unknown.add("GONE")
    outcome = bring_up_to_date(market, FRIDAY, tickers=(*TICKERS, "GONE"))
    assert {a.ticker: a.outcome for a in outcome.attempts} == {"ACME": "ok", "BBB": "ok", "SPY": "ok", "GONE": "unknown_symbol"}
    assert market[0].snapshot().sql("select distinct ticker from core.daily_bars order by ticker")["ticker"].to_pylist() == [
        "ACME",
        "BBB",
        "SPY",
    ]


def test_a_run_after_an_outage_asks_only_for_what_is_missing(market, yahoo):
    yahoo.forever["BBB"] = "403"
    with pytest.raises(SourceUnavailableError, match="BBB"):
        bring_up_to_date(market, FRIDAY)
    del yahoo.forever["BBB"]
    asked = yahoo.requests("ACME")
    outcome = bring_up_to_date(market, FRIDAY + dt.timedelta(hours=1))
    assert [a.ticker for a in outcome.attempts] == ["BBB"]
    assert yahoo.requests("ACME") == asked


def test_a_dividend_told_late_and_taken_back_is_known_from_then_on(market, yahoo):
    lake, _ = market
    bring_up_to_date(market, FRIDAY)
    paid = dt.date(2025, 3, 5)
    yahoo.world.dividends["BBB"].append((paid, 0.25))
    yahoo.world.today = SPLIT_DAY
    assert bring_up_to_date(market, MONDAY).restated == ("BBB",)
    yahoo.world.dividends["BBB"].clear()
    yahoo.world.today = dt.date(2025, 3, 11)
    tuesday = MONDAY + dt.timedelta(days=1)
    assert bring_up_to_date(market, tuesday).restated == ("BBB",)
    versions = lake.snapshot().sql("select session, value, known_at from core.corporate_actions where ticker = 'BBB' order by known_at")
    assert [tuple(row.values()) for row in versions.to_pylist()] == [(paid, 0.25, MONDAY), (paid, 0.0, tuesday)]
    details = lake.snapshot().sql("select detail from raw.fetch_attempts where ticker = 'BBB' order by \"at\"")["detail"].to_pylist()
    assert details == [None, "restated: dividend 0.25 on 2025-03-05 was not known", "restated: dividend 0.25 on 2025-03-05 vanished"]
