import numpy as np
import pytest

from trader_pipeline.features import kernels

NAN = np.nan


def row(*values):
    return np.array([values], dtype=float)


def test_a_window_needs_four_fifths_of_its_values():
    assert [kernels.most_of(window) for window in (1, 5, 21, 63, 252)] == [1, 4, 17, 51, 202]
    np.testing.assert_array_equal(kernels.window_mean(row(1, 2, 3, NAN, 5, NAN, 7), 5), row(NAN, NAN, NAN, NAN, 2.75, NAN, NAN))


def test_maximum_and_exponential_mean():
    np.testing.assert_array_equal(kernels.window_maximum(row(3, 1, 2, 0), 2), row(NAN, 3, 2, 2))
    np.testing.assert_allclose(kernels.window_exponential_mean(row(1, 2, 4), 2, 0.5), row(NAN, 5 / 3, 10 / 3))


def test_equal_values_have_exactly_no_deviation():
    np.testing.assert_array_equal(kernels.window_deviation(row(*[0.1] * 5), 3), row(NAN, NAN, 0, 0, 0))
    assert kernels.window_mean(row(*[0.1] * 5), 5)[0, -1] == 0.1
    assert np.isnan(kernels.window_skewness(row(*[0.1] * 5), 3)).all()


def test_regression_of_three_points():
    slope, error, correlation = kernels.window_regression(row(1, 2, 4), row(0, 1, 2), 3)
    # slope 3 / 2; residual sum of squares 1 / 6 over one degree of freedom, over xx = 2; r = 3 / sqrt(2 * 14 / 3)
    np.testing.assert_allclose([slope[0, 2], error[0, 2], correlation[0, 2]], [1.5, 0.08333333, 0.98198051])
    assert np.isnan(kernels.window_regression(row(1, 2, 4), row(7, 7, 7), 3)[0]).all()
    assert np.isnan(kernels.window_regression(row(7, 7, 7), row(1, 2, 4), 3)[2]).all()


def test_a_pair_needs_both_values():
    slope, _, _ = kernels.window_regression(row(1, NAN, 2, 4), row(0, 5, 1, 2), 4, 3)
    assert slope[0, 3] == pytest.approx(1.5)


def test_holding_return_enters_at_the_next_open_and_earns_no_dividend_of_that_day():
    opened, close, step = row(10, 20, 30, 40), row(11, 22, 33, 44), row(1, 1.5, 1.1, 1)
    np.testing.assert_allclose(kernels.holding_return(opened, close, step, 1), row(0.1, 0.1, 0.1, NAN))
    np.testing.assert_allclose(kernels.holding_return(opened, close, step, 2), row(33 / 20 * 1.1 - 1, 44 / 30 - 1, NAN, NAN))


def test_news_of_an_older_session_does_not_replace_that_of_a_newer_one():
    values, speaks_of = row(1, 2, 9, NAN, NAN, NAN), np.array([[0, 1, 0, -1, -1, -1]])
    np.testing.assert_array_equal(kernels.carried_forward(values, speaks_of, 3), row(1, 2, 2, 2, 2, NAN))


def test_threads_change_no_bit(monkeypatch):
    x = np.random.default_rng(0).standard_normal((7, 300))
    alone = kernels.window_deviation(x, 21), *kernels.window_regression(x, x[:1] ** 2, 21)
    monkeypatch.setattr(kernels, "_SMALL_CELLS", 1)
    monkeypatch.setattr(kernels.os, "cpu_count", lambda: 3)
    together = kernels.window_deviation(x, 21), *kernels.window_regression(x, x[:1] ** 2, 21)
    for one, many in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.view(np.int64), many.view(np.int64))


def test_a_market_without_tickers_passes_through():
    nobody = np.empty((0, 10))
    assert kernels.window_mean(nobody, 5).shape == (0, 10)
    assert kernels.group_sums(nobody, np.empty((0, 10), np.int64), 2)[0].shape == (2, 10)
