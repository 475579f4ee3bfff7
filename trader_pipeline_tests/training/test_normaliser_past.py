"""What scales a fold's features is learnt from its training window alone, and is saved with the member."""

import numpy as np
import pytest

from trader_pipeline.models.linear import RidgeMember, fit_ridge
from trader_pipeline.training.splits import EMBARGO_SESSIONS, examples_before
from trader_pipeline_tests.training.planted import FEATURES, SECTORS, planted

END = 817


def fitted(data):
    return fit_ridge(examples_before(data, END, SECTORS, FEATURES, embargo=EMBARGO_SESSIONS))


def changed(since):
    """The same panel with other features and labels from a session on."""
    data = planted()
    for values in (data.x_NTF, data.labels.score_NTH, data.labels.scaled_NTH):
        values[:, since:] = 50 * values[:, since:] + 7
    return data


@pytest.fixture(scope="module")
def member():
    return fitted(planted())


def assert_scales_alike(a, b):
    for name, values in a.normaliser.arrays().items():
        np.testing.assert_array_equal(b.normaliser.arrays()[name], values, err_msg=name)


def test_later_rows_change_no_bit_of_what_scales_a_fold(member):
    later = fitted(changed(END))
    assert_scales_alike(member, later)
    assert later.files() == member.files()


def test_rows_of_the_window_do(member):
    with pytest.raises(AssertionError):
        assert_scales_alike(member, fitted(changed(END - 100)))


def test_what_scales_is_saved_with_the_member(member):
    saved = RidgeMember.of_files(member.files())
    assert saved.normaliser.columns == member.normaliser.columns
    assert_scales_alike(member, saved)
