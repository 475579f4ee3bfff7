import datetime as dt
import os
from pathlib import Path

import pytest

from trader_pipeline.bench.quality_defects import RULES_OF_KIND, kind_of, measure
from trader_pipeline.checks import CHECKS
from trader_pipeline_tests.checks.vendor import adjusted_before, series, times

NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
HEADER = "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits\n"
DEFECTS = os.environ.get("TRADER_DEFECTS")
"""A folder of real faults, as `trader bench quality --defects` takes it."""


def write(folder, name, rows):
    columns = ("session", "open", "high", "low", "close", "adj_close", "volume", "dividend", "split_ratio")
    (folder / f"{name}.csv").write_text(HEADER + "".join(",".join(str(r[c]) for c in columns) + "\n" for r in rows))


def test_files_are_counted_by_their_kind_and_twins_are_controls(tmp_path):
    sound = series(120, dividends={60: 3.0})
    share = 3.0 / sound[59]["close"]
    write(tmp_path, "ONE-1d-missing-div-adjust", adjusted_before(sound, 60, 1 / (1 - share)))
    write(tmp_path, "ONE-1d-missing-div-adjust-fixed", sound)
    write(tmp_path, "TWO-1d-100x-error", times(sound, [30], 100.0))
    write(tmp_path, "SIX-1d-bad-stock-split", sound)  # nothing is wrong with it: not flagged
    write(tmp_path, "TEN-1d-no-bad-divs", times(sound, [30], 100.0))  # no control at all: flagged
    write(tmp_path, "OTHER", sound)
    found = measure(tmp_path, now=NOW)
    assert {k: found[k] for k in ("files", "flagged", "controls", "controls_flagged")} == {
        "files": 3,
        "flagged": 2,
        "controls": 2,
        "controls_flagged": 1,
    }
    assert found["by_file"]["ONE-1d-missing-div-adjust"]["errors"] == ["dividend_adjustment"]
    assert not found["by_file"]["SIX-1d-bad-stock-split"]["right"]
    assert found["by_file"]["TWO-1d-100x-error"]["right"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("TEM-L-1d-bad-div", "bad-div"),
        ("TEM-L-1d-bad-div-fixed", "control"),
        ("CALM-1d-no-bad-divs", "control"),
        ("SSW-JO-1d-100x-error", "100x-error"),
        ("AAPL", "unknown"),
    ],
)
def test_the_name_of_a_file_says_its_kind(name, kind):
    assert kind_of(name) == kind


def test_every_kind_s_rules_exist():
    assert frozenset().union(*RULES_OF_KIND.values()) <= {rule.name for rule in CHECKS}


@pytest.mark.skipif(DEFECTS is None, reason="TRADER_DEFECTS names no folder of real faults")
def test_every_real_fault_is_found_and_no_twin_flagged():
    found = measure(Path(DEFECTS or ""), now=NOW)
    assert found["files"]
    assert {name: v for name, v in found["by_file"].items() if not v["right"] and v["kind"] != "unknown"} == {}
