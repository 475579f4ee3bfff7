"""Every page in every state, as a browser without script gets it."""

import csv
import datetime as dt
import io
import re
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from trader_pipeline import heartbeats, lake
from trader_pipeline.dashboard import pages_predictions
from trader_pipeline.flows.gate import Block, forced_session
from trader_pipeline.lake import Change
from trader_pipeline.schema import core
from trader_pipeline.schema.contracts import PREDICTIONS
from trader_pipeline_tests import published
from trader_pipeline_tests.dashboard.conftest import NEXT_MORNING, client_of, settings_of
from trader_pipeline_tests.published import predictions

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


def test_the_scorecard_gives_one_verdict_a_horizon(deep):
    text = deep.get("/").text
    assert "53.1 % vs 52.2 % base (±1.4), target 70 %: not met" in text
    assert text.count('class="verdict"') == 4


def test_rows_are_filtered_sorted_and_ranked_over_the_whole_horizon(deep):
    text, boeing, technology = (
        deep.get(path).text.split('id="changed"')[0]
        for path in ("/?horizon=5&sort=ticker&dir=desc", "/?horizon=5&q=boeing", "/?sector=Technology")
    )
    tickers = re.findall(r'href="/ticker/(\w+)\?', text)
    assert tickers == sorted(published.NAMES, reverse=True)
    assert re.findall(r'href="/ticker/(\w+)\?', boeing) == ["BA"]
    rank = re.search(r'class="rank">(\d+)<', boeing)[1]
    assert rank == re.search(r'class="rank">(\d+)</td>\s*<th scope="row" class="text"><a href="/ticker/BA\?', text)[1]
    assert set(re.findall(r'href="/ticker/(\w+)\?', technology)) == {"AAPL", "AMD", "NVDA"}


def test_a_script_gets_the_table_alone(deep):
    partial = deep.get("/?horizon=20", headers={"HX-Request-Type": "partial"})
    assert partial.text.lstrip().startswith('<section id="predictions"')
    assert partial.headers["vary"].lower().find("hx-request-type") >= 0


def test_abstaining_rows_are_marked_and_keep_rank_and_numbers(deep, home):
    abstained = lake.open(home / "deep").sql(
        "select ticker from predictions.daily where session = ? and horizon_sessions = 5 and abstained", [published.SESSION]
    )["ticker"]
    text = deep.get("/?horizon=5").text
    assert text.count('<tr class="abstained">') == len(abstained) > 0
    assert len(re.findall(r'class="rank">\d+<', text)) == 11


def test_the_csv_equals_the_table(deep, home):
    rows = list(csv.DictReader(io.StringIO(deep.get("/predictions.csv").text)))
    table = lake.open(home / "deep").sql("select * from predictions.daily where session = ?", [published.SESSION]).to_pylist()
    assert len(rows) == len(table) == 44
    by_key = {(row["ticker"], int(row["horizon_sessions"])): row for row in rows}
    for row in table:
        written = by_key[row["ticker"], row["horizon_sessions"]]
        for name in ("return_mean", "q05", "q25", "q50", "q75", "q95", "p_up", "p_outperform", "base_rate", "score", "confidence"):
            assert float(written[name]) == row[name]
        assert written["abstained"] == str(row["abstained"])
        assert written["model_id"] == row["model_id"]
    assert len(deep.get("/predictions.csv?horizon=5&sector=Technology").text.splitlines()) == 1 + 3


def test_a_spreadsheet_never_runs_a_name(tmp_path, monkeypatch):
    monkeypatch.setitem(published.NAMES, "BA", ("=1+1", "Industrials", 336.0))
    published.publish(settings_of(tmp_path))
    rows = csv.DictReader(io.StringIO(client_of(settings_of(tmp_path)).get("/predictions.csv").text))
    assert {row["name"] for row in rows if row["ticker"] == "BA"} == {"'=1+1"}


def test_the_json_speaks_of_one_session_and_horizon(deep):
    facts = deep.get("/api/predictions?horizon=20").json()
    assert facts["schema"] == "predictions/1"
    assert (facts["session"], facts["state"], len(facts["rows"])) == ("2020-02-07", "sample", 11)
    assert {row["horizon_sessions"] for row in facts["rows"]} == {20}
    assert deep.get("/healthz").json()["ok"] is True


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


def test_a_session_without_predictions_names_the_newest(deep):
    text = deep.get("/?session=2020-01-03").text
    assert "No predictions for 2020-01-03" in text
    assert "trader predict --session 2020-01-03" in text
    assert deep.get("/api/predictions?session=2020-01-03").status_code == 404


