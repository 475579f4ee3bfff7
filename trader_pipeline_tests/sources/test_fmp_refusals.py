"""What FMP says in place of data, and that its key is seen nowhere."""

import logging
import traceback

import pytest

from trader_pipeline.errors import UsageError
from trader_pipeline.settings import FmpSettings, Settings
from trader_pipeline.sources import FEEDS, feeds_of
from trader_pipeline.sources.fmp import judge
from trader_pipeline.sources.fmp_bars import FMP_BARS_FEED
from trader_pipeline.sources.fmp_news import FMP_NEWS_FEED
from trader_pipeline.sources.http import RefusedError, ThrottledError
from trader_pipeline.sources.rest import Body
from trader_pipeline_tests.fake_fmp import KEY
from trader_pipeline_tests.fake_server import Reply
from trader_pipeline_tests.sources.asking_fmp import ask
from trader_pipeline_tests.sources.fmp_market import fmp_server
from trader_pipeline_tests.sources.vendors import fmp_settings

LIMIT = '{\n  "Error Message": "Limit Reach . Please upgrade your plan or visit our documentation for more details"\n}'
BANDWIDTH = '{"Error Message": "Bandwidth Limit Reach . Please upgrade your plan"}'
SYMBOL = "Premium Query Parameter: 'Special Endpoint : This value set for 'symbol' is not available under your current subscription"
ENDPOINT = '{"Error Message": "Exclusive Endpoint: This endpoint is not available under your current subscription"}'
LEGACY = '{"Error Message": "Legacy Endpoint : Due to Legacy endpoints being no longer supported"}'
BAD_KEY = '{"Error Message": "Invalid API KEY. Feel free to create a Free API Key"}'


@pytest.fixture
def fmp():
    with fmp_server() as server:
        yield server


def body(status, text):
    return Body(status=status, content=text.encode(), content_type="application/json", path="/news/stock")


@pytest.mark.parametrize("status", [200, 403, 429])
@pytest.mark.parametrize("text", [LIMIT, BANDWIDTH])
def test_a_limit_is_a_throttle_whatever_the_status_and_though_it_speaks_of_plans(status, text):
    with pytest.raises(ThrottledError, match="Limit Reach"):
        judge(body(status, text))


@pytest.mark.parametrize(("status", "text"), [(402, SYMBOL), (200, SYMBOL), (402, ENDPOINT), (200, ENDPOINT), (403, LEGACY), (402, "")])
def test_what_the_plan_does_not_hold_is_refused_with_the_plan_named(status, text):
    with pytest.raises(RefusedError, match=r"your plan of fmp does not hold this: upgrade it") as refused:
        judge(body(status, text))
    assert text[:20] in str(refused.value) or "Error Message" in str(refused.value)


@pytest.mark.parametrize(("status", "text"), [(401, BAD_KEY), (200, BAD_KEY), (401, "<html>401</html>")])
def test_a_bad_key_is_named(status, text):
    with pytest.raises(RefusedError, match="TRADER_FMP__API_KEY"):
        judge(body(status, text))


@pytest.mark.parametrize("text", ['[{"title": "Limit Reach; Invalid API KEY; subscription"}]', "<html>your subscription</html>", ""])
def test_rows_and_pages_are_not_read_as_refusals(text):
    assert judge(body(200, text)) is None


def test_a_limit_in_a_sound_looking_answer_is_waited_out(fmp, tmp_path):
    answers = [Reply(body=LIMIT), Reply(body=[])]
    sound = fmp.route
    fmp.route = lambda *asked: answers.pop(0) if len(answers) > 1 else sound(*asked)
    attempts, _, _ = ask(FMP_NEWS_FEED, fmp, tmp_path, "AAPL")
    assert (attempts["AAPL"].outcome, attempts["AAPL"].throttled, attempts["AAPL"].retries) == ("ok", 1, 1)


