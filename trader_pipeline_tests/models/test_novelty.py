import numpy as np
import pytest

from trader_pipeline.models.novelty import Novelty

ROWS = np.array([[-1.0, 10.0], [1.0, np.nan], [-1.0, 14.0], [1.0, 12.0]], np.float32)


def test_the_distance_is_the_mean_squared_z_of_what_is_known():
    novelty = Novelty.fit(ROWS, ("a", "b"))  # a: mean 0, deviation 1; b: mean 12, variance 8 / 3
    rows = np.array([[2.0, 12.0], [np.nan, 16.0], [3.0, np.nan], [np.nan, np.nan]], np.float32)
    assert novelty.distance(rows) == pytest.approx([2.0, 6.0, 9.0, np.nan], nan_ok=True)


def test_the_percentile_runs_from_the_nearest_to_beyond_the_farthest_training_row():
    novelty = Novelty.fit(np.arange(-50, 51, dtype=np.float32)[:, None], ("a",))
    assert novelty.percentile(np.array([[0.0], [25.0], [50.0], [999.0], [np.nan]], np.float32)) == pytest.approx(
        [0.0, 0.5, 1.0, 1.0, np.nan], abs=0.02, nan_ok=True
    )


def test_it_survives_json():
    novelty = Novelty.fit(ROWS, ("a", "b"))
    read = Novelty.from_json(novelty.to_json())
    assert read.features == ("a", "b")
    assert np.array_equal(read.percentile(ROWS), novelty.percentile(ROWS))