def test_an_earlier_session_can_be_looked_at(deep):
    assert "Looking back" in deep.get("/ticker/AAPL?session=2020-02-06").text
    assert deep.get("/?session=2020-02-06").status_code == 200


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


def test_a_session_in_which_everything_abstains_says_so_and_keeps_its_rows(tmp_path, monkeypatch):
    made = predictions.forecast
    monkeypatch.setattr(predictions, "forecast", lambda *arguments: made(*arguments) | {"abstained": True})
    published.publish(settings_of(tmp_path))
    text = client_of(settings_of(tmp_path)).get("/").text
    assert "Every forecast abstains" in text
    assert text.count('<tr class="abstained">') == 11


def test_a_leak_alarm_stands_above_the_scorecard(tmp_path, monkeypatch):
    made = published.evaluation

    def alarming(days, rng):
        for change in made(days, rng):
            if "leak_alarm" in change.rows.column_names:
                said = pa.array(["ensemble, 5 sessions: 71.0 % is 19 points over its base; look for a leak"] * change.rows.num_rows)
                column = change.rows.column_names.index("leak_alarm")
                yield replace(change, rows=change.rows.set_column(column, "leak_alarm", said))
            else:
                yield change

    monkeypatch.setattr(published, "evaluation", alarming)
    published.publish(settings_of(tmp_path))
    text = client_of(settings_of(tmp_path)).get("/").text
    assert text.index("19 points over its base") < text.index('class="scorecard"')


def test_a_long_table_shows_its_first_rows_and_exports_all(deep, monkeypatch):
    monkeypatch.setattr(pages_predictions, "ROWS_SHOWN", 7)
    text = deep.get("/?horizon=all").text
    assert "First 7 of 44 forecasts" in text
    assert len(re.findall(r'class="rank">', text)) == 7
    assert len(deep.get("/predictions.csv").text.splitlines()) == 1 + 44


def test_a_ticker_whose_rows_are_all_quarantined_has_a_page_without_a_chart(tmp_path):
    lake_ = published.publish_bars_only(settings_of(tmp_path))
    bars = lake_.snapshot().read(core.ACCEPTED_BARS)
    lake_.publish(Change.replace(core.ACCEPTED_BARS, bars.filter(pc.not_equal(bars["ticker"], "BA"))))
    answer = client_of(settings_of(tmp_path)).get("/ticker/BA")
    assert answer.status_code == 200
    assert "No accepted bars of BA" in answer.text
    assert "high 366.1 under close 366.2" in answer.text
    assert 'id="chart"' not in answer.text


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


def test_the_status_page_says_whether_the_daemon_lives(tmp_path):
    settings = settings_of(tmp_path, "live")
    page = client_of(settings, now=NEXT_MORNING).get("/status").text
    assert "The daemon was never seen: schedule and sensors do not run; start them with `TRADER_DATASET=live trader dev`" in page
    for sensor, said in (("heartbeat", "alive"), ("on_stale_data", "sessions behind <2020-02-07>")):
        heartbeats.write(settings.heartbeats, heartbeats.Beat(sensor=sensor, at=NEXT_MORNING - dt.timedelta(minutes=2), said=said))
    page = client_of(settings, now=NEXT_MORNING).get("/status").text
    assert "The daemon was last seen 2 minutes ago" in page
    assert "sessions behind &lt;2020-02-07&gt;" in page
    page = client_of(settings, now=NEXT_MORNING + dt.timedelta(hours=5)).get("/status").text
    assert "last seen 5 hours ago: schedule and sensors do not run" in page


def test_the_status_page_counts_what_was_published(deep):
    text = deep.get("/status").text
    assert "core.accepted_bars" in text
    assert f"{420 * 12:,}" in text
    assert "1 of 5 rules find errors" in text
    assert "1 ticker-day held" in text
    assert "unknown symbol" in text
    assert "Throttled" in text
    assert "Bars by source" in text
    assert "high 366.1 under close 366.2" in text


def test_the_status_page_says_how_far_each_family_of_features_has_values(deep):
    cells = [re.sub(r"<[^>]+>", " ", row).split() for row in deep.get("/status").text.split("<tr>")]
    momentum = next(row for row in cells if row[:1] == ["momentum"])
    valuation = next(row for row in cells if row[:1] == ["valuation"])
    assert momentum[1:8] == ["4", "present", "100", "%", "100", "%", "2018-09-04"]
    assert valuation[1:6] == ["4", "absent", "–", "–", "–"]
    assert 'aria-label="momentum: 2018 ' in deep.get("/status").text


