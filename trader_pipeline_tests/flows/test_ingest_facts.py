"""What is no bar: news, earnings, option chains, series. When it is due, from which day, and what of an answer is stored."""

import datetime as dt
from dataclasses import replace
from itertools import count

import pyarrow as pa
import pytest

from trader_pipeline import calendar
from trader_pipeline.errors import SourceUnavailableError
from trader_pipeline.flows.ingest import ingest, is_due
from trader_pipeline.lake import Lake
from trader_pipeline.schema.columns import FETCHED_AT, REQUEST, VENDOR_DATE, VENDOR_TICKER, number
from trader_pipeline.schema.table import Table
from trader_pipeline.settings import Settings
from trader_pipeline.sources.source import Attempt, Feed, FetchResult

FRIDAY, MONDAY, TUESDAY = (dt.date(2025, 3, day) for day in (7, 10, 11))
TABLE = Table(
    layer="raw",
    name="paper_reports",
    key=("ticker", "date", "fetched_at"),
    description="A table of the tests, not split by year.",
    columns=(VENDOR_TICKER, VENDOR_DATE, number("eps", "vendor", "."), FETCHED_AT, REQUEST),
)


class Reports:
    """A feed of one fact a ticker, which `says` may change; it notes what it is asked."""

    def __init__(self, kind="earnings", **facts):
        self.says, self.answers = {}, {}
        self.asked, self.since = [], []
        self.feed = Feed(source="fmp", kind=kind, raw_tables=(TABLE,), fetch=self.fetch, to_core=lambda _: {}, **facts)

    def fetch(self, request, _settings):
        self.asked.append(request.tickers)
        self.since.append(dict(request.since))
        for ticker in request.tickers:
            outcome = self.answers.get(ticker, "ok")
            row = {"ticker": ticker, "date": FRIDAY, "eps": self.says.get(ticker, 1.5), "fetched_at": request.fetched_at}
            rows = pa.Table.from_pylist([row | {"request_sha256": str(request.fetched_at)}], schema=TABLE.arrow_schema)
            attempt = Attempt(ticker=ticker, outcome=outcome, at=request.fetched_at, requests=1)
            yield FetchResult(tables={TABLE: rows} if outcome == "ok" else {}, attempts=(attempt,))


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path, dataset="live", _env_file=None)


@pytest.fixture
def lake(settings):
    return Lake(settings.dataset_home / "lake", "live")


@pytest.fixture
def run(lake, settings):
    seconds = count()

    def run(reports, *tickers, day=FRIDAY, **options):
        as_of = calendar.known_at("XNYS", day)
        moments = {"as_of": as_of, "fetched_at": as_of + dt.timedelta(seconds=next(seconds))}
        return ingest(lake, reports.feed, settings, **moments, run_id=str(day), tickers=tickers or ("A", "B"), **options)

    return run


def test_the_same_fact_is_stored_once_and_a_changed_one_again(run):
    reports = Reports()
    assert run(reports).new_rows == 2
    assert run(reports, day=MONDAY).new_rows == 0
    reports.says = {"B": 1.6}
    assert run(reports, day=TUESDAY).new_rows == 1
    reports.says = {}
    assert run(reports, day=dt.date(2025, 3, 12)).new_rows == 1, "what it said before is news again"


def test_a_snapshot_of_options_is_stored_each_time(run):
    reports = Reports("options")
    assert [run(reports, day=day).new_rows for day in (FRIDAY, MONDAY)] == [3, 3]


def test_companies_have_earnings_and_the_benchmark_has_none(run):
    reports, news = Reports(), Reports("news")
    run(reports)
    run(news)
    assert (reports.asked, news.asked) == ([("A", "B")], [("A", "B", "SPY")])


def test_a_feed_with_subjects_of_its_own_is_asked_for_them_whatever_the_run_names(run):
    reports = Reports("macro", subjects=lambda _: ("DGS10", "UNRATE"))
    run(reports, "A")
    assert reports.asked == [("DGS10", "UNRATE")]


def test_it_is_due_when_as_many_sessions_closed_as_it_says(run, lake, settings):
    reports = Reports(every_sessions=2)
    run(reports)

    def due(day):
        return is_due(lake, (reports.feed,), settings, as_of=calendar.known_at("XNYS", day), tickers=("A", "B"))

    assert [due(day) for day in (FRIDAY, MONDAY, TUESDAY)] == [False, False, True]
    assert not run(reports, day=MONDAY).changed
    assert run(reports, day=TUESDAY).changed


def test_news_is_asked_for_from_three_days_before_the_last_answer(run):
    news = Reports("news")
    news.answers = {"B": "throttled"}
    run(news, "A", "B", "C", "D")
    news.answers = {}
    run(news, "A", "B", day=MONDAY)
    assert news.since == [{}, dict.fromkeys(("A", "SPY"), dt.date(2025, 3, 4))]
    run(news, "A", day=MONDAY, since=dt.date(2025, 1, 2))
    assert news.since[-1] == dict.fromkeys(("A", "SPY"), dt.date(2025, 1, 2))


def test_a_kind_does_not_answer_for_another_of_the_same_source(run):
    reports, news = Reports(), Reports("news")
    run(reports)
    assert run(news, day=MONDAY).changed
    assert run(reports, day=MONDAY).changed


def test_a_feed_that_lacks_its_key_is_skipped_and_not_due(run, lake, settings):
    reports = Reports()
    reports.feed = replace(reports.feed, unready=lambda _: "fmp wants a key; set TRADER_FMP__API_KEY")
    outcome = run(reports)
    assert (outcome.skipped, reports.asked) == ("fmp wants a key; set TRADER_FMP__API_KEY", [])
    assert not is_due(lake, (reports.feed,), settings, as_of=calendar.known_at("XNYS", MONDAY), tickers=("A",))


def test_too_many_failures_fail_after_what_came_is_stored(run, lake):
    reports = Reports()
    reports.answers = dict.fromkeys("ABC", "throttled")
    with pytest.raises(SourceUnavailableError, match="throttled: A, B, C of 4 tickers"):
        run(reports, *"ABCD")
    assert lake.snapshot().read(TABLE)["ticker"].to_pylist() == ["D"]


def test_tickers_that_have_no_such_fact_are_no_usage_error(run):
    reports = Reports()
    reports.answers = {"A": "no_data", "B": "no_data"}
    assert run(reports).new_rows == 0
