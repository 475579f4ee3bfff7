"""Alerts arrive, are retried, are not repeated, and never show an address or a password."""

import datetime as dt
import json
import logging
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from structlog.testing import capture_logs

from trader_pipeline.operations import alert_memory, alert_webhook, disk
from trader_pipeline.operations.alerts import Alert, alert_full_disk, send
from trader_pipeline.settings import AlertSettings, Settings
from trader_pipeline_tests.conftest import trader

NOW = dt.datetime(2026, 11, 27, 22, tzinfo=dt.UTC)
FAILED = Alert(
    event="run_failed", subject="daily at features", summary="no disk", mend="docs/runbook.md, E220", facts={"run": "r1", "job": "daily"}
)


class Hook(BaseHTTPRequestHandler):
    answers: list[int]
    bodies: list[dict]

    def do_POST(self):
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.answers.pop(0) if self.answers else 200)
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Stay quiet."""


@pytest.fixture
def hook():
    Hook.answers, Hook.bodies = [], []
    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook/s3cret"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def settings(tmp_path, hook):
    return Settings(home=tmp_path / "home", webhook_url=hook, dataset="deep", _env_file=None)


@pytest.mark.parametrize(
    ("answers", "why", "asked"),
    [
        ([200], None, 1),
        ([204], None, 1),
        ([500, 503, 200], None, 3),
        ([500, 500, 503], "HTTP status 503 after 3 attempts", 3),
        ([404], "HTTP status 404", 1),
        ([302], "HTTP status 302", 1),
    ],
)
def test_delivery(settings, answers, why, asked, caplog):
    Hook.answers = list(answers)
    with capture_logs() as logs, caplog.at_level(logging.DEBUG):
        sent = send(settings, FAILED, now=NOW)
    assert (sent.sinks, sent.delivered, sent.repeated) == ({"webhook": why}, why is None, False)
    assert len(Hook.bodies) == asked
    fields = {
        "subject": "daily at features",
        "summary": "no disk",
        "mend": "docs/runbook.md, E220",
        "dataset": "deep",
        "suppressed": 0,
        "facts": {"run": "r1", "job": "daily"},
    }
    for body in Hook.bodies:
        assert {name: body[name] for name in fields} == fields
        assert (body["event"], body["at"]) == ("run_failed", "2026-11-27T22:00:00+00:00")
    assert logs[0] == {"event": "run_failed", "log_level": "warning", **fields}
    assert [entry["event"] for entry in logs[1:]] == ([] if why is None else ["alert_not_delivered"])
    assert "s3cret" not in str(logs) + caplog.text


def test_slack_reads_text_and_blocks_within_its_limits(settings):
    facts = {f"fact {i}": "x" * 3000 for i in range(60)} | {"one": "<!channel> & co"}
    send(settings, Alert(event="stale_data", subject="s" * 400, summary="<b> & more", mend="m" * 9000, facts=facts), now=NOW)
    body = Hook.bodies[0]
    assert body["text"].startswith("[deep] stale data: sss")
    kinds = [block["type"] for block in body["blocks"]]
    assert kinds == ["header", "section", *["section"] * 4, "section", "context"]
    header, summary, *lists, mend, context = body["blocks"]
    assert (header["text"]["type"], len(header["text"]["text"])) == ("plain_text", 150)
    assert summary["text"] == {"type": "mrkdwn", "text": "&lt;b&gt; &amp; more"}
    assert [len(block["fields"]) for block in lists] == [10, 10, 10, 10]
    assert max(len(field["text"]) for block in lists for field in block["fields"]) == 2000
    assert len(mend["text"]["text"]) == 3000
    assert context["elements"][0]["text"] == "2026-11-27 17:00 EST"
    assert body["facts"] == facts  # a receiver of its own gets all of them


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/s3cret", "no address s3cret"])
def test_a_webhook_that_is_not_there_raises_nothing(tmp_path, url, caplog):
    with capture_logs() as logs, caplog.at_level(logging.DEBUG):
        assert not send(Settings(home=tmp_path, webhook_url=url, _env_file=None), FAILED, now=NOW).delivered
    assert logs[1]["event"] == "alert_not_delivered"
    assert "s3cret" not in str(logs) + caplog.text


def test_without_a_sink_it_is_logged(tmp_path):
    with capture_logs() as logs:
        sent = send(Settings(home=tmp_path, webhook_url=None, _env_file=None), FAILED, now=NOW)
    assert (sent.sinks, sent.delivered) == ({}, False)
    assert [entry["event"] for entry in logs] == ["run_failed"]


def test_the_same_again_is_counted_and_told_with_the_next(settings):
    minutes = [0, 1, 200, 359, 360, 361]
    sent = [send(settings, FAILED, now=NOW + dt.timedelta(minutes=m)) for m in minutes]
    assert [s.repeated for s in sent] == [False, True, True, True, False, True]
    assert [body["suppressed"] for body in Hook.bodies] == [0, 3]
    assert Hook.bodies[1]["text"].endswith("3 times more since the last of these; 2026-11-27 23:00 EST")
    other = Alert(event="run_failed", subject="train at trained", summary="", mend="")
    assert not send(settings, other, now=NOW).repeated
    assert not send(settings.model_copy(update={"dataset": "live"}), FAILED, now=NOW).repeated


def test_what_nobody_got_is_sent_again(settings):
    Hook.answers = [404, 404, 200]
    sent = [send(settings, FAILED, now=NOW + dt.timedelta(minutes=m)) for m in range(4)]
    assert [s.delivered for s in sent] == [False, False, True, False]
    assert [s.repeated for s in sent] == [False, False, False, True]
    assert [body["suppressed"] for body in Hook.bodies] == [0, 1, 2]


def test_a_test_alert_is_never_a_repetition(settings):
    assert [send(settings, FAILED, now=NOW, repeat=True).delivered for _ in range(2)] == [True, True]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"deep run_failed daily at features": 1}', b"\xff"])
def test_a_memory_that_was_broken_forgets(settings, content):
    settings.home.mkdir()
    (settings.home / "alerts.json").write_bytes(content)
    assert [send(settings, FAILED, now=NOW).repeated for _ in range(2)] == [False, True]


def test_a_home_that_cannot_be_written_stops_no_alert(settings):
    settings.home.write_bytes(b"a file")
    assert [send(settings, FAILED, now=NOW).delivered for _ in range(2)] == [True, True]


def test_the_memory_is_small(settings, monkeypatch):
    monkeypatch.setattr(alert_memory, "_KEPT", 5)
    for number in range(8):
        send(settings, replace(FAILED, subject=str(number)), now=NOW + dt.timedelta(seconds=number))
    kept = json.loads((settings.home / "alerts.json").read_bytes())
    assert sorted(kept) == [f"deep run_failed {number}" for number in range(3, 8)]


RACE = """
import datetime as dt, sys
from pathlib import Path
from trader_pipeline.operations.alert_memory import Memory
now = dt.datetime(2026, 11, 27, 22, tzinfo=dt.UTC)
memory = Memory(Path(sys.argv[1]), dt.timedelta(hours=6))
print(sum(memory.claim(f"alert {i}", now) is not None for i in range(20)))
"""


def test_processes_share_the_memory(tmp_path):
    command = [sys.executable, "-c", RACE, str(tmp_path / "alerts.json")]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    won = [int(racer.communicate()[0]) for racer in racers]
    assert sum(won) == 20
    kept = json.loads((tmp_path / "alerts.json").read_bytes())
    assert {entry["suppressed"] for entry in kept.values()} == {2}


@pytest.mark.parametrize(("free", "told"), [(15, False), (14, True)])
def test_a_disk_over_85_percent_is_told(settings, monkeypatch, free, told):
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: type("Usage", (), {"total": 100 * 10**9, "free": free * 10**9}))
    with capture_logs() as logs:
        assert (alert_full_disk(settings, now=NOW) is not None) is told
    assert [body["event"] for body in Hook.bodies] == [entry["event"] for entry in logs] == ["disk_full"] * told
    assert all(body["summary"] == "86% of the disk used, 14.0 GB free" for body in Hook.bodies)


def test_the_command_sends_to_every_sink_that_is_set(settings, hook):
    ran = trader("alert", "test", "--json", home=settings.home, WEBHOOK_URL=hook)
    assert (ran.code, ran.json()["sinks"]) == (0, [{"sink": "webhook", "delivered": True, "why": None}])
    assert [(body["event"], body["subject"]) for body in Hook.bodies] == [("test", "trader alert test")]
    Hook.answers = [404]
    ran = trader("alert", "test", home=settings.home, WEBHOOK_URL=hook)
    assert (ran.code, ran.out) == (1, "webhook  not delivered: HTTP status 404\n")
    ran = trader("alert", "test", home=settings.home)
    assert (ran.code, "only logged: set TRADER_WEBHOOK_URL" in ran.out) == (0, True)


def test_without_an_address_nothing_is_posted(tmp_path):
    message = alert_webhook.Message(event="e", subject="s", summary="", mend="", facts={}, dataset="deep", at=NOW, suppressed=0)
    assert alert_webhook.post(Settings(home=tmp_path, webhook_url=None, _env_file=None), message) == "TRADER_WEBHOOK_URL is not set"
    assert AlertSettings().smtp_host is None
