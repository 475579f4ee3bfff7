"""What is due is run in its order; news that fall short hold nothing up and are told at the end."""

import datetime as dt

import pytest

from trader_pipeline.cli.output import Silence
from trader_pipeline.defs import launch
from trader_pipeline.defs.coverage import ShortfallError
from trader_pipeline.defs.launch import Launcher
from trader_pipeline.errors import SourceUnavailableError
from trader_pipeline.settings import Settings

NOW = dt.datetime(2026, 11, 20, 22, tzinfo=dt.UTC)


@pytest.fixture
def launched(tmp_path, monkeypatch):
    """A launcher of an empty home whose jobs raise what `raises` says, and the jobs that it launched."""
    jobs, raises = [], {}

    def run(_, job, **_more):
        jobs.append(job)
        if job in raises:
            raise raises[job]

    monkeypatch.setattr(Launcher, "launch", run)
    monkeypatch.setattr(launch.train, "require_history", lambda *_, **__: None)
    monkeypatch.setattr(launch.due, "daily", lambda *_, **__: True)
    settings = Settings(home=tmp_path / "home", dataset="live", _env_file=None)
    return Launcher(definitions=None, settings=settings, progress=Silence()), jobs, raises


def test_a_shortfall_of_news_is_told_when_all_is_done(launched):
    launcher, jobs, raises = launched
    raises["refetch"] = raises["daily"] = ShortfallError("fmp: throttled: AAA")
    ran = launcher.run_due(now=NOW, as_of=None)
    assert jobs == list(ran.jobs) == ["refetch", "train", "daily"]
    assert str(ran.shortfall) == "fmp: throttled: AAA"


def test_too_few_bars_end_it(launched):
    launcher, jobs, raises = launched
    raises["refetch"] = SourceUnavailableError("yahoo: throttled: AAA")
    with pytest.raises(SourceUnavailableError, match="yahoo"):
        launcher.run_due(now=NOW, as_of=None)
    assert jobs == ["refetch"]


def test_without_a_shortfall_there_is_none(launched):
    launcher, jobs, _ = launched
    assert launcher.run_due(now=NOW, as_of=None).shortfall is None
    assert jobs == ["refetch", "train", "daily"]
