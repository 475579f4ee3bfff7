import numpy as np
import pytest

from trader_pipeline.decisions import limits, sizing


def test_gross_cuts_every_name_in_proportion():
    cut = limits.limit_gross(np.array([[0.9, 0.2], [0.6, 0.1]]), 1.0)
    assert cut[:, 0] == pytest.approx([0.6, 0.4])
    assert cut[:, 1] == pytest.approx([0.2, 0.1])


def test_issuers_are_counted_by_absolute_weight():
    cut = limits.limit_issuers(np.array([[0.2], [-0.1], [0.1]]), ["x", "x", "y"], 0.15)
    assert cut[:, 0] == pytest.approx([0.1, -0.05, 0.1])


def test_nothing_to_limit():
    assert limits.limit_issuers(np.empty((0, 3)), [], 0.15).shape == (0, 3)


def test_sizes_sum_to_the_gross_or_to_nothing():
    weights = sizing.long_only_weights([[1.0, 0.1], [2.0, -1.0], [np.nan, np.nan]], np.full((3, 2), 0.02), gross=0.8)
    assert weights[:, 0] == pytest.approx([0.8 / 3, 1.6 / 3, 0])
    assert weights[:, 1] == pytest.approx([0, 0, 0])
