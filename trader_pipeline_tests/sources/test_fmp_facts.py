"""FMP's headlines, statements, reports and renames: what is known, from when."""

import datetime as dt
import hashlib

import pyarrow as pa
import pytest

from trader_pipeline.schema import core
from trader_pipeline.schema.metrics import METRIC_OF, METRICS
from trader_pipeline.schema.raw_fmp import FMP_INCOME, FMP_NEWS
from trader_pipeline.sources.fmp_earnings import FMP_EARNINGS_FEED
from trader_pipeline.sources.fmp_metrics import FIGURES
from trader_pipeline.sources.fmp_news import FMP_NEWS_FEED
from trader_pipeline.sources.fmp_statements import FMP_STATEMENTS_FEED
from trader_pipeline.sources.fmp_symbols import FMP_SYMBOLS_FEED
from trader_pipeline_tests.fake_fmp import INCOME, NEWS, RECORDED
from trader_pipeline_tests.sources.asking_fmp import ask, replies
from trader_pipeline_tests.sources.fmp_market import fmp_server
from trader_pipeline_tests.sources.vendors import AS_OF


def utc(*parts):
    return dt.datetime(*parts, tzinfo=dt.UTC)


@pytest.fixture
def fmp():
    with fmp_server() as server:
        yield server


def figures(found, **wanted):
    rows = [row for row in found[core.FUNDAMENTALS].to_pylist() if all(row[name] == value for name, value in wanted.items())]
    return {row["metric"]: row for row in rows}


# headlines


def test_headlines_are_known_when_published_in_new_york(fmp, tmp_path):
    attempts, found, _ = ask(FMP_NEWS_FEED, fmp, tmp_path, "AAPL")
    rows = {row["title"]: row for row in found[core.NEWS].to_pylist()}
    assert set(rows) == {"Results beat the estimate", "A new factory", "A new chairman"}
    assert rows["Results beat the estimate"]["published_at"] == utc(2025, 6, 2, 20, 5)  # daylight saving: UTC-4
    assert rows["A new chairman"]["published_at"] == utc(2025, 3, 4, 12, 0)  # winter: UTC-5
    assert all(row["known_at"] == row["published_at"] for row in rows.values())
    url = rows["A new factory"]["url"]
    assert rows["A new factory"]["news_id"] == hashlib.sha256(url.encode()).hexdigest()
    assert (attempts["AAPL"].first_session, attempts["AAPL"].last_session) == (dt.date(2025, 3, 4), dt.date(2025, 6, 2))


def test_of_an_hour_that_comes_twice_the_later_is_meant(fmp, tmp_path):
    _, found, _ = ask(FMP_NEWS_FEED, fmp, tmp_path, "AAPL", first_session=dt.date(2024, 1, 2))
    moments = {row["title"]: row["known_at"] for row in found[core.NEWS].to_pylist()}
    assert moments["An older headline"] == utc(2024, 11, 3, 6, 30)


def test_headlines_are_paged_to_the_end_and_each_is_stored_once(fmp, tmp_path):
    start = dt.datetime(2025, 5, 30, 12)
    fmp.news = {"AAPL": [(str(start - dt.timedelta(minutes=n)), f"headline {n}") for n in range(600)]}
    attempts, _, tables = ask(FMP_NEWS_FEED, fmp, tmp_path, "AAPL")
    assert [asked.query["page"] for asked in fmp.log if asked.path == NEWS] == ["0", "1", "2"]
    assert len(set(tables[FMP_NEWS]["url"].to_pylist())) == tables[FMP_NEWS].num_rows == attempts["AAPL"].rows == 600


def test_a_page_that_reaches_back_beyond_the_first_day_is_the_last(fmp, tmp_path):
    page = fmp_page(250, "2025-02-28 10:00:00")
    replies(fmp, stock=page)
    attempts, _, _ = ask(FMP_NEWS_FEED, fmp, tmp_path, "AAPL")
    assert attempts["AAPL"].requests == 1


def fmp_page(size, published):
    return [{"url": f"https://example.com/{n}", "publishedDate": published, "title": "t", "symbol": "AAPL"} for n in range(size)]


def test_no_headlines_and_an_unknown_symbol_look_the_same(fmp, tmp_path):
    attempts, _, tables = ask(FMP_NEWS_FEED, fmp, tmp_path, "QUIET", "GONE")
    assert {name: a.outcome for name, a in attempts.items()} == {"QUIET": "no_data", "GONE": "no_data"}
    assert tables == {}


def test_a_headline_without_url_or_moment_is_left_out(fmp, tmp_path):
    whole, without_url, without_moment = (dict(row) for row in fmp_page(3, "2025-05-30 10:00:00"))
    without_url["url"] = None
    without_moment["publishedDate"] = "yesterday"
    replies(fmp, stock=[whole, without_url, without_moment])
    attempts, found, _ = ask(FMP_NEWS_FEED, fmp, tmp_path, "AAPL")
    assert [row["url"] for row in found[core.NEWS].to_pylist()] == ["https://example.com/0"]
    assert attempts["AAPL"].detail.startswith("1 rows without url")


# statements


