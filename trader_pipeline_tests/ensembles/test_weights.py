import numpy as np
import pytest

from trader_pipeline.ensembles import weights
from trader_pipeline.ensembles.regimes import median_ticker, regimes
from trader_pipeline.measures import Interval

NAMES, SESSIONS = 40, 500


def market(*strengths, seed=0, sessions=SESSIONS):
    """Labels, and members of which each sees them as clearly as its strength."""
    rng = np.random.default_rng(seed)
    label = rng.standard_normal((NAMES, sessions))
    members = np.stack([strength * label + rng.standard_normal((NAMES, sessions)) for strength in strengths])
    return members, label, np.ones((NAMES, sessions), bool)


def test_the_better_member_counts_more_but_no_more_than_half_way():
    found = weights.stacked(*market(1.0, 0.0))
    assert found.sum() == pytest.approx(1)
    assert found[0] == pytest.approx(1.0 * 0.5 + 0.25, abs=0.03)
    assert found[1] >= 0.25


def test_equally_good_members_count_equally_and_reversed_ones_only_by_the_shrinkage():
    assert weights.stacked(*market(0.5, 0.5, 0.5)) == pytest.approx([1 / 3] * 3, abs=0.03)
    assert weights.stacked(*market(-1.0, 0.5)) == pytest.approx([0.25, 0.75])
    assert weights.stacked(*market(-1.0, -1.0)).tolist() == [0.5, 0.5]
    members, label, rows = market(0.5, 0.5)
    assert weights.stacked(members, label, rows & False).tolist() == [0.5, 0.5]


def test_only_the_rows_count():
    members, label, rows = market(1.0, 0.0)
    rows[:, 250:] = False
    before = weights.stacked(members, label, rows)
    label[:, 250:] = -label[:, 250:]
    assert weights.stacked(members, label, rows).tolist() == before.tolist()


def test_a_regime_is_shrunk_by_its_sessions():
    members, label, rows = market(1.0, 0.0)
    turned, _, _ = market(0.0, 1.0)
    regime_T = np.repeat([0, 1], 250)
    members[:, :, 250:] = turned[:, :, 250:]
    overall = weights.stacked(members, label, rows)
    found = weights.by_regime(members, label, rows, regime_T, 3)
    own = weights.stacked(members, label, rows & (regime_T == 1))
    assert found[1] == pytest.approx(overall + 250 / (250 + 250) * (own - overall))
    assert found[2].tolist() == overall.tolist(), "a regime never seen counts as all sessions do"
    assert found[0, 0] > overall[0] > found[1, 0]
    assert found.sum(axis=1) == pytest.approx([1, 1, 1])


def test_fitted_weights_must_beat_equal_ones_by_their_standard_error():
    members, label, rows = market(0.3, 0.0)
    T = np.ones(SESSIONS, bool)
    fitted = np.tile(weights.stacked(members, label, rows)[:, None], SESSIONS)
    assert weights.is_better(weights.gain(members, label, fitted, 1, T))
    assert not weights.is_better(weights.gain(members, label, fitted[::-1], 1, T))
    assert not weights.is_better(Interval(mean=0.01, half_width=0.03, windows=50))
    assert not weights.is_better(Interval(mean=0.01, half_width=np.nan, windows=1))


def test_a_missing_member_leaves_the_others_their_weights():
    members, label, _ = market(0.5, 0.5)
    members[1, :, 100:] = np.nan
    equal = np.full((2, SESSIONS), 0.5)
    assert weights.gain(members, label, equal, 1, np.ones(SESSIONS, bool)).mean == 0


def test_regimes_are_thirds_of_what_was_seen_so_far():
    rng = np.random.default_rng(0)
    volatility = np.abs(rng.standard_normal((5, 800))) * np.where(np.arange(800) < 400, 1.0, 3.0)
    found = regimes(median_ticker(volatility))
    assert (found[:251] == 1).all()
    assert np.bincount(found[251:400], minlength=3) / 149 == pytest.approx([1 / 3] * 3, abs=0.12)
    assert (found[420:500] == 2).mean() > 0.8
    later = volatility.copy()
    later[:, 600:] *= 50
    assert (regimes(median_ticker(later))[:600] == found[:600]).all()
    volatility[:, 700] = np.nan
    assert regimes(median_ticker(volatility))[700] == 1
