"""A Yahoo that answers from 127.0.0.1, and a home that asks it."""

import pytest

from trader_pipeline_tests.fake_yahoo import FakeYahoo
from trader_pipeline_tests.sources.asking_yahoo import settings_for


@pytest.fixture
def yahoo():
    with FakeYahoo() as server:
        yield server


@pytest.fixture
def settings(tmp_path, yahoo):
    """A home whose Yahoo is the fake."""
    return settings_for(tmp_path, yahoo.url)