def test_a_filing_is_known_from_the_midnight_of_new_york_that_ends_its_day(fmp, tmp_path):
    _, found, _ = ask(FMP_STATEMENTS_FEED, fmp, tmp_path, "MSFT")
    revenue = figures(found, period_end=dt.date(2025, 3, 29))["total_revenue"]
    assert revenue["value"] == 95_359e6
    assert (revenue["accepted_at"], revenue["known_at"]) == (utc(2025, 5, 2, 10, 1, 26), utc(2025, 5, 3, 4))
    assert (revenue["filed_on"], revenue["months"], revenue["unit"]) == (dt.date(2025, 5, 2), 3, "USD")
    winter = figures(found, period_end=dt.date(2024, 12, 28))["total_revenue"]
    assert winter["known_at"] == utc(2025, 2, 1, 5)


def test_a_filing_without_a_time_counts_from_the_next_session(fmp, tmp_path):
    """Midnight is no time: the SEC accepts nothing then. 2025-07-03 is followed by a holiday and a weekend."""
    fmp.filings = {"MSFT": [("2025-03-31", "Q1", "2025-04-17", "2025-04-17 00:00:00", {"revenue": 1e9})]}
    _, found, _ = ask(FMP_STATEMENTS_FEED, fmp, tmp_path, "MSFT")
    revenue = figures(found)["total_revenue"]
    assert revenue["accepted_at"] is None
    assert revenue["known_at"] == utc(2025, 4, 21, 20, 30)  # Good Friday and the weekend lie between


def test_a_filing_dated_at_its_periods_end_is_known_when_fetched(fmp, tmp_path):
    fmp.filings = {"MSFT": [("2024-12-31", "Q4", "2024-12-31", "2024-12-31 00:00:00", {"revenue": 1e9})]}
    _, found, _ = ask(FMP_STATEMENTS_FEED, fmp, tmp_path, "MSFT")
    revenue = figures(found)["total_revenue"]
    assert (revenue["filed_on"], revenue["accepted_at"], revenue["known_at"]) == (None, None, AS_OF)


def test_where_the_filing_has_no_day_the_day_of_its_acceptance_counts(fmp, tmp_path):
    fmp.filings = {"MSFT": [("2024-12-31", "Q4", "2024-12-31", "2025-02-03 16:05:00", {"revenue": 1e9})]}
    _, found, _ = ask(FMP_STATEMENTS_FEED, fmp, tmp_path, "MSFT")
    revenue = figures(found)["total_revenue"]
    assert (revenue["filed_on"], revenue["accepted_at"], revenue["known_at"]) == (None, utc(2025, 2, 3, 21, 5), utc(2025, 2, 4, 5))


def test_per_share_figures_are_in_shares_of_the_filing(fmp, tmp_path):
    """AAPL splits 4:1 on 2025-04-14: the fake rescales the filing of January, as FMP does, and not the one of May."""
    _, found, tables = ask(FMP_STATEMENTS_FEED, fmp, tmp_path, "AAPL")
    raw = {row["filingDate"]: row for row in tables[FMP_INCOME].to_pylist()}
    assert (raw[dt.date(2025, 1, 31)]["eps"], raw[dt.date(2025, 1, 31)]["splits_after"]) == (0.61, 4.0)
    before = figures(found, period_end=dt.date(2024, 12, 28))
    assert (before["earnings_per_share_basic"]["value"], before["shares_basic"]["value"]) == (2.44, 15e9)
    after = figures(found, period_end=dt.date(2025, 3, 29))
    assert (after["earnings_per_share"]["value"], after["shares_diluted"]["value"]) == (1.64, 15.1e9)
    assert (after["earnings_per_share"]["unit"], after["shares_diluted"]["unit"]) == ("USD/shares", "shares")


def test_a_spin_off_and_a_split_ahead_rescale_nothing(fmp, tmp_path):
    splits = [
        {"date": "2025-05-20", "numerator": 10, "denominator": 9, "splitType": "spin-off"},
        {"date": "2025-06-09", "numerator": 2, "denominator": 1, "splitType": "stock-split"},
    ]
    recorded = {"income_statement": RECORDED["income"], "balance_sheet_statement": [], "cash_flow_statement": []}
    replies(fmp, **recorded, splits=splits)
    _, _, tables = ask(FMP_STATEMENTS_FEED, fmp, tmp_path, "AAPL")
    assert tables[FMP_INCOME]["splits_after"].to_pylist() == [1.0]


