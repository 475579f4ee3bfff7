"""A user's own files: what is stale is refused, what is old on purpose is not."""

import datetime as dt

import numpy as np
import pytest

from trader_pipeline import calendar
from trader_pipeline_tests.conftest import trader

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five names that reverse from day to day, 1,400 sessions to the end of 2019, one file each."""
    folder = tmp_path_factory.mktemp("prices")
    days = calendar.sessions("XNYS", dt.date(2012, 1, 3), dt.date(2019, 12, 31))[-1400:]
    for number, name in enumerate(("AAA", "BBB", "CCC", "DDD", "SPY")):
        returns = np.random.default_rng(number).normal(0, 0.01, len(days))
        returns[1:] -= 0.4 * returns[:-1]  # something to find: without it the ridge rightly says nothing, and that blocks
        close = np.round(50 * np.exp(np.cumsum(returns)), 2)
        bars = zip(days, [50, *close[:-1]], close, strict=True)  # each session opens where the last one closed
        rows = [f"{day},{o},{max(o, c) + 0.1:.2f},{min(o, c) - 0.1:.2f},{c},1000000" for day, o, c in bars]
        (folder / f"{name}.csv").write_text("Date,Open,High,Low,Close,Volume\n" + "\n".join(rows) + "\n")
    return folder


def test_stale_files_block_with_the_fact_and_the_mend(folder, tmp_path):
    home = tmp_path / "home"
    ran = trader("run", "--source", "own", "--path", str(folder), home=home, RECIPE="ridge")
    assert ran.code == 3, ran.err
    assert "2019-12-31" in ran.err
    assert "--as-of" in ran.err
    kept = trader("sql", "select count(*) n from core.daily_bars", "--json", home=home, DATASET="own")
    assert kept.json() == [{"n": 7000}]


def test_an_as_of_makes_them_good_and_a_second_run_changes_nothing(folder, tmp_path):
    home = tmp_path / "home"
    command = ("run", "--source", "own", "--path", str(folder), "--as-of", "2019-12-31", "--json")
    ran = trader(*command, home=home, RECIPE="ridge")
    assert ran.code == 0, ran.err
    assert ran.json()["predictions"] >= 16
    head = (home / "own/lake/HEAD").read_bytes()
    assert trader(*command, home=home, RECIPE="ridge").code == 0
    assert (home / "own/lake/HEAD").read_bytes() == head
