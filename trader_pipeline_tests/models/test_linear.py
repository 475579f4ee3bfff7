import numpy as np
import pytest

from trader_pipeline.errors import TrainingError
from trader_pipeline.models.linear import RidgeMember, fit_ridge, ridge_path, within_share
from trader_pipeline_tests.training.planted import SECTORS, SIGNAL, examples, planted


@pytest.fixture(scope="module")
def member():
    return fit_ridge(examples(planted()))


def test_the_path_is_the_textbook_answer():
    # y = 1 + 2x on x = -1, 0, 1: variance 2/3, covariance 4/3; penalty 2/3 halves the slope
    coefficients, intercepts = ridge_path(np.array([[-1], [0], [1]], np.float32), np.array([-1.0, 1.0, 3.0]), (0.0, 2 / 3))
    assert coefficients[0] == pytest.approx([2.0, 1.0], rel=1e-6)
    assert intercepts == pytest.approx([1.0, 1.0])


def test_it_recovers_the_planted_signal_and_leaves_null_null(member):
    data = planted(seed=4)
    forecast = member.predict(data.x_NTF, data.grid, SECTORS)
    signal, score = data.x_NTF[:, :, 0], forecast.score_TNH[:, :, 0].T
    known = np.isfinite(score)
    assert np.array_equal(known, np.isfinite(data.x_NTF).any(axis=2))
    assert np.polyfit(signal[known], score[known], 1)[0] == pytest.approx(SIGNAL, abs=0.05)
    assert not np.isfinite(forecast.scaled_mean_TNH[:100, 0]).any()
    assert not np.isfinite(forecast.scaled_quantiles_TNHQ[:100, 0]).any()


def test_quantiles_cover_what_they_say(member):
    data = planted(seed=4)
    forecast = member.predict(data.x_NTF, data.grid, SECTORS)
    actual = data.labels.scaled_NTH[:, :, 1].T
    known = np.isfinite(actual)
    shares = [(actual <= forecast.scaled_quantiles_TNHQ[:, :, 1, q])[known].mean() for q in range(5)]
    assert shares == pytest.approx([0.05, 0.25, 0.5, 0.75, 0.95], abs=0.02)


def test_the_scaled_mean_is_drift_plus_what_differs_between_tickers(member):
    data = planted(seed=4)
    x = data.x_NTF.copy()
    x[:, 200, 0] += 3.0  # the whole market moves
    moved, plain = (member.predict(values, data.grid, SECTORS).scaled_mean_TNH for values in (x, data.x_NTF))
    assert moved[200].mean(axis=0) == pytest.approx(plain[200].mean(axis=0), abs=0.05)
    assert np.nanmean(plain, axis=(0, 1)) == pytest.approx([0.1] * 4, abs=0.06)


def test_a_session_depends_on_no_other(member):
    data = planted()
    alone = member.predict(data.x_NTF[:, 500:501], type(data.grid)(data.grid.tickers, data.grid.sessions[500:501]), SECTORS)
    whole = member.predict(data.x_NTF, data.grid, SECTORS)
    assert alone.score_TNH[0] == pytest.approx(whole.score_TNH[500], abs=1e-6)


def test_save_and_load_predict_the_same(member):
    data = planted(sessions=50)
    loaded = RidgeMember.of_files(member.files())
    a, b = (m.predict(data.x_NTF, data.grid, SECTORS) for m in (member, loaded))
    assert np.array_equal(a.scaled_quantiles_TNHQ, b.scaled_quantiles_TNHQ, equal_nan=True)
    assert np.array_equal(a.score_TNH, b.score_TNH, equal_nan=True)


def test_too_few_labels_are_named():
    data = planted()
    data.labels.score_NTH[:, :, 3] = np.nan
    with pytest.raises(TrainingError, match="residual_rank_60d, training part: 0 labels, at least 100"):
        fit_ridge(examples(data))


def test_a_difference_between_tickers_that_never_changes_counts_for_nothing():
    """Six tickers, one level each, and labels that follow the level: six observations, which a tail cannot tell from chance."""
    data = planted()
    level = np.linspace(-1, 1, len(data.grid.tickers))
    data.x_NTF[:, :, 1] = np.where(np.isfinite(data.x_NTF[:, :, 1]), level[:, None], np.nan)
    data.labels.score_NTH[:] += level[:, None, None].astype(np.float32)
    member = fit_ridge(examples(data))
    levels, changes = member.score_PH[1], member.score_PH[0]
    assert np.abs(levels).max() < 1e-6
    assert changes.min() > 0.5 * SIGNAL * data.x_NTF[:, :, 0][np.isfinite(data.x_NTF[:, :, 0])].std()


def test_the_share_within_tickers_is_that_of_the_analysis_of_variance():
    # two tickers at 0 and 2, each moving by 1 up and down: half of the variance lies within; a constant has no share
    x = np.array([[[-1, 5, 3], [1, 5, 3]], [[1, 7, 3], [3, 7, 3]]], np.float32)
    assert within_share(x, np.ones((2, 2), bool)) == pytest.approx([0.5, 0.0, 0.0])
