import numpy as np
import pytest

from trader_pipeline.bench.rivals import F14, compare, sql
from trader_pipeline.bench.rivals.child import NAMES


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """An environment without pyqlib."""
    folder = tmp_path_factory.mktemp("cache")
    python = folder / "pyqlib-0.9.7" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho No module named qlib >&2\nexit 1\n")
    python.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def figures(cache):
    return compare.measure(cache, tickers=6, sessions=320, runs=1, pandas_tickers=3)


def test_sql_and_pandas_say_what_our_kernels_say_of_every_feature(figures):
    assert figures["max_rel_diff"]["pandas"] < 1e-6
    assert figures["max_rel_diff"]["duckdb"] < 5e-3  # its logs and differences are float32, as the columns are


def test_columns_that_differ_are_named(figures):
    assert figures["max_rel_diff_columns"].keys() == {"duckdb"}
    assert figures["max_rel_diff_columns"]["duckdb"].keys() <= {"CORR", "CORD", "WVMA", "STD"}


def test_a_value_that_one_of_two_lacks_is_infinitely_far():
    nan = np.nan
    ours = np.array([[1.0, 1.0, nan], [1000.0, nan, 2.0], [1e-6, 3.0, nan]], np.float32)
    theirs = np.array([[1.1, 1.0, nan], [1000.0, nan, 2.0], [2e-6, nan, nan]], np.float32)
    assert compare.difference(theirs, ours) == pytest.approx([0.1, np.inf, 0.0], rel=1e-5)


def test_every_engine_is_timed_in_a_process_of_its_own(figures):
    assert list(figures["engines"]) == ["ours", "duckdb", "pandas"]
    for engine in figures["engines"].values():
        assert min(engine[f"{task}_{clock}"] for task in ("f14", "alpha158") for clock in ("cpu_s", "wall_s")) > 0
        assert engine["peak_mb"] > 50
    assert figures["read_cpu_s"] > 0
    assert figures["one_day_cpu_s"] > 0
    assert figures["one_day_equal"] is True


def test_without_pyqlib_it_says_so_and_goes_on(figures):
    assert figures["skipped"] == "pyqlib is left out: No module named qlib"
    assert list(figures["times_ours"]) == ["duckdb", "pandas"]


def test_pandas_seconds_are_scaled_to_all_tickers_and_the_answer_says_from_how_many(cache, monkeypatch):
    run = {"cpu_s": 1.0, "wall_s": 2.0, "peak_mb": 100.0}
    ours = run | {"read_cpu_s": 0.5, "one_day_cpu_s": 0.1, "one_day_equal": True}
    answers = {"ours": {"f14": ours, "alpha158": ours}, "pandas": {"f14": run, "alpha158": run}}
    monkeypatch.setattr(compare, "write_market", lambda *_, **__: None)
    monkeypatch.setattr(compare, "_round", lambda *_: answers)
    monkeypatch.setattr(compare, "_apart", lambda *_: {"pandas": {"KMID": 0.0}})
    figures = compare.measure(cache, tickers=12, sessions=320, runs=1, pandas_tickers=3)
    assert figures["pandas_tickers"] == 3
    assert figures["engines"]["pandas"]["alpha158_cpu_s"] == 4
    assert figures["engines"]["pandas"]["f14_cpu_s"] == 1


def test_an_engine_that_fails_is_told():
    with pytest.raises(RuntimeError, match=r"an engine of the comparison failed: .*no such thing"):
        compare._asked(["/bin/sh", "-c", "echo no such thing >&2; exit 3"])


def test_the_fourteen_are_of_the_158_and_their_sql_needs_no_changes():
    assert set(F14) < set(NAMES)
    assert "lag(volume)" not in sql.query(F14)
    assert "lag(volume)" in sql.query(NAMES)
