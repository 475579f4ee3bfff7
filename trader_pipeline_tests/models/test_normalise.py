import numpy as np
import pytest

from trader_pipeline.errors import TrainingError
from trader_pipeline.models.normalise import Normaliser

NAN = np.nan


def test_null_becomes_the_mean_and_is_marked():
    rows = np.array([[1.0, 5.0], [3.0, NAN], [5.0, 7.0], [7.0, 9.0]], np.float32)
    normaliser = Normaliser.fit(np.repeat(rows, 500, axis=0), ("a", "b"))
    assert normaliser.columns == ("a", "b", "b is null")
    out = normaliser.apply(np.array([[4.0, NAN], [7.0, 7.0]], np.float32))
    # a: mean 4, standard deviation sqrt(5); b: mean 7
    assert out == pytest.approx(np.array([[0, 0, 1], [3 / np.sqrt(5), 0, 0]]), abs=1e-6)


def test_features_that_are_null_together_share_a_column():
    a, b, c = (np.arange(1000.0) for _ in range(3))
    a[:20] = b[:20] = NAN
    c[:21] = NAN
    normaliser = Normaliser.fit(np.stack([a, b, c], axis=1).astype(np.float32), ("a", "b", "c"))
    assert normaliser.columns == ("a", "b", "c", "a is null", "c is null")


def test_values_beyond_the_training_window_are_winsorised():
    rows = np.linspace(0, 1, 1001, dtype=np.float32)[:, None]
    normaliser = Normaliser.fit(rows, ("a",))
    out = normaliser.apply(np.array([[100.0], [0.995]], np.float32))
    assert out[0, 0] == pytest.approx(out[1, 0], abs=1e-4)


def test_a_constant_or_empty_feature_is_scaled_to_zero():
    rows = np.stack([np.full(100, 3.0), np.full(100, NAN), np.arange(100.0)], axis=1).astype(np.float32)
    out = Normaliser.fit(rows, ("same", "none", "moves")).apply(np.array([[9.0, 9.0, 50.0]], np.float32))
    assert out[0, :2].tolist() == [0.0, 0.0]
    assert np.isfinite(out).all()


def test_infinities_are_named():
    with pytest.raises(TrainingError, match=r"\['bad'\] hold infinities"):
        Normaliser.fit(np.array([[1.0, np.inf], [2.0, 1.0]], np.float32), ("good", "bad"))


def test_nothing_that_varies_is_an_error():
    with pytest.raises(TrainingError, match="none of the features"):
        Normaliser.fit(np.ones((50, 1), np.float32), ("flat",))
