"""`kill -9` at 20 random moments of a download of 200 tickers, then a rerun: the lake is the one that was never killed."""

import datetime as dt
import multiprocessing
import random
import time

import pytest

from trader_pipeline.lake import Lake
from trader_pipeline.schema import core, raw
from trader_pipeline_tests.fake_world import World
from trader_pipeline_tests.fake_yahoo import FakeYahoo
from trader_pipeline_tests.flows.downloading import TICKERS, download
from trader_pipeline_tests.sources.asking_yahoo import FIRST, SESSIONS, TODAY

KILLS = 20
SECONDS = 120
SPLIT, PAID = dt.date(2025, 4, 7), dt.date(2025, 5, 5)


@pytest.fixture(scope="module")
def processes():
    """Forked from a process that has everything imported: a child starts in some milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["trader_pipeline_tests.flows.downloading"])
    return context


@pytest.fixture
def yahoo():
    world = World(first=FIRST, today=TODAY)
    for ticker in TICKERS[::7]:
        world.splits[ticker].append((SPLIT, 4, 1))
        world.dividends[ticker].append((PAID, 0.5))
    with FakeYahoo(world) as server:
        yield server


def finish(child):
    child.join(SECONDS)
    assert child.exitcode == 0


def killed_after(child, yahoo, answers, seconds):
    """Kill the child once the server has given so many answers more; say whether it was still at work."""
    until = len(yahoo.log) + answers
    while len(yahoo.log) < until and child.is_alive():
        time.sleep(0.001)
    time.sleep(seconds)
    child.kill()
    child.join()
    return child.exitcode == -9


def content(lake, table):
    """Return a table's rows without the moment of the fetch, sorted."""
    columns = [column.name for column in table.columns if column.name != "fetched_at"]
    return lake.snapshot().read(table, columns).sort_by([(name, "ascending") for name in table.key if name in columns])


@pytest.mark.slow
def test_a_download_killed_at_20_moments_ends_as_one_that_was_never_killed(tmp_path, yahoo, processes):
    whole = processes.Process(target=download, args=(tmp_path / "whole", yahoo.url, 0))
    whole.start()
    finish(whole)
    asked = len(yahoo.log)
    chance = random.Random(7)  # noqa: S311 - moments, not secrets
    lakes = [Lake(home / "live" / "lake", "live") for home in (tmp_path / "whole", tmp_path / "killed")]
    stored = 0
    for number in range(KILLS):
        child = processes.Process(target=download, args=(tmp_path / "killed", yahoo.url, number))
        child.start()
        answers = chance.randint(1, 1 + (200 - stored) // 5)
        assert killed_after(child, yahoo, answers, chance.uniform(0, 0.05)), "it was done before it was killed"
        stored = lakes[1].snapshot().rows(raw.FETCH_ATTEMPTS)
    assert 0 < stored < 200
    before = len(yahoo.log)
    last = processes.Process(target=download, args=(tmp_path / "killed", yahoo.url, KILLS))
    last.start()
    finish(last)
    assert len(yahoo.log) - before == asked - stored, "asked only for the rest"
    assert lakes[1].snapshot().rows(raw.YAHOO_BARS) == 200 * SESSIONS
    for table in (raw.YAHOO_BARS, *core.TABLES):
        one, other = (content(lake, table) for lake in lakes)
        assert one.equals(other), table.full_name
    outcomes = lakes[1].snapshot().read(raw.FETCH_ATTEMPTS, ["ticker", "outcome"]).to_pylist()
    assert sorted(row["ticker"] for row in outcomes) == sorted((*TICKERS, "SPY"))
    assert {row["outcome"] for row in outcomes} == {"ok"}