def test_the_report_is_framed_and_carries_its_own_policy(home, deep):
    folder = home / "deep" / "reports"
    folder.mkdir(exist_ok=True)
    (folder / "report_2020-02-07.html").write_text("<!doctype html><title>Report</title>")
    (folder / "notes.txt").write_text("not a report")
    assert 'src="/report/2020-02-07"' in deep.get("/report").text
    answer = deep.get("/report/2020-02-07")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]
    assert deep.get("/report/2020-02-06").status_code == 404
    assert deep.get("/report/..%2f..%2flake%2fHEAD").status_code in (400, 404)


def test_a_forced_session_says_what_the_gate_said(tmp_path):
    settings = settings_of(tmp_path)
    lake = published.publish(settings)
    said = "Made although the gate said: core.daily_bars: staleness: ends 2020-02-07, 5 sessions &lt; 9"
    paths = ("/", "/ticker/AAPL")
    assert [said in client_of(settings).get(path).text for path in paths] == [False, False]
    block = Block(table="core.daily_bars", rule="staleness", fact="ends 2020-02-07, 5 sessions < 9")
    lake.publish(forced_session([block], session=published.SESSION, as_of=published.KNOWN, run_id="r"))
    assert [said in client_of(settings).get(path).text for path in paths] == [True, True]


def section(text, name):
    """Return the panel with that id, without tags."""
    return re.sub(r"<[^>]+>", " ", text.split(f'id="{name}"')[1].split("</section>")[0])


def test_the_ticker_page_says_why_and_the_sum_is_the_score(deep, home):
    text = section(deep.get("/ticker/AAPL").text, "why")
    snapshot = lake.open(settings_of(home).dataset_home)
    rows = snapshot.sql(
        "select horizon_sessions h, sum(contribution) total, any_value(score) score, any_value(completeness_error) error "
        "from predictions.explanations where ticker = 'AAPL' and model = 'ensemble' group by h"
    ).to_pylist()
    assert [round(row["total"] + row["error"] - row["score"], 9) for row in rows] == [0] * 4
    for told in (
        "1 session",
        "60 sessions",
        "momentum_12_1",
        "base value",
        "all others",
        "lightgbm",
        "panel_former",
        "the sum leaves 4e-04",
    ):
        assert told in text, told
    assert text.count("amihud_illiquidity_21d") == 4


def test_a_name_that_no_network_is_explained_for_says_so(deep):
    assert "10 of this session; this is none of them" in section(deep.get("/ticker/NVDA").text, "why")


def test_an_older_session_that_nothing_explains_names_the_command(deep):
    assert "trader predict" in section(deep.get("/ticker/AAPL?session=2020-02-06").text, "why")


def test_what_changed_stands_on_both_pages_with_its_cause(deep):
    page, ticker = (section(deep.get(path).text, "changed") for path in ("/?horizon=5", "/ticker/BA"))
    assert "since 2020-02-06" in page
    assert re.search(r"of 11 forecasts moved, 0 flipped: put down to price \d+, data 1\.", page)
    assert ticker.count("data") == 4
    assert "No session before" in section(deep.get("/ticker/BA?session=2020-02-06").text, "changed")


def test_the_paper_log_keeps_hindsight_apart(deep):
    page, ticker = (section(deep.get(path).text, "paper") for path in ("/", "/ticker/AAPL"))
    assert re.search(r"1 session\s+99\s+9\s", page), "ten sessions of eleven names, one of them made too late"
    assert "88 predictions wait" in page
    assert "11 made after their entry are left out as hindsight" in page
    assert ticker.count("hindsight") == 1
    assert "No prediction of this ticker" in section(deep.get("/ticker/SPY").text, "paper")


def test_announced_days_and_excess_returns_stand_beside_the_forecast(deep):
    text = deep.get("/ticker/AAPL").text
    assert text.count('<span class="flag">earnings</span>') == 2
    assert "Over bench., sector" in text
    assert '<span class="flag">earnings</span>' not in deep.get("/ticker/BA").text


def test_one_tickers_predictions_as_the_contract_has_them(deep):
    answer = deep.get("/api/predictions/AAPL").json()
    assert (answer["schema"], answer["session"], answer["state"]) == ("ticker/1", "2020-02-07", "sample")
    assert [row["horizon_sessions"] for row in answer["rows"]] == [1, 5, 20, 60]
    assert list(answer["rows"][0]) == list(PREDICTIONS.names)
    assert deep.get("/api/predictions/AAPL?session=2020-02-06").json()["rows"][0]["made_at"] < answer["rows"][0]["made_at"]
    assert deep.get("/api/predictions/NONE").status_code == 404
