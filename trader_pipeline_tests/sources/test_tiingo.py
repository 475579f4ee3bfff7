"""Tiingo: what is asked for, what the rows mean, and what a spent allowance, a delisted name and a changed shape end in."""

import datetime as dt

import pytest

from trader_pipeline.errors import UsageError
from trader_pipeline.schema import core
from trader_pipeline.schema.raw_tiingo import TIINGO_BARS, TIINGO_NEWS, TIINGO_TICKERS
from trader_pipeline.settings import Settings
from trader_pipeline.sources import tiingo_news
from trader_pipeline.sources.gate import Limits
from trader_pipeline.sources.source import FetchRequest
from trader_pipeline.sources.tiingo import TIINGO
from trader_pipeline.sources.tiingo_news import TIINGO_HEADLINES
from trader_pipeline_tests.fake_server import Reply
from trader_pipeline_tests.fake_tiingo import NEWS, TOKEN, prices
from trader_pipeline_tests.feeds import fetched
from trader_pipeline_tests.sources.tiingo_market import EX_DATE, SPLIT, article, tiingo_server, tiingo_settings

NOW = dt.datetime(2025, 6, 2, 20, 30, tzinfo=dt.UTC)
EARLY = dt.date(2015, 1, 1)


def test_the_token_is_in_no_outcome_though_tiingo_repeats_it(tiingo, settings):
    tiingo.route = lambda _path, _query, headers: Reply(body={"you": headers["Authorization"]})
    attempts, _ = ask(TIINGO, settings, "KO")
    assert attempts["KO"].outcome == "schema_change"
    assert "Token ***" in attempts["KO"].detail
    assert TOKEN not in attempts["KO"].detail


def test_a_blank_token_is_none(tmp_path):
    assert (
        TIINGO.unready(tiingo_settings(tmp_path, "http://127.0.0.1:1", api_key=" ")) == "tiingo wants a token; set TRADER_TIINGO__API_KEY"
    )


@pytest.fixture
def tiingo():
    with tiingo_server() as server:
        yield server


@pytest.fixture
def settings(tmp_path, tiingo):
    return tiingo_settings(tmp_path, tiingo.url)


def ask(feed, settings, *tickers, **changes):
    request = {"as_of": NOW, "fetched_at": NOW, "tickers": tickers, "first_session": EARLY} | changes
    result = fetched(feed, FetchRequest(**request), settings)
    return {attempt.ticker: attempt for attempt in result.attempts}, result.tables


def core_of(feed, tables):
    return feed.to_core({table.full_name: tables.get(table, table.empty()) for table in feed.raw_tables})


def test_recorded_prices_come_as_traded(settings):
    attempts, tables = ask(TIINGO, settings, "PG", "AAPL")
    assert (attempts["PG"].outcome, attempts["PG"].detail, attempts["PG"].requests) == ("ok", None, 2)
    assert (attempts["PG"].first_session, attempts["PG"].last_session) == (dt.date(2015, 1, 2), dt.date(2015, 1, 5))
    found = core_of(TIINGO, tables)
    bars = {(row["ticker"], row["session"]): row for row in found[core.DAILY_BARS].to_pylist()}
    pg = bars["PG", dt.date(2015, 1, 2)]
    assert [pg[name] for name in ("open", "high", "low", "close", "volume_shares")] == [90.84, 91.0, 89.92, 90.44, 7255394.0]
    assert (pg["currency"], pg["price_unit"], pg["source"]) == ("USD", "USD", "tiingo")
    assert bars["AAPL", dt.date(2020, 8, 28)]["close"] == 499.23
    actions = [(r["ticker"], r["session"], r["kind"], r["value"]) for r in found[core.CORPORATE_ACTIONS].to_pylist()]
    assert sorted(actions) == [("AAPL", dt.date(2020, 8, 31), "split", 4.0), ("AAPL", dt.date(2020, 11, 6), "dividend", 0.205)]


def test_listings_say_the_name_and_the_span(settings):
    found = core_of(TIINGO, ask(TIINGO, settings, "PG", "SPY")[1])
    listings = {row["symbol"]: row for row in core.LISTINGS.conform(found[core.LISTINGS]).to_pylist()}
    assert listings["PG"] == {
        "source": "tiingo",
        "symbol": "PG",
        "first_session": dt.date(2015, 1, 2),
        "last_session": dt.date(2015, 1, 5),
        "exchange": "XNYS",
        "name": "Procter & Gamble Company",
        "issuer_id": None,
        "role": "stock",
    }
    assert listings["SPY"]["role"] == "benchmark"


def test_what_traded_comes_back_through_a_split_and_a_dividend(tiingo, settings):
    found = core_of(TIINGO, ask(TIINGO, settings, "KO", since={"KO": dt.date(2025, 3, 3)})[1])
    bars = found[core.DAILY_BARS].sort_by("session")
    shown = (tiingo.world.days >= dt.date(2025, 3, 3)) & (tiingo.world.days <= dt.date(2025, 6, 2))
    truth = tiingo.world.traded("KO")
    assert bars["close"].to_pylist() == truth["close"][shown].tolist()
    assert bars["volume_shares"].to_pylist() == truth["volume"][shown].tolist()
    actions = sorted((r["session"], r["kind"], r["value"]) for r in found[core.CORPORATE_ACTIONS].to_pylist())
    assert actions == [(SPLIT, "split", 4.0), (EX_DATE, "dividend", 0.26)]