def test_the_recorded_statements_parse_to_their_figures(fmp, tmp_path):
    names = {"income_statement": "income", "balance_sheet_statement": "balance", "cash_flow_statement": "cash_flow"}
    replies(fmp, **{path: RECORDED[name] for path, name in names.items()}, splits=RECORDED["splits"])
    _, found, _ = ask(FMP_STATEMENTS_FEED, fmp, tmp_path, "AAPL", as_of=utc(2026, 1, 5, 22), fetched_at=utc(2026, 1, 5, 22))
    rows = figures(found)
    values = {name: row["value"] for name, row in rows.items()}
    assert values["total_revenue"] == 416_161e6
    assert values["earnings_per_share"] == 7.46
    assert values["shareholders_equity"] == 73_733e6
    assert values["retained_earnings"] == -14_264e6
    assert (values["operating_cash_flow"], values["capital_expenditure"], values["free_cash_flow"]) == (111_482e6, 12_715e6, 98_767e6)
    assert (values["dividends_paid"], values["share_repurchases"]) == (15_421e6, 90_711e6)
    assert {row["months"] for name, row in rows.items() if METRIC_OF[name].balance} == {0}
    assert {row["months"] for name, row in rows.items() if not METRIC_OF[name].balance} == {12}
    assert {row["known_at"] for row in rows.values()} == {utc(2025, 11, 1, 4)}


def test_shares_of_zero_are_no_figure(fmp, tmp_path):
    fmp.filings = {"MSFT": [("2025-03-31", "Q1", "2025-04-30", "2025-04-30 16:10:00", {"revenue": 1e9})]}
    _, found, _ = ask(FMP_STATEMENTS_FEED, fmp, tmp_path, "MSFT")
    assert not {"shares_basic", "shares_diluted"} & set(figures(found))


def test_only_the_quarters_that_are_wanted_are_asked_for(fmp, tmp_path):
    ask(FMP_STATEMENTS_FEED, fmp, tmp_path / "near", "AAPL", first_session=dt.date(2025, 5, 19))
    ask(FMP_STATEMENTS_FEED, fmp, tmp_path / "far", "AAPL", first_session=dt.date(2015, 6, 3), since={"AAPL": dt.date(2025, 5, 19)})
    ask(FMP_STATEMENTS_FEED, fmp, tmp_path / "all", "AAPL", first_session=None)
    limits = [(asked.query["period"], asked.query["limit"]) for asked in fmp.log if asked.path == INCOME]
    assert limits == [("quarter", "6"), ("quarter", "46"), ("quarter", "400")]


def test_a_fund_has_no_statements(fmp, tmp_path):
    attempts, _, _ = ask(FMP_STATEMENTS_FEED, fmp, tmp_path, "QUIET")
    assert (attempts["QUIET"].outcome, attempts["QUIET"].requests) == ("no_data", 1)


def test_every_figure_is_a_declared_metric_and_is_named_once():
    named = [figure.metric for table in FIGURES.values() for figure in table.values()]
    assert len(named) == len(set(named))
    assert set(named) <= {metric.name for metric in METRICS}
    for table, found in FIGURES.items():
        assert set(found) <= set(table.arrow_schema.names)
        assert all(METRIC_OF[figure.metric].balance == (table.name == "fmp_balance") for figure in found.values())


# reports and renames


def test_reports_past_and_ahead(fmp, tmp_path):
    _, found, _ = ask(FMP_EARNINGS_FEED, fmp, tmp_path, "MSFT")
    rows = {row["report_date"]: row for row in found[core.EARNINGS].to_pylist()}
    assert set(rows) == {dt.date(2025, 5, 1), dt.date(2025, 7, 31)}
    assert (rows[dt.date(2025, 5, 1)]["eps_actual"], rows[dt.date(2025, 5, 1)]["eps_estimate"]) == (1.65, 1.63)
    assert (rows[dt.date(2025, 7, 31)]["eps_actual"], rows[dt.date(2025, 7, 31)]["revenue_estimate"]) == (None, 89_562e6)


def test_the_recorded_reports_parse_to_their_figures(fmp, tmp_path):
    split = [{"date": "2026-08-03", "numerator": 2, "denominator": 1, "splitType": "stock-split"}]
    replies(fmp, earnings=RECORDED["earnings"], splits=split)
    moment = utc(2026, 9, 1, 22)
    _, found, _ = ask(FMP_EARNINGS_FEED, fmp, tmp_path, "AAPL", as_of=moment, fetched_at=moment)
    rows = {row["report_date"]: row for row in found[core.EARNINGS].to_pylist()}
    ahead, past = rows[dt.date(2026, 10, 29)], rows[dt.date(2026, 7, 30)]
    assert (ahead["eps_actual"], ahead["eps_estimate"], ahead["revenue_estimate"]) == (None, 1.98, 113_205.2e6)
    assert (past["eps_actual"], past["revenue_actual"]) == (4.04, 109_417e6)  # 2.02 in shares after the split


def test_renames_come_whatever_the_tickers(fmp, tmp_path):
    replies(fmp, symbol_change=[*RECORDED["symbol_change"], *RECORDED["symbol_change"]])
    attempts, found, tables = ask(FMP_SYMBOLS_FEED, fmp, tmp_path, "AAPL")
    (row,) = found[core.SYMBOL_CHANGES].to_pylist()
    assert (row["symbol"], row["changed_on"], row["new_symbol"], row["source"]) == ("VYNE", dt.date(2026, 7, 28), "YARW", "fmp")
    assert list(attempts) == ["symbol-change"]
    again = {table.full_name: pa.concat_tables([rows, rows]) for table, rows in tables.items()}
    assert FMP_SYMBOLS_FEED.to_core(again)[core.SYMBOL_CHANGES].num_rows == 1
