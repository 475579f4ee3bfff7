"""What holds for every page: its policy, its clocks, hostile text, wrong addresses, and each state of a lake."""

import datetime as dt
import re

import pytest

from trader_pipeline.flows.gate import Block, forced_session
from trader_pipeline_tests import published
from trader_pipeline_tests.dashboard.conftest import client_of, settings_of

PAGES = ("/", "/?horizon=all", "/ticker/AAPL", "/ticker/SPY", "/performance", "/status", "/report")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_answers_with_html(deep, path):
    answer = deep.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", [*PAGES, "/predictions.csv", "/api/predictions", "/healthz", "/nowhere", "/static/app.css"])
def test_every_answer_forbids_the_outside(deep, path):
    headers = deep.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_inline_script_style_or_foreign_resource(deep, path):
    text = deep.get(path).text
    assert not re.findall(r"<script(?![^>]*(?:src=\"/static/|type=\"application/json\"))", text)
    assert not re.findall(r"<style|\sstyle=|\son\w+=", text)
    assert not re.findall(r"(?:src|href|action)=\"(?:https?:)?//(?!www\.tradingview\.com/)", text)


def test_another_host_name_is_refused(deep):
    assert deep.get("/", headers={"host": "evil.example"}).status_code == 400


def test_the_strip_says_data_through_made_at_and_trade_at_in_new_york(deep):
    text = deep.get("/").text
    assert "2020-02-07 17:04 EST" in text  # 22:04 UTC
    assert "2020-02-07 22:04 UTC" in text
    assert "2020-02-10 09:30 EST" in text  # Friday's forecasts trade on Monday


def test_a_historical_sample_is_not_called_stale(home):
    text = client_of(settings_of(home), now=dt.datetime(2026, 7, 1, tzinfo=dt.UTC)).get("/").text
    assert "Historical sample to 2020-02-07" in text
    assert "Stale" not in text


def test_growing_data_is_fresh_until_a_later_session_has_closed(home):
    fresh = client_of(settings_of(home, "live")).get("/").text
    assert 'class="state fresh"' in fresh
    # Monday the 10th is closed, Tuesday the 11th is still trading
    tuesday_noon = dt.datetime(2020, 2, 11, 17, 0, tzinfo=dt.UTC)
    stale = client_of(settings_of(home, "live"), now=tuesday_noon).get("/").text
    assert "Stale: 1 session behind" in stale
    assert "trader run --source yahoo" in stale


@pytest.mark.parametrize("path", ["/", "/?q=Sons", "/ticker/NVDA"])
def test_a_hostile_name_is_text(deep, path):
    text = deep.get(path).text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_a_hostile_question_is_text(deep):
    for path in ('/?q="><img src=x>', "/?sector=<b>", "/ticker/<b>x", "/?sort=<b>", "/?horizon=<b>", "/?session=<b>"):
        text = deep.get(path).text
        assert "<img" not in text
        assert "<b>" not in text


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/ticker/ZZZ", 404, "is not in the dataset"),
        ("/nowhere", 404, "is no page"),
        ("/?session=yesterday", 400, "write it as 2020-02-07"),
        ("/?horizon=7", 400, "none of 1, 5, 20, 60"),
        ("/?sort=drop", 400, "sort by one of"),
        ("/report?session=2020-02-06", 404, "trader report --session 2020-02-06"),
    ],
)
def test_a_wrong_address_names_the_fact_and_the_mend(deep, path, status, said):
    answer = deep.get(path)
    assert answer.status_code == status
    assert said in answer.text.replace("&#39;", "'")


def test_no_lake_says_which_command_makes_one(tmp_path):
    client = client_of(settings_of(tmp_path))
    for path in ("/", "/ticker/AAPL", "/status"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "No predictions available" in answer.text
        assert "trader demo --sample deep" in answer.text
    assert client.get("/predictions.csv").status_code == 404
    assert client.get("/healthz").json()["commit"] is None


def test_no_model_and_too_little_history_are_told_apart(tmp_path):
    published.publish_bars_only(settings_of(tmp_path, "broad"), sessions=40)
    short = client_of(settings_of(tmp_path, "broad"), sessions_needed=997).get("/").text
    assert "not enough history" in short
    assert "40 sessions" in short
    assert "997" in short
    enough = client_of(settings_of(tmp_path, "broad"), sessions_needed=40).get("/").text
    assert "no trained model" in enough
    assert client_of(settings_of(tmp_path, "broad")).get("/status").status_code == 200


def test_a_damaged_lake_is_an_error_page_not_a_crash(tmp_path):
    settings = settings_of(tmp_path)
    published.publish(settings)
    for part in (settings.dataset_home / "lake" / "parts" / "predictions").rglob("*.parquet"):
        part.write_bytes(b"PAR1")
    answer = client_of(settings).get("/")
    assert answer.status_code == 503
    assert "E210" in answer.text


def test_a_new_commit_shows_without_a_restart(tmp_path):
    settings = settings_of(tmp_path)
    client = client_of(settings)
    assert "No predictions available" in client.get("/").text
    published.publish(settings)
    assert "Historical sample to 2020-02-07" in client.get("/").text


def test_a_forced_session_says_what_the_gate_said(tmp_path):
    settings = settings_of(tmp_path)
    lake = published.publish(settings)
    said = "Made although the gate said: core.daily_bars: staleness: ends 2020-02-07, 5 sessions &lt; 9"
    paths = ("/", "/ticker/AAPL")
    assert [said in client_of(settings).get(path).text for path in paths] == [False, False]
    block = Block(table="core.daily_bars", rule="staleness", fact="ends 2020-02-07, 5 sessions < 9")
    lake.publish(forced_session([block], session=published.SESSION, as_of=published.KNOWN, run_id="r"))
    assert [said in client_of(settings).get(path).text for path in paths] == [True, True]
