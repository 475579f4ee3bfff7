"""The index of known shares, and that both who ask mean the same."""

import numpy as np
import pytest

from trader_pipeline.models.drift import TrainingBins
from trader_pipeline.models.stability import index, shares, tenths
from trader_pipeline.training.preflight_data import drift
from trader_pipeline_tests.training.planted import examples, planted


def test_the_index_of_known_shares():
    rows = np.arange(1, 101.0)[:, None]
    edges = tenths(rows)
    then = shares(rows, edges)
    assert then[0].tolist() == pytest.approx([0.1] * 10 + [0.0])
    assert index(then, then).tolist() == [0.0]
    half = np.where(rows > 50, np.nan, rows)  # five tenths go, and half of all is null
    expected = 5 * (0.001 - 0.1) * np.log(0.001 / 0.1) + (0.5 - 0.001) * np.log(0.5 / 0.001)
    assert index(shares(half, edges), then)[0] == pytest.approx(expected)


def test_a_value_that_is_taken_often_is_one_bin():
    rows = np.repeat([0.0, 1.0], [70, 30])[:, None]
    edges = tenths(rows)
    then, now = shares(rows, edges), shares(1 - rows, edges)
    assert sorted(then[then > 0]) == pytest.approx([0.3, 0.7])
    assert index(now, then)[0] == pytest.approx(2 * 0.4 * np.log(0.7 / 0.3))


def test_before_training_and_afterwards_the_index_is_the_same():
    data = planted()
    data.x_NTF[:, 800:, 1] += 1.0
    given = examples(data)
    before = drift(given)
    fit, tail = (np.isfinite(part.scaled_NTH).any(axis=2) for part in (given.fit, given.tail))
    bins = TrainingBins.fit(given.x_NTF, fit, given.features)
    after = dict(zip(given.features, bins.psi(given.x_NTF[tail]), strict=True))
    assert before == pytest.approx(after, abs=1e-4)
    assert before["noise"] > 0.7
