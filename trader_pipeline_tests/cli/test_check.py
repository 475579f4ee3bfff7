"""`trader check` and `trader bench quality`: what they print of findings, and that a person's decisions hold."""

import datetime as dt

import pytest

from trader_pipeline import calendar
from trader_pipeline_tests.conftest import trader

DAYS = calendar.sessions("XNYS", dt.date(2020, 1, 2), dt.date(2020, 3, 31)).tolist()
ACCEPT = """
[[accept]]
ticker = "B"
rule = "{rule}"
first = 2020-01-03
last = 2020-01-03
reason = "the exchange confirmed it"
expires = 2099-12-31
"""


@pytest.fixture
def folder(tmp_path):
    """Two files with high and low exchanged on one day, B on an earlier one than A; A lacks a session besides."""
    folder = tmp_path / "prices"
    folder.mkdir()
    for name, wrong, gap in (("A", 5, 9), ("B", 1, None)):
        rows = [f"{day},10,{9 if i == wrong else 11},{11 if i == wrong else 9},10,0" for i, day in enumerate(DAYS) if i != gap]
        (folder / f"{name}.csv").write_text("Date,Open,High,Low,Close,Volume\n" + "\n".join(rows) + "\n")
    return folder


def test_findings_come_by_severity_ticker_and_day_with_totals_below(folder, tmp_path):
    ran = trader("check", "--path", str(folder), home=tmp_path / "home")
    assert ran.code == 0, ran.err
    _, *rows, totals, mend = ran.out.splitlines()
    assert [row.split()[:3] for row in rows] == [
        ["error", "A", "ohlc_order"],
        ["error", "B", "ohlc_order"],
        ["warning", "A", "missing_dates"],
    ]
    assert totals == "2 errors, 1 warning: ohlc_order 2 errors, missing_dates 1 warning"
    assert mend == "where a mend says to fetch again, correct the file: nothing is fetched for your own files"
    found = trader("check", "--path", str(folder), "--json", home=tmp_path / "home").json()
    assert found["totals"][0] == {"rule": "ohlc_order", "errors": 2, "warnings": 0}
    assert [finding["ticker"] for finding in found["findings"]] == ["A", "B", "A"]


def test_decisions_of_overrides_toml_are_told_and_a_rule_that_is_none_is_refused(folder, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "overrides.toml").write_text(ACCEPT.format(rule="ohlc_order"))
    ran = trader("check", "--path", str(folder), home=home)
    assert (ran.code, "ohlc_order is overruled (the exchange confirmed it)" in ran.out) == (0, True), ran.err
    (home / "overrides.toml").write_text(ACCEPT.format(rule="ohlc_order").replace("2099", "2024"))  # the files are of 2020
    ran = trader("check", "--path", str(folder), home=home)
    assert (ran.code, "but that ended 2024-12-31" in ran.out) == (0, True), ran.err
    (home / "overrides.toml").write_text(ACCEPT.format(rule="ohlc_ordr"))
    ran = trader("check", "--path", str(folder), home=home)
    assert (ran.code, "'ohlc_ordr' is no rule; did you mean ohlc_order?" in ran.err) == (2, True), ran.err


def test_a_repair_is_applied_by_its_plain_name_and_one_that_is_no_rule_is_refused(folder, tmp_path):
    command = ("check", "--path", str(folder))
    assert trader(*command, home=tmp_path / "home", CHECKS__APPLY_REPAIRS="price_unit, dividend_size").code == 0
    ran = trader(*command, home=tmp_path / "home", CHECKS__APPLY_REPAIRS="price_unt")
    assert (ran.code, "TRADER_CHECKS__APPLY_REPAIRS: 'price_unt' is no rule that proposes values; did you mean price_unit" in ran.err) == (
        2,
        True,
    ), ran.err


def test_the_benchmark_says_that_the_files_with_known_faults_were_skipped(tmp_path):
    ran = trader("bench", "quality", "--mutations", "0", "--rows", "0", "--json", home=tmp_path / "home")
    assert (ran.code, ran.json()) == (0, {"schema": "trader.bench_quality/1", "defects": None, "defects_skipped": "no --defects FOLDER"}), (
        ran.err
    )
