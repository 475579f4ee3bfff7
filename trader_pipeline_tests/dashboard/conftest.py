"""Dashboards over a published lake, an empty home and a home without a model."""

import datetime as dt
import re

import pytest
from fastapi.testclient import TestClient

from trader_pipeline.dashboard.app import create_app
from trader_pipeline.settings import Settings
from trader_pipeline_tests import published

NEXT_MORNING = dt.datetime(2020, 2, 8, 14, 0, tzinfo=dt.UTC)


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
