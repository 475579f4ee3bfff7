"""Alpha158 against what pyqlib itself says (scripts/golden_alpha158.py made the figures), and against itself on less data."""

from pathlib import Path

import numpy as np
import pytest

from trader_pipeline.features import compiled, kernels
from trader_pipeline.features.alpha158 import ALPHAS, LOOKBACK_SESSIONS, alpha158

NAMES = [alpha.name.removeprefix("alpha_").upper() for alpha in ALPHAS]
ROUNDED = ("CORR", "CORD", "WVMA")
SESSIONS = 1000
"""More than one stretch."""


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parents[1] / "resources" / "alpha158.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def ours(golden):
    return alpha158(tuple(golden["bars"].astype(np.float64)))


@pytest.fixture(scope="module")
def known(golden):
    return np.isfinite(golden["bars"][3])


def rows(*statistics):
    return [k for k, name in enumerate(NAMES) if name.rstrip("0123456789") in statistics]


def test_names_formulas_and_order_are_qlibs(golden):
    assert golden["names"].tolist() == NAMES
    assert [alpha.formula for alpha in ALPHAS] == golden["expressions"].tolist()


def begins_in_a_gap(known, window):
    """Where Qlib's window of a listed ticker begins with a session without a bar; `known` is [N, T]."""
    listed = np.maximum.accumulate(known, axis=1)
    hollow = np.zeros_like(known)
    hollow[:, window - 1 :] = (listed & ~known)[:, : known.shape[1] - window + 1]
    return hollow & known


@pytest.mark.parametrize("row", range(len(NAMES)), ids=NAMES)
def test_every_value_is_pyqlibs_to_1e_5(row, golden, ours, known):
    name, compared = NAMES[row], known.copy()
    expected = golden["plain"][row]
    if name.startswith(ROUNDED):  # Qlib rounds logs and returns to float32 before it subtracts; read as float64 it says the same
        expected = golden["exact"][[k for k in range(len(NAMES)) if NAMES[k].startswith(ROUNDED)].index(row)]
    if name.startswith(("IMAX", "IMIN", "IMXD", "CNT")):  # we count from the window's first bar, Qlib from the first session ever
        compared &= ~begins_in_a_gap(known, int(name[4:]))
    if name.startswith(("VMA", "VSTD")):  # Qlib divides a volume of zero by 1e-12
        compared &= golden["bars"][4] != 0
    if name == "CORD5":  # of two pairs: Qlib asks all returns of the window whether they vary, we those that have a pair
        assert np.isnan(ours[row, 5, 43])
        assert expected[5, 43] == 1
        compared[5, 43] = False
    np.testing.assert_allclose(ours[row][compared], expected[compared], rtol=1e-5, atol=1e-15)
    assert np.isfinite(ours[row][compared]).sum() > 500


def test_what_is_left_out_above_differs_as_said(golden, ours, known):
    hollow = begins_in_a_gap(known, 60)
    assert hollow.sum() == 11
    assert (ours[NAMES.index("CNTP60")][hollow] >= golden["plain"][NAMES.index("CNTP60")][hollow]).all()
    still = known & (golden["bars"][4] == 0)
    assert still.sum() == 5
    assert np.isnan(ours[rows("VMA", "VSTD")][:, still]).all()
    assert (golden["plain"][rows("VMA")][:, still] > 1e11).all()
    plain, own = golden["plain"][rows(*ROUNDED)], ours[rows(*ROUNDED)]
    both = known & np.isfinite(plain) & np.isfinite(own)
    assert np.abs(plain - own)[both].max() < 2e-5


def test_a_session_without_a_bar_has_no_values(ours, known):
    assert np.isnan(ours[:, ~known]).all()
    assert np.isfinite(ours[:9, known]).all()


def test_a_price_that_stands_still_has_no_deviation_and_no_correlation(golden):
    bars = golden["bars"].astype(np.float64)[:, 4:5] * 1.1  # 1.1 has no end in binary
    values = alpha158(tuple(bars))[:, 0, 125]
    assert (values[rows("STD", "BETA", "RESI")] == 0).all()
    assert np.isnan(values[rows("RSQR", "CORR", "CORD")]).all()


