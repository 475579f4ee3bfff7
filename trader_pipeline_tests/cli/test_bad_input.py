"""Bad input gets the fact and the mend, the right exit status, and nothing is lost."""

import shutil
import socket

import pytest

from trader_pipeline_tests.conftest import trader


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def test_no_lake_names_the_command_that_makes_one(home):
    ran = trader("sql", "select 1", home=home)
    assert (ran.code, ran.out) == (4, "")
    assert "trader demo" in ran.err


def test_unknown_command_is_usage(home):
    assert trader("dance", home=home).code == 2


def test_a_write_is_refused(demo):
    ran = trader("sql", "drop view predictions.daily", home=demo.home)
    assert ran.code == 2
    assert "read-only" in ran.err


def test_a_wrong_column_is_usage_and_names_it(demo):
    ran = trader("sql", "select nonsense from predictions.daily", home=demo.home)
    assert ran.code == 2
    assert "nonsense" in ran.err


def test_a_day_without_session_is_named(demo):
    ran = trader("predict", "--session", "2020-02-08", home=demo.home)
    assert ran.code == 2
    assert "2020-02-08 is no XNYS session; the one before it is 2020-02-07" in ran.err


def test_a_day_to_come_is_refused(demo):
    ran = trader("predict", "--session", "2099-01-02", home=demo.home)
    assert ran.code == 2
    assert "2099-01-02 is not over yet" in ran.err


def test_a_day_that_is_none_is_named(home, tmp_path):
    ran = trader("check", "--path", str(tmp_path), "--as-of", "yesterday", home=home)
    assert ran.code == 2
    assert "'yesterday' is no date; write YYYY-MM-DD" in ran.err


def test_a_session_without_a_model_is_exit_4(demo):
    ran = trader("predict", "--session", "2015-06-01", home=demo.home)
    assert ran.code == 4, ran.err
    assert "model" in ran.err


def test_without_a_model_the_dataset_is_named_and_how_to_name_another(home):
    ran = trader("predict", "--session", "2020-02-07", home=home)
    assert ran.code == 4, ran.err
    assert "the dataset deep has no data yet: `trader demo --sample deep`" in ran.err
    assert "TRADER_DATASET" in ran.err


def test_an_unknown_ticker_is_named(demo):
    ran = trader("predict", "--tickers", "AAPL,NOPE", home=demo.home)
    assert ran.code == 2
    assert "NOPE" in ran.err
    assert "AAPL" not in ran.err


def test_errors_that_only_quarantine_leave_check_at_0(home, tmp_path):
    folder = tmp_path / "prices"
    folder.mkdir()
    rows = "2020-01-02,1,1,1,1,1\n2020-01-03,2,2,3,2,1\n2020-01-06,1,1,1,1,1\n"
    (folder / "A.csv").write_text("Date,Open,High,Low,Close,Volume\n" + rows)
    ran = trader("check", "--path", str(folder), "--json", home=home)
    assert ran.code == 0, ran.err
    assert [(f["rule"], f["severity"], f["sessions"]) for f in ran.json()["findings"]] == [("ohlc_order", "error", 1)]


def test_clean_files_are_said_to_be_clean(home, tmp_path):
    folder = tmp_path / "prices"
    folder.mkdir()
    (folder / "A.csv").write_text("Date,Open,High,Low,Close,Volume\n2020-01-02,1,1,1,1,1\n2020-01-03,1,1,1,1,1\n")
    ran = trader("check", "--path", str(folder), home=home)
    assert ran.code == 0, ran.err
    assert "nothing found at 2020-01-03" in ran.out


def test_an_empty_home_says_what_fills_it(home):
    ran = trader("status", home=home)
    assert ran.code == 0, ran.err
    assert "trader demo" in ran.out


@pytest.mark.parametrize(
    ("files", "fact"),
    [
        ({}, "no "),
        ({"A.csv": ""}, "A.csv"),
        ({"A.csv": "Date,Open\n2020-01-02,1\n"}, "lose"),
        ({"A.csv": "not;a;table\n1;2"}, "A.csv"),
        ({"A.csv": "Date,Open,High,Low,Close,Volume\n2020-01-02,1,1,1,1,1\n", "B.csv": "when,price\n2020-01-02,1\n"}, "B.csv"),
    ],
)
def test_a_bad_folder_is_named(home, tmp_path, files, fact):
    folder = tmp_path / "prices"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    ran = trader("check", "--path", str(folder), home=home)
    assert ran.code == 2, (ran.out, ran.err)
    assert fact in ran.err


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SOURCES__BARS", '["kx93', "TRADER_SOURCES__BARS: Value error, write names with commas between them, or a JSON list"),
        ("YAHOO", "kx93", "TRADER_YAHOO__WORKERS=4"),
        ("SERVE__PORT", "kx93many", "TRADER_SERVE__PORT: "),
        ("YAHOO__WORKERS", "kx93", "TRADER_YAHOO__WORKERS: "),
    ],
)
def test_a_setting_that_cannot_be_read_is_named_and_not_repeated(home, name, value, said):
    ran = trader("status", home=home, **{name: value})
    assert (ran.code, ran.out) == (2, ""), ran.err
    assert said in ran.err
    assert "kx93" not in ran.err  # it may be a key
    assert "Traceback" not in ran.err


def test_a_missing_folder_is_named(home):
    ran = trader("run", "--source", "own", "--path", "nowhere", home=home)
    assert ran.code == 2
    assert "nowhere is no folder" in ran.err


def test_a_port_in_use_is_named(demo):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for command in ("serve", "dev"):
            ran = trader(command, "--port", str(port), home=demo.home)
            assert ran.code == 2
            assert f"127.0.0.1:{port} is in use" in ran.err


def test_no_network_is_exit_5(home):
    (home / "universe.toml").write_text('[default]\nmembers = [{ticker = "AAPL", added = 2020-01-02}]\n')
    ran = trader(
        "run", "--source", "yahoo", home=home, YAHOO__BASE_URL="http://127.0.0.1:9", YAHOO__ATTEMPTS="2", YAHOO__BACKOFF_SECONDS="0.01"
    )
    assert ran.code == 5, ran.err
    assert "AAPL" in ran.err
    assert "ConnectionError" in ran.err  # no host or query: an address may hold a key


def test_a_corrupt_part_is_named_and_the_rest_stays_readable(demo, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(demo.home, copy)
    part = next((copy / "deep/lake/parts/core/accepted_bars").glob("2015-*.parquet"))
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 0xFF
    part.write_bytes(data)
    ran = trader("doctor", home=copy)
    assert ran.code == 1
    assert part.name in ran.out
    ran = trader("sql", "select count(*) n from predictions.daily", "--json", home=copy)
    assert (ran.code, ran.json()) == (0, [{"n": 44}])


def test_a_setting_out_of_range_is_refused_by_name_with_its_range(home):
    ran = trader("status", home=home, CHECKS__MISSING_RATIO="-1", SOURCES__BARS='["yaho"]')
    assert (ran.code, ran.out) == (2, "")
    assert "TRADER_CHECKS__MISSING_RATIO: Input should be greater than or equal to 0 (at least 0, at most 1)" in ran.err
    assert "TRADER_SOURCES__BARS: Input should be 'yahoo', 'fmp' or 'tiingo'" in ran.err


def test_a_misspelt_variable_is_a_warning(home):
    ran = trader("universe", "list", home=home, DATASETS="live")
    assert ran.code == 0, ran.err
    assert "warning: TRADER_DATASETS is no setting; did you mean TRADER_DATASET?" in ran.err
