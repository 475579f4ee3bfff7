"""A user's own files: what is stale is refused, what is old on purpose is not."""

import datetime as dt
import shutil

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
        returns[1:] -= 0.2 * returns[:-1]  # with nothing to find the ridge rightly says nothing; twice as much rings the leak alarm
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


@pytest.fixture(scope="module")
def grown(folder, tmp_path_factory):
    """A home trained at the end of November and brought forward to the end of December."""
    home = tmp_path_factory.mktemp("own") / "home"
    for day in ("2019-11-29", "2019-12-31"):
        ran = trader("run", "--source", "own", "--path", str(folder), "--as-of", day, "--json", home=home, RECIPE="ridge")
        assert ran.code == 0, ran.err
        assert (ran.json()["session"], ran.json()["predictions"]) == (day, 16)
    return home


def test_a_second_run_changes_nothing(folder, grown):
    head = (grown / "own/lake/HEAD").read_bytes()
    ran = trader("run", "--source", "own", "--path", str(folder), "--as-of", "2019-12-31", home=grown, RECIPE="ridge")
    assert ran.code == 0, ran.err
    assert (grown / "own/lake/HEAD").read_bytes() == head


def test_an_older_session_is_predicted_as_of_then_and_leaves_the_newest_tables(grown):
    own = {"RECIPE": "ridge", "DATASET": "own"}  # without the folder: what is stored counts
    assert trader("predict", "--session", "2019-12-10", "--json", home=grown, **own).json()["predictions"]
    assert trader("report", "--session", "2019-12-10", home=grown, **own).out.strip().endswith("report_2019-12-10.html")
    facts = (
        "select max(session) bars, (select max(session) from features.panel) panel, "
        "(select count(*) from training.runs) models from core.accepted_bars"
    )
    assert trader("sql", facts, "--json", home=grown, **own).json() == [{"bars": "2019-12-31", "panel": "2019-12-31", "models": 1}]


def test_a_session_before_every_model_is_exit_4_and_trains_nothing(folder, grown):
    ran = trader("predict", "--session", "2019-06-03", home=grown, DATASET="own", OWN_PATH=str(folder))
    assert ran.code == 4
    assert "the dataset own has no model" in ran.err
    assert "`trader run --as-of 2019-06-03`" in ran.err
    assert "TRADER_DATASET" in ran.err


def test_a_file_that_is_mended_after_the_session_is_said_to_count_later(folder, grown, tmp_path):
    mended = shutil.copytree(folder, tmp_path / "mended")
    lines = (mended / "AAA.csv").read_text().splitlines()
    lines[-3] = lines[-3].replace(",1000000", ",900000")
    (mended / "AAA.csv").write_text("\n".join(lines) + "\n")
    ran = trader("run", "--source", "own", "--path", str(mended), "--as-of", "2019-12-31", home=grown, RECIPE="ridge")
    assert ran.code == 0, ran.err
    assert "1 corrected bar came after 2019-12-31 and did not count; from 20" in ran.err
