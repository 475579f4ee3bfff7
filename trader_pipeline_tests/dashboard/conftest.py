"""Dashboards over a published lake, an empty home and a home without a model."""

import datetime as dt
import os
import re
import shutil
import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn
from fastapi.testclient import TestClient

from trader_pipeline.dashboard.app import create_app
from trader_pipeline.dashboard.serve import bind
from trader_pipeline.settings import Settings
from trader_pipeline_tests import published

NEXT_MORNING = dt.datetime(2020, 2, 8, 14, 0, tzinfo=dt.UTC)
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--no-first-run", "--disable-default-apps", "--disable-extensions"),
)


def settings_of(home, dataset="deep"):
    return Settings(home=home, dataset=dataset, _env_file=None)


def client_of(settings, *, now=NEXT_MORNING, **options):
    return TestClient(create_app(settings, clock=lambda: now, **options), base_url="http://127.0.0.1")


def section(text, name):
    """Return the panel with that id, without tags."""
    return re.sub(r"<[^>]+>", " ", text.split(f'id="{name}"')[1].split("</section>")[0])


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A home with the same lake as `deep` (a sample) and as `live` (data that grows)."""
    folder = tmp_path_factory.mktemp("home")
    for dataset in ("deep", "live"):
        published.publish(settings_of(folder, dataset))
    return folder


@pytest.fixture(scope="session")
def deep(home):
    return client_of(settings_of(home))


@contextmanager
def served(settings):
    """Serve the dashboard on a free port; yields its address."""
    listener = bind("127.0.0.1", 0)
    app = create_app(settings, clock=lambda: NEXT_MORNING)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:  # before that a connection is refused
            assert thread.is_alive(), "the server ended before it began"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def _absent(reason):
    if os.environ.get("TRADER_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def _browser_path():
    found = Settings().chromium or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return found or _absent("no browser: install Chromium or name one in TRADER_CHROMIUM")


@pytest.fixture(scope="module")
def browser():
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - a machine without it skips
    except ImportError:
        _absent("no playwright: pip install playwright")
    path = _browser_path()
    with sync_playwright() as session:
        chromium = session.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield chromium
        chromium.close()
