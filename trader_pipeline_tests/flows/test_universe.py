import datetime as dt
import subprocess
import sys
import tomllib

import pytest

from trader_pipeline.errors import UsageError
from trader_pipeline.flows.universe import add, lists
from trader_pipeline.settings import load_universe

DAY = dt.date(2020, 1, 2)


def test_tickers_are_added_once_and_keep_their_date(tmp_path):
    path = tmp_path / "home" / "universe.toml"
    add(path, "default", ["aapl", "MSFT", "AAPL"], added=DAY)
    add(path, "tech-2", ["BRK-B", "VOD.L", "^GSPC"], added=DAY)
    members = add(path, "default", ["MSFT", "NVDA"], added=dt.date(2021, 3, 4))
    assert members == [
        {"ticker": "AAPL", "added": DAY},
        {"ticker": "MSFT", "added": DAY},
        {"ticker": "NVDA", "added": dt.date(2021, 3, 4)},
    ]
    assert lists(path) == {
        "default": members,
        "tech-2": [{"ticker": t, "added": DAY} for t in ("BRK-B", "VOD.L", "^GSPC")],
    }
    assert load_universe(path, "default") == ["AAPL", "MSFT", "NVDA"]
    assert tomllib.loads(path.read_text())["default"]["members"][2] == {"ticker": "NVDA", "added": dt.date(2021, 3, 4)}


def test_a_share_class_is_added_with_a_hyphen_and_once(tmp_path):
    path = tmp_path / "universe.toml"
    path.write_text('[default]\nmembers = [{ticker = "BF.B", added = 2020-01-02}]\n')
    members = add(path, "default", ["brk.b", "BRK-B", "BF-B", "VOD.L"], added=DAY)
    assert [member["ticker"] for member in members] == ["BF.B", "BRK-B", "VOD.L"]


@pytest.mark.parametrize("bad", ["", "A B", "A,B", 'A"', "../A", "TOOLONGTICKERNAME", "é"])
def test_what_is_no_ticker_is_refused_and_nothing_is_written(tmp_path, bad):
    path = tmp_path / "universe.toml"
    with pytest.raises(UsageError, match="no ticker looks like that"):
        add(path, "default", ["AAPL", bad], added=DAY)
    assert not path.exists()


def test_a_bad_list_name_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no list name"):
        add(tmp_path / "universe.toml", "my list", ["AAPL"], added=DAY)


@pytest.mark.parametrize("text", ["[default\n", "[default]\nmembers = ['A']\n", "[default]\nmembers = [{ticker = 'A'}]\n", "default = 1\n"])
def test_a_file_that_somebody_broke_is_named_and_kept(tmp_path, text):
    path = tmp_path / "universe.toml"
    path.write_text(text)
    for attempt in (lambda: lists(path), lambda: add(path, "default", ["AAPL"], added=DAY)):
        with pytest.raises(UsageError, match=r"universe\.toml"):
            attempt()
    assert path.read_text() == text


def test_no_file_is_no_list(tmp_path):
    assert lists(tmp_path / "universe.toml") == {}


def test_two_processes_that_add_lose_nothing(tmp_path):
    code = (
        "import sys, datetime as dt; from pathlib import Path; from trader_pipeline.flows.universe import add\n"
        "for i in range(20): add(Path(sys.argv[1]), 'default', [f'{sys.argv[2]}{i}'], added=dt.date(2020, 1, 2))"
    )
    path = tmp_path / "universe.toml"
    running = [subprocess.Popen([sys.executable, "-c", code, str(path), me]) for me in "XY"]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert sorted(load_universe(path, "default")) == sorted(f"{me}{i}" for me in "XY" for i in range(20))
