"""What becomes of real filings and vintages: repeats add nothing, a changed figure is a version known from its own release."""

import datetime as dt

import pytest

from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema import core
from trader_pipeline.sources.fred import FRED
from trader_pipeline.sources.sec import SEC
from trader_pipeline.standardize.first_known import with_first_known
from trader_pipeline.standardize.point_in_time import loaded_spans, with_clocks
from trader_pipeline_tests.fake_fred import KEY, FakeFred
from trader_pipeline_tests.fake_sec import FakeSec
from trader_pipeline_tests.sources import test_fred, test_sec


def versions(feed, table, raw):
    rows = feed.to_core({t.full_name: raw.get(t, t.empty()) for t in feed.raw_tables})[table]
    rows = with_first_known(table, rows, {})
    loaded = loaded_spans(table, rows) if table is core.MACRO else None
    return with_clocks(table, rows, loaded=loaded, stored=table.empty())


@pytest.fixture
def published(tmp_path):
    """A lake with Apple's filings and the vintages of GDP."""
    with FakeSec() as sec:
        filings = test_sec.ask(test_sec.settings_for(tmp_path, sec.url), "AAPL")[1]
    with FakeFred() as fred:
        vintages = test_fred.ask(test_fred.settings_for(tmp_path, fred.url, api_key=KEY), "GDP")[1]
    lake = Lake(tmp_path / "lake", "live")
    lake.publish(
        Change.replace(core.FUNDAMENTALS, versions(SEC, core.FUNDAMENTALS, filings)),
        Change.replace(core.MACRO, versions(FRED, core.MACRO, vintages)),
    )
    return lake.snapshot()


def test_a_figure_repeated_by_later_filings_is_no_new_version(published):
    rows = published.sql("select value, accession from core.fundamentals where metric = 'shares_outstanding' order by known_at").to_pylist()
    assert [(r["value"], r["accession"]) for r in rows] == [
        (4_443_236_000.0, "0000320193-19-000119"),  # and in three 10-Q after it
        (17_772_945_000.0, "0000320193-20-000096"),
    ]


def known(snapshot, table, moment, **wanted):
    rows = snapshot.known(table, dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC)).to_pylist()
    return [row["value"] for row in rows if all(str(row[name]) == value for name, value in wanted.items())]


def test_earnings_per_share_as_of_a_day_ignore_a_filing_not_yet_known(published):
    year = {"metric": "earnings_per_share", "period_end": "2019-09-28"}
    assert known(published, core.FUNDAMENTALS, "2019-10-31T20:30", **year) == []  # the close of the day of filing
    assert known(published, core.FUNDAMENTALS, "2019-11-01T20:30", **year) == [11.89]
    assert known(published, core.FUNDAMENTALS, "2020-10-30T20:00", **year) == [11.89]
    assert known(published, core.FUNDAMENTALS, "2020-11-02T21:30", **year) == [2.97]


def test_gdp_as_of_a_day_ignores_a_vintage_not_yet_known(published):
    quarter = {"series": "GDP", "observed_on": "2014-01-01"}
    assert known(published, core.MACRO, "2014-04-30T20:29", **quarter) == []
    assert known(published, core.MACRO, "2014-04-30T20:30", **quarter) == [17149.6]
    assert known(published, core.MACRO, "2014-08-01T00:00", **quarter) == [17044.0]
    assert set(published.read(core.MACRO)["known_at_basis"].to_pylist()) == {"released"}