def test_a_name_is_asked_for_once(tiingo, settings):
    attempts, tables = ask(TIINGO, settings, "KO", since={"KO": dt.date(2025, 5, 1)})
    assert (attempts["KO"].requests, attempts["KO"].first_session) == (1, dt.date(2025, 5, 1))
    assert set(tables) == {TIINGO_BARS}
    assert tiingo.hits["/tiingo/daily/KO"] == 0


def test_prices_are_kept_when_the_name_does_not_come(tiingo, settings):
    tiingo.forever["/tiingo/daily/KO"] = "404"
    attempts, tables = ask(TIINGO, settings, "KO")
    assert attempts["KO"].outcome == "ok"
    assert "no name" in attempts["KO"].detail
    assert set(tables) == {TIINGO_BARS}
    assert core_of(TIINGO, tables)[core.LISTINGS]["name"].to_pylist() == [None]


def test_a_share_class_is_asked_for_with_a_hyphen_and_stored_as_asked(tiingo, settings):
    attempts, tables = ask(TIINGO, settings, "BRK.B")
    assert attempts["BRK.B"].outcome == "ok"
    assert tiingo.hits[prices("BRK-B")] == 1
    assert set(tables[TIINGO_BARS]["ticker"].to_pylist()) == {"BRK.B"}


def test_a_symbol_that_it_does_not_know_or_have_is_unknown(settings):
    attempts, tables = ask(TIINGO, settings, "GONE", "VOD.L")
    assert {a.outcome for a in attempts.values()} == {"unknown_symbol"}
    assert (attempts["GONE"].requests, attempts["VOD.L"].requests, tables) == (1, 0, {})


def test_a_bar_that_is_not_final_is_left_out(settings):
    attempts, _ = ask(TIINGO, settings, "KO", as_of=NOW - dt.timedelta(minutes=1))
    assert attempts["KO"].last_session == dt.date(2025, 5, 30)
    attempts, _ = ask(TIINGO, settings, "KO")
    assert attempts["KO"].last_session == dt.date(2025, 6, 2)


def test_the_repeated_price_after_a_delisting_is_no_bar(settings):
    attempts, tables = ask(TIINGO, settings, "SGEN")
    assert tables[TIINGO_BARS]["date"].to_pylist() == [dt.date(2023, 12, 13)]
    assert "left out: 2 (first '2023-12-15')" in attempts["SGEN"].detail
    assert tables[TIINGO_TICKERS]["endDate"].to_pylist() == [dt.date(2023, 12, 15)]
    attempts, tables = ask(TIINGO, settings, "SGEN", since={"SGEN": dt.date(2023, 12, 14)})
    assert (attempts["SGEN"].outcome, tables) == ("no_data", {})


def test_nothing_new_is_no_data(settings):
    attempts, tables = ask(TIINGO, settings, "PG", since={"PG": dt.date(2016, 1, 1)})
    assert (attempts["PG"].outcome, attempts["PG"].rows, tables) == ("no_data", 0, {})


@pytest.mark.parametrize("feed", [TIINGO, TIINGO_HEADLINES], ids=["bars", "news"])
def test_a_spent_allowance_that_comes_with_status_200_is_throttled(feed, tiingo, settings, monkeypatch):
    tiingo.spent = 1
    monkeypatch.setattr("trader_pipeline.sources.gate.Limits", _quick)
    attempts, _ = ask(feed, settings, "KO")
    assert (attempts["KO"].outcome, attempts["KO"].throttled, attempts["KO"].retries) == ("ok", 1, 1)
    tiingo.spent = 1000
    attempts, _ = ask(feed, tiingo_settings(settings.home / "other", tiingo.url, attempts=3), "KO")
    assert (attempts["KO"].outcome, attempts["KO"].throttled) == ("throttled", 3)
    assert "allowance" in attempts["KO"].detail


def _quick(**options):
    return Limits(**options, pause_seconds=0.01)


def test_a_cell_that_is_no_number_is_null_and_told(tiingo, settings):
    tiingo.prices["PG"] = [dict(tiingo.prices["PG"][0], high="n/a", low=None), tiingo.prices["PG"][1]]
    attempts, tables = ask(TIINGO, settings, "PG")
    assert tables[TIINGO_BARS]["high"].to_pylist() == [None, 91.0]
    assert tables[TIINGO_BARS]["low"].to_pylist() == [None, 89.85]
    assert attempts["PG"].detail == "high: no number, taken as missing: 1 (first 'n/a')"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda rows: {"prices": rows},
        lambda rows: ["a row", *rows],
        lambda rows: [{k: v for k, v in row.items() if k != "splitFactor"} for row in rows],
        lambda rows: [{**rows[0], "date": "02.01.2015"}],
        lambda rows: [rows[0], {**rows[0], "close": 1.0}],
    ],
    ids=["object", "text", "column", "date", "contradiction"],
)
def test_another_shape_is_a_schema_change(tiingo, settings, monkeypatch, spoil):
    monkeypatch.setattr(tiingo, "_prices", lambda _, first: spoil(tiingo.prices["PG"]))  # noqa: ARG005 - the fake's signature
    attempts, tables = ask(TIINGO, settings, "PG")
    assert (attempts["PG"].outcome, tables) == ("schema_change", {})


