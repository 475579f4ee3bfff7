"""Alerts arrive, are retried, and never show the address of the webhook."""

import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from structlog.testing import capture_logs

from trader_pipeline.operations import disk
from trader_pipeline.operations.alerts import alert, alert_full_disk
from trader_pipeline.settings import Settings


class Hook(BaseHTTPRequestHandler):
    answers: list[int]
    bodies: list[dict]

    def do_POST(self):
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.answers.pop(0))
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


@pytest.mark.parametrize(
    ("answers", "delivered", "asked"),
    [([200], True, 1), ([204], True, 1), ([500, 503, 200], True, 3), ([500] * 3, False, 3), ([404], False, 1), ([302], False, 1)],
)
def test_delivery(hook, answers, delivered, asked, caplog):
    Hook.answers = list(answers)
    with capture_logs() as logs, caplog.at_level(logging.DEBUG):
        assert alert(Settings(webhook_url=hook, dataset="deep"), event="run_failed", text="daily 1: no disk") is delivered
    assert Hook.bodies == [{"event": "run_failed", "text": "daily 1: no disk", "dataset": "deep"}] * asked
    assert logs[0] == {"event": "run_failed", "text": "daily 1: no disk", "dataset": "deep", "log_level": "warning"}
    assert [entry["event"] for entry in logs[1:]] == ([] if delivered else ["alert_not_delivered"])
    assert "s3cret" not in str(logs) + caplog.text


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/s3cret", "no address s3cret"])
def test_a_webhook_that_is_not_there_raises_nothing(url, caplog):
    with capture_logs() as logs, caplog.at_level(logging.DEBUG):
        assert alert(Settings(webhook_url=url), event="stale_data", text="old") is False
    assert logs[1]["event"] == "alert_not_delivered"
    assert "s3cret" not in str(logs) + caplog.text


def test_without_a_webhook_it_is_logged():
    with capture_logs() as logs:
        assert alert(Settings(webhook_url=None), event="stale_data", text="old") is False
    assert [entry["event"] for entry in logs] == ["stale_data"]


@pytest.mark.parametrize(("free", "told"), [(15, False), (14, True)])
def test_a_disk_over_85_percent_is_told(hook, tmp_path, monkeypatch, free, told):
    Hook.answers = [200]
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: type("Usage", (), {"total": 100 * 10**9, "free": free * 10**9}))
    with capture_logs() as logs:
        assert alert_full_disk(Settings(home=tmp_path / "not yet", webhook_url=hook, dataset="live")) is told
    assert [body["event"] for body in Hook.bodies] == [entry["event"] for entry in logs] == ["disk_full"] * told
    assert all("86% of the disk used, 14.0 GB free" in body["text"] for body in Hook.bodies)
