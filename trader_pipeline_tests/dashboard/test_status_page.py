"""The data status page, as a browser without script gets it."""

import datetime as dt
import re

import pyarrow as pa

from trader_pipeline import heartbeats
from trader_pipeline.lake import Change
from trader_pipeline.schema.serving import PROMOTIONS
from trader_pipeline.schema.training import RUNS
from trader_pipeline_tests import published
from trader_pipeline_tests.dashboard.conftest import NEXT_MORNING, client_of, settings_of


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
    assert "3 rules found nothing" in text
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


def test_the_status_page_says_which_model_serves_and_who_decided_it(tmp_path):
    lake = published.publish(settings_of(tmp_path))
    run = lake.snapshot().read(RUNS).to_pylist()[0] | {"model_id": "challenger", "finished_at": published.KNOWN}
    row = {"model_id": "challenger", "action": "refused", "serves": published.MODEL_ID, "why": "not better <by 0.01>", "who": "gate"}
    row |= {"decided_at": published.KNOWN, "counts_from": published.KNOWN, "run_id": "r"}
    lake.publish(
        Change.append(RUNS, pa.Table.from_pylist([run], RUNS.arrow_schema)),
        Change.append(PROMOTIONS, pa.Table.from_pylist([row], PROMOTIONS.arrow_schema)),
    )
    text = re.sub(r"<[^>]+>", " ", client_of(settings_of(tmp_path)).get("/status").text)
    assert re.search(rf"{published.MODEL_ID}\s+serving", text)
    assert re.search(r"challenger\s+refused: not better &lt;by 0.01&gt; \(gate,", text)