def test_a_wrong_token_is_refused_and_a_missing_one_is_said(tiingo, tmp_path):
    wrong = tiingo_settings(tmp_path, tiingo.url, api_key="wrong")
    assert ask(TIINGO, wrong, "KO")[0]["KO"].outcome == "schema_change"
    none = Settings(home=tmp_path, _env_file=None)
    for feed in (TIINGO, TIINGO_HEADLINES):
        assert feed.unready(none) == "tiingo wants a token; set TRADER_TIINGO__API_KEY"
        assert feed.unready(wrong) is None
        with pytest.raises(UsageError, match="TRADER_TIINGO__API_KEY"):
            ask(feed, none, "KO")


def test_the_token_is_in_a_header_and_no_query(tiingo, settings):
    ask(TIINGO, settings, "KO")
    assert all(asked.headers["Authorization"] == f"Token {TOKEN}" and TOKEN not in str(asked.query) for asked in tiingo.log)


def test_an_article_is_known_once_published_and_taken_in(settings):
    attempts, tables = ask(TIINGO_HEADLINES, settings, "AAPL")
    assert attempts["AAPL"].outcome == "ok"
    (news,) = core_of(TIINGO_HEADLINES, tables)[core.NEWS].to_pylist()
    assert (news["ticker"], news["news_id"], news["publisher"]) == ("AAPL", "0", "cnbc.com")
    assert news["title"] == "Tech giants may be stronger than you think"
    assert news["published_at"] == dt.datetime(2016, 1, 11, 23, 13, tzinfo=dt.UTC)
    assert news["known_at"] == dt.datetime(2016, 1, 12, 21, 7, 28, 73309, tzinfo=dt.UTC)


def test_news_is_asked_for_from_the_last_answer_on(tiingo, settings):
    _, tables = ask(TIINGO_HEADLINES, settings, "KO", since={"KO": dt.date(2025, 3, 1)})
    rows = core_of(TIINGO_HEADLINES, tables)[core.NEWS].sort_by("news_id").to_pylist()
    assert [row["news_id"] for row in rows] == ["71", "72"]
    assert rows[0]["known_at"] == rows[0]["published_at"]  # without a crawlDate
    assert tiingo.log[-1].query == {"tickers": "ko", "startDate": "2025-03-01", "sortBy": "publishedDate", "limit": "1000", "offset": "0"}


def test_news_comes_in_pages_up_to_a_bound(tiingo, settings, monkeypatch):
    monkeypatch.setattr(tiingo_news, "PAGE", 2)
    tiingo.articles["ko"] = [article(n, f"2025-05-{n:02d}T13:00:00Z", None) for n in range(28, 7, -1)]
    attempts, tables = ask(TIINGO_HEADLINES, settings, "KO")
    assert (attempts["KO"].rows, attempts["KO"].requests) == (20, 10)
    assert "not asked for after 10 pages: 1 (first '2025-05-09" in attempts["KO"].detail
    monkeypatch.setattr(tiingo_news, "PAGE", 8)
    attempts, tables = ask(TIINGO_HEADLINES, settings, "KO")
    assert (attempts["KO"].rows, attempts["KO"].requests, attempts["KO"].detail) == (21, 3, None)
    assert len(set(tables[TIINGO_NEWS]["id"].to_pylist())) == 21


def test_an_article_that_moves_to_the_next_page_is_kept_once(tiingo, settings, monkeypatch):
    monkeypatch.setattr(tiingo_news, "PAGE", 2)
    rows = [article(n, f"2025-05-{n:02d}T13:00:00Z", None) for n in range(12, 7, -1)]
    pages = iter([rows[:2], rows[1:3], rows[3:4]])
    monkeypatch.setattr(tiingo, "_news", lambda _: next(pages))
    attempts, tables = ask(TIINGO_HEADLINES, settings, "KO")
    assert attempts["KO"].outcome == "ok"
    assert tables[TIINGO_NEWS]["id"].to_pylist() == ["12", "11", "10", "9"]


def test_an_article_without_headline_or_date_is_left_out_and_told(tiingo, settings):
    tiingo.articles["ko"] = [article(1, "yesterday", None), article(2, "2025-05-02T13:00:00Z", None, title=" ")]
    attempts, tables = ask(TIINGO_HEADLINES, settings, "KO")
    assert (attempts["KO"].outcome, tables) == ("no_data", {})
    assert "left out: 2" in attempts["KO"].detail


def test_a_plan_without_news_says_so(tiingo, settings):
    tiingo.forever[NEWS] = "403"
    attempts, _ = ask(TIINGO_HEADLINES, settings, "KO")
    assert attempts["KO"].outcome == "schema_change"
    assert "plan" in attempts["KO"].detail