def test_a_refused_symbol_stops_no_other(fmp, tmp_path):
    sound = fmp.route
    fmp.route = lambda path, query, headers: (
        Reply(status=402, body=SYMBOL) if query.get("symbols") == "ASML" else sound(path, query, headers)
    )
    attempts, _, _ = ask(FMP_NEWS_FEED, fmp, tmp_path, "ASML", "AAPL")
    assert {name: a.outcome for name, a in attempts.items()} == {"ASML": "schema_change", "AAPL": "ok"}
    assert "Special Endpoint" in attempts["ASML"].detail
    assert attempts["ASML"].requests == 1


def test_the_old_interface_is_refused(fmp, tmp_path):
    settings = fmp_settings(tmp_path, fmp.url, base_url=f"{fmp.url}/api/v3")
    attempts, _, _ = ask(FMP_BARS_FEED, fmp, tmp_path, "AAPL", settings=settings)
    assert attempts["AAPL"].outcome == "schema_change"
    assert "HTTP 403" in attempts["AAPL"].detail


def test_an_object_in_place_of_rows_is_a_change_of_schema(fmp, tmp_path):
    fmp.route = lambda *_: Reply(body={"symbol": "AAPL", "historical": []})
    attempts, _, _ = ask(FMP_BARS_FEED, fmp, tmp_path, "AAPL")
    assert (attempts["AAPL"].outcome, attempts["AAPL"].requests) == ("schema_change", 1)
    assert "not a list of rows but ['historical', 'symbol']" in attempts["AAPL"].detail


def test_a_key_that_the_server_repeats_is_cut_out(fmp, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    fmp.route = lambda _path, _query, headers: Reply(status=401, body={"Error Message": f"Invalid API KEY {headers['apikey']}."})
    attempts, _, _ = ask(FMP_NEWS_FEED, fmp, tmp_path, "AAPL")
    assert "Invalid API KEY ***." in attempts["AAPL"].detail
    assert KEY not in attempts["AAPL"].detail + caplog.text


def test_the_key_travels_in_a_header_and_in_no_url(fmp, tmp_path):
    for feed in (feed for feed in FEEDS if feed.source == "fmp"):
        ask(feed, fmp, tmp_path, "AAPL")
    assert len(fmp.log) > 10
    assert all(KEY not in str(asked.query) + asked.path for asked in fmp.log)
    assert {asked.headers["apikey"] for asked in fmp.log} == {KEY}


def test_the_key_is_in_no_error_that_is_a_bug(fmp, tmp_path, monkeypatch):
    """An unforeseen error goes on with its whole chain: nothing of it shows the key."""

    def broken(self):
        raise ZeroDivisionError(self.path)

    monkeypatch.setattr(Body, "json", broken)
    with pytest.raises(ZeroDivisionError) as raised:
        ask(FMP_NEWS_FEED, fmp, tmp_path, "AAPL")
    assert KEY not in "".join(traceback.format_exception(raised.value))


def test_without_a_key_nothing_is_asked(fmp, tmp_path):
    for key in (None, "", "  "):
        settings = Settings(home=tmp_path, _env_file=None, fmp=FmpSettings(base_url=fmp.url, api_key=key))
        assert FMP_NEWS_FEED.unready(settings) == "fmp wants a key; set TRADER_FMP__API_KEY"
        with pytest.raises(UsageError, match="TRADER_FMP__API_KEY"):
            ask(FMP_NEWS_FEED, fmp, tmp_path, "AAPL", settings=settings)
    assert not fmp.log
    assert FMP_NEWS_FEED.unready(fmp_settings(tmp_path, fmp.url)) is None


def test_the_feeds_are_chosen_by_setting(tmp_path):
    kinds = ("bars", "news", "fundamentals", "earnings", "symbols")
    settings = Settings(home=tmp_path, dataset="live", _env_file=None, sources={kind: ["fmp"] for kind in kinds})
    assert {feed.name for feed in feeds_of(settings)} == {f"fmp_{kind}" for kind in kinds}
