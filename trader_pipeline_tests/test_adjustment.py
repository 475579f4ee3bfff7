import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trader_pipeline.adjustment import dividend_factors, split_factors

DAYS = np.arange("2020-01-06", "2020-01-11", dtype="datetime64[D]")


def days(*texts):
    return np.array(texts, dtype="datetime64[D]")


def test_a_split_takes_effect_at_its_own_session():
    assert split_factors(DAYS, days("2020-01-08"), [4.0]).tolist() == [1, 1, 4, 4, 4]


def test_a_split_on_a_day_without_a_row_takes_effect_at_the_next():
    assert split_factors(days("2020-01-06", "2020-01-09"), days("2020-01-07"), [7.0]).tolist() == [1, 7]


def test_splits_multiply_and_reverse_splits_divide():
    assert split_factors(DAYS, days("2020-01-07", "2020-01-09"), [2.0, 0.1]).tolist() == [1, 2, 2, 0.2, 0.2]


def test_a_split_outside_the_history_changes_nothing():
    assert split_factors(DAYS, days("2020-01-06", "2019-01-02", "2021-01-04"), [2.0, 3.0, 5.0]).tolist() == [1, 1, 1, 1, 1]


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from([2.0, 0.5, 7.0])), max_size=5), st.integers(2, 29))
def test_history_does_not_change_when_a_later_split_comes(splits, cut):
    every = np.arange("2020-01-01", "2020-02-01", dtype="datetime64[D]")
    when, ratio = every[[day for day, _ in splits]], [value for _, value in splits]
    assert (split_factors(every[:cut], when, ratio) == split_factors(every, when, ratio)[:cut]).all()


def test_a_dividend_of_two_on_a_close_of_fifty_grows_the_share_count_by_four_percent():
    factor = dividend_factors(DAYS, [50, 51, 50, 50, 52], np.ones(5), days("2020-01-08"), [2.0])
    assert factor.tolist() == [1, 1, 1.04, 1.04, 1.04]


def test_total_return_on_the_ex_date_counts_close_and_cash():
    close, split = np.array([100.0, 99.0]), np.ones(2)
    grown = close * dividend_factors(DAYS[:2], close, split, DAYS[1:2], [3.0])
    assert abs(grown[1] / grown[0] - 1.02) < 1e-15  # (99 + 3) / 100


def test_cash_is_per_share_as_traded_after_a_split_too():
    close, split = np.array([100.0, 50.0, 50.0]), np.array([1.0, 2.0, 2.0])
    factor = dividend_factors(DAYS[:3], close, split, DAYS[2:3], [1.0])
    assert factor.tolist() == [1, 1, 1.02]  # 1 on a close of 50


def test_an_ex_date_without_a_close_uses_the_close_before_and_none_at_all_has_no_effect():
    nan = float("nan")
    assert dividend_factors(DAYS[:3], [10, nan, 10], np.ones(3), DAYS[1:2], [1.0]).tolist() == [1, 1.1, 1.1]
    assert dividend_factors(DAYS[:3], [nan, nan, 10], np.ones(3), DAYS[1:2], [1.0]).tolist() == [1, 1, 1]