@pytest.fixture(scope="module")
def market():
    """Nine tickers with gaps, late listings and prices that seldom change."""
    generator = np.random.default_rng(7)
    close = np.round(40 * np.exp(np.cumsum(0.02 * generator.standard_normal((9, SESSIONS)), axis=1)), 2)
    close[3] = np.round(close[3] / 20) * 20 + 20
    opened, high, low = close * 1.001, close * 1.01, close * 0.99
    volume = np.round(np.exp(10 + generator.standard_normal(close.shape)))
    absent = generator.random(close.shape) < 0.02
    absent[5, :400], absent[6, 880:930] = True, True
    return tuple(np.where(absent, np.nan, x) for x in (opened, high, low, close, volume, (high + low + close) / 3))


@pytest.fixture(scope="module")
def whole(market):
    return alpha158(market)


def assert_same_bits(got, expected):
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    known = ~np.isnan(got)
    np.testing.assert_array_equal(got[known].view(np.int32), expected[known].view(np.int32))


@pytest.mark.parametrize("last", [60, 299, 895, 896, 897, 929, 999])
def test_a_tail_of_the_look_back_is_the_whole_bitwise(market, whole, last):
    first = last - LOOKBACK_SESSIONS
    tail = alpha158(tuple(np.ascontiguousarray(x[:, first : last + 1]) for x in market), emit=LOOKBACK_SESSIONS)
    assert_same_bits(tail[:, :, 0], whole[:, :, last])
    assert np.isfinite(tail).mean() > 0.7


def test_a_tail_that_is_too_short_shows(market, whole):
    tail = alpha158(tuple(np.ascontiguousarray(x[:, 501:561]) for x in market), emit=59)
    assert not np.array_equal(tail[:, :, 0], whole[:, :, 560], equal_nan=True)


@pytest.mark.parametrize(("first", "stop"), [(0, 930), (13, 1000), (100, 963)])
def test_neither_begin_nor_end_of_the_arrays_changes_a_bit(market, whole, first, stop):
    emit = 0 if first == 0 else LOOKBACK_SESSIONS
    part = alpha158(tuple(np.ascontiguousarray(x[:, first:stop]) for x in market), emit=emit)
    assert_same_bits(part, whole[:, :, first + emit : stop])


def test_other_tickers_and_threads_change_no_bit(market, whole, monkeypatch):
    assert_same_bits(alpha158(tuple(x[2:5] for x in market)), whole[:, 2:5])
    monkeypatch.setattr(kernels, "_SMALL_CELLS", 1)
    monkeypatch.setattr(kernels.os, "cpu_count", lambda: 3)
    assert_same_bits(alpha158(market), whole)


def test_it_writes_into_the_callers_buffer_or_says_what_shape_that_must_have(market, whole):
    out = np.zeros((158, 9, 10), np.float32)
    assert alpha158(market, emit=990, out=out) is out
    assert_same_bits(out, whole[:, :, 990:])
    with pytest.raises(ValueError, match=r"out has shape .*158, 9, 11.*writes .*158, 9, 10"):
        alpha158(market, emit=990, out=np.zeros((158, 9, 11), np.float32))


def test_loops_are_compiled_anew_when_a_loop_of_another_file_changes(tmp_path):
    (tmp_path / "one.py").write_text("@njit\ndef f(): ...")
    (tmp_path / "other.py").write_text("x = 1")
    before = compiled._cache_folder("", tmp_path)
    (tmp_path / "other.py").write_text("x = 2")
    assert compiled._cache_folder("", tmp_path) == before
    (tmp_path / "one.py").write_text("@njit\ndef g(): ...")
    assert compiled._cache_folder("", tmp_path) != before


def test_some_rows_are_those_of_all(market, whole):
    for statistic in {name.rstrip("0123456789") for name in NAMES}:
        chosen = rows(statistic)[::-1]
        assert_same_bits(alpha158(market, rows=chosen), whole[chosen])
    for row in range(len(NAMES)):
        assert_same_bits(alpha158(market, rows=[row]), whole[[row]])


@pytest.mark.parametrize("seed", range(20))
def test_rows_whose_statistics_end_at_different_windows_are_those_of_all(market, whole, seed):
    chosen = np.random.default_rng(seed).choice(len(NAMES), 9, replace=False).tolist()
    assert_same_bits(alpha158(market, rows=chosen), whole[chosen])
