import numpy as np

from trader_pipeline.features import cross_section

NAN = np.nan
THREE = np.ones((3, 1), np.bool_)


def column(*values):
    return np.array(values, dtype=float)[:, None]


def test_z_is_over_the_tickers_that_have_a_value():
    np.testing.assert_allclose(cross_section.day_z(column(1, 2, 3, NAN)), column(-1, 0, 1, NAN))


def test_there_is_no_z_among_two_or_among_equals():
    assert np.isnan(cross_section.day_z(column(1, 2, NAN))).all()
    assert np.isnan(cross_section.day_z(column(0.1, 0.1, 0.1))).all()


def test_vasicek_draws_an_uncertain_beta_to_the_mean():
    # variance of 0.5, 1, 1.5 is 0.25: with an equal squared error each goes half way
    np.testing.assert_allclose(cross_section.vasicek(column(0.5, 1, 1.5), column(0.25, 0.25, 0.25), THREE), column(0.75, 1, 1.25))
    np.testing.assert_allclose(cross_section.vasicek(column(0.5, 1, 1.5), column(0, 0.75, 0.25), THREE), column(0.5, 1, 1.25))


def test_two_betas_are_left_as_estimated():
    np.testing.assert_array_equal(cross_section.vasicek(column(0.5, 1.5), column(0.25, 0.25), THREE[:2]), column(0.5, 1.5))


def test_group_means_leave_out_small_groups_and_the_unplaced():
    x, group = column(1, 3, 10, 7), np.array([[0], [0], [1], [-1]])
    np.testing.assert_allclose(cross_section.less_group_mean(x, group, 2, np.ones((4, 1), np.bool_)), column(-1, 1, 10, 7))


def test_peers_and_leaders():
    x, group = column(1, 3, 5, NAN, 7), np.array([[0], [0], [0], [0], [1]])
    np.testing.assert_allclose(cross_section.mean_of_peers(x, group), column(4, 3, 2, 3, NAN))
    np.testing.assert_array_equal(cross_section.value_of_leader(x, column(1, 9, NAN, 3, 8), group), column(3, NAN, 3, 3, NAN))


def test_nothing_is_divided_by_zero():
    np.testing.assert_array_equal(cross_section.ratio(column(1, 1, 1), column(0, -1, NAN)), column(NAN, NAN, NAN))


def test_rank_is_the_share_below_with_ties_halved():
    np.testing.assert_allclose(cross_section.day_rank(column(5, 1, 1, NAN, 9)), column(0.625, 0.25, 0.25, NAN, 0.875))
    assert np.isnan(cross_section.day_rank(column(1, 2, NAN))).all()
    np.testing.assert_array_equal(cross_section.day_rank(column(7, 7, 7)), column(0.5, 0.5, 0.5))


def test_winsorising_draws_the_ends_in_to_the_next_value():
    x = column(*range(9), 100, NAN)
    np.testing.assert_array_equal(cross_section.day_winsorised(x, 0.1), column(1, *range(1, 9), 8, NAN))
    np.testing.assert_array_equal(cross_section.day_winsorised(x, 0.05), x)
    assert np.isnan(cross_section.day_winsorised(column(NAN, NAN), 0.1)).all()


def test_sector_neutral_is_null_where_there_is_nothing_to_be_neutral_to():
    x, sector = column(1, 3, 8, 5, 6, 7), np.array([[0], [0], [0], [1], [1], [-1]])
    np.testing.assert_array_equal(cross_section.sector_neutral(x, sector), column(-3, -1, 4, NAN, NAN, NAN))
    assert np.isnan(cross_section.sector_neutral(x, np.full(x.shape, -1))).all()


def test_statistics_are_taken_over_members_alone():
    x, members = column(1, 2, 3, 1000), np.array([[True], [True], [True], [False]])
    np.testing.assert_allclose(cross_section.day_z(cross_section.among(x, members)), column(-1, 0, 1, NAN))
    np.testing.assert_allclose(cross_section.day_rank(cross_section.among(x, members)), column(1 / 6, 1 / 2, 5 / 6, NAN))


def test_what_is_shrunk_or_compared_is_held_against_members_alone_and_so_are_the_others():
    members = np.array([[True], [True], [True], [False]])
    shrunk = cross_section.vasicek(column(0.5, 1, 1.5, 9), column(0.25, 0.25, 0.25, 0.25), members)
    np.testing.assert_allclose(shrunk, column(0.75, 1, 1.25, 5))
    less = cross_section.less_group_mean(column(1, 2, 3, 10), np.zeros((4, 1), np.int64), 3, members)
    np.testing.assert_allclose(less, column(-1, 0, 1, 8))
