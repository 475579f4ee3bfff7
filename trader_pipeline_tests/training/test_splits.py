"""What is learnt before a test block was decided before it."""

from dataclasses import replace

import numpy as np
import pytest

from trader_pipeline.errors import InsufficientHistoryError, PreflightError
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.training.recipes import RECIPES, classic
from trader_pipeline.training.splits import EMBARGO_SESSIONS, examples_before, folds, prove_temporal, required_sessions
from trader_pipeline_tests.training.planted import FEATURES, SECTORS, planted


def labelled_sessions(labels_NTH, h):
    return np.flatnonzero(np.isfinite(labels_NTH[:, :, h]).any(axis=0))


def test_blocks_are_contiguous_and_end_with_the_panel():
    blocks = folds(2768, classic())
    assert [(b.number, b.test_first, b.test_end) for b in blocks] == [(0, 1384, 1845), (1, 1845, 2306), (2, 2306, 2768)]


def test_a_short_history_starts_testing_later_than_its_middle():
    assert folds(1000, classic())[0].test_first == 252 + 485 + 60 + 20


@pytest.mark.parametrize("block", folds(1000, classic()))
def test_no_training_label_is_decided_inside_its_test_block(block):
    data = planted()
    learnt = examples_before(data, block.test_first, SECTORS, FEATURES, embargo=EMBARGO_SESSIONS)
    assert learnt.x_NTF.shape[1] == len(learnt.grid.sessions) == block.test_first
    for h, horizon in enumerate(HORIZONS_SESSIONS):
        for labels in (learnt.every.score_NTH, learnt.every.scaled_NTH):
            decided = labelled_sessions(labels, h).max() + horizon
            assert decided == block.test_first - EMBARGO_SESSIONS - 1


def test_the_tail_is_purged_of_what_the_fit_saw():
    learnt = examples_before(planted(), 817, SECTORS, FEATURES, embargo=EMBARGO_SESSIONS)
    for h, horizon in enumerate(HORIZONS_SESSIONS):
        fit, tail = labelled_sessions(learnt.fit.scaled_NTH, h), labelled_sessions(learnt.tail.scaled_NTH, h)
        assert fit.max() + horizon + EMBARGO_SESSIONS < tail.min() == 676
        assert len(tail) >= 60


def test_the_embargo_is_a_month_and_more():
    assert EMBARGO_SESSIONS >= 20


def test_a_rolling_window_forgets_what_lies_before_it():
    learnt = examples_before(planted(), 817, SECTORS, FEATURES, embargo=EMBARGO_SESSIONS, window=400)
    whole = examples_before(planted(), 817, SECTORS, FEATURES, embargo=EMBARGO_SESSIONS)
    for h in range(4):
        assert labelled_sessions(learnt.every.score_NTH, h).min() == 417
        assert labelled_sessions(learnt.every.score_NTH, h).max() == labelled_sessions(whole.every.score_NTH, h).max()
        assert labelled_sessions(learnt.fit.score_NTH, h).min() == 417
    assert RECIPES["classic_rolling"]().window_sessions == 1260


def test_the_final_fit_uses_every_known_label():
    data = planted()
    learnt = examples_before(data, 1000, SECTORS, FEATURES, embargo=0)
    assert [labelled_sessions(learnt.every.score_NTH, h).max() for h in range(4)] == [998, 994, 979, 939]
    assert np.array_equal(learnt.every.scaled_NTH, data.labels.scaled_NTH, equal_nan=True)


def test_labels_after_the_test_block_began_change_nothing_that_is_learnt():
    data, block = planted(), folds(1000, classic())[1]
    before = examples_before(data, block.test_first, SECTORS, FEATURES, embargo=EMBARGO_SESSIONS)
    for h, horizon in enumerate(HORIZONS_SESSIONS):
        data.labels.score_NTH[:, block.test_first - horizon :, h] += 100
    data.x_NTF[:, block.test_first :] += 100
    after = examples_before(data, block.test_first, SECTORS, FEATURES, embargo=EMBARGO_SESSIONS)
    assert np.array_equal(before.every.score_NTH, after.every.score_NTH, equal_nan=True)
    assert np.array_equal(before.x_NTF, after.x_NTF, equal_nan=True)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_year_is_not_enough_and_the_error_says_what_is(recipe):
    assert required_sessions(RECIPES[recipe]()) == 997
    with pytest.raises(InsufficientHistoryError, match=r"252 sessions.* needs 997") as caught:
        folds(252, RECIPES[recipe]())
    assert (caught.value.needed, caught.value.available) == (997, 252)
    assert len(folds(997, RECIPES[recipe]())) == 3


def test_the_split_is_proven_by_horizon():
    for end in (817, 900):
        learnt = examples_before(planted(), end, SECTORS, FEATURES, embargo=EMBARGO_SESSIONS)
        gaps = prove_temporal(learnt, test_first=end, embargo=EMBARGO_SESSIONS)
        least = [horizon + EMBARGO_SESSIONS + 1 for horizon in HORIZONS_SESSIONS]
        assert gaps == {"fit": least, "tail": least, "every": least}


def bad_splits():
    data, end = planted(), 817
    good = examples_before(data, end, SECTORS, FEATURES, embargo=EMBARGO_SESSIONS)
    return {
        "every has the label of .* at 1 sessions, 1 before": replace(good, every=data.labels.until(end)),
        "tail has the label of .* at 1 sessions, 2 before": replace(good, tail=data.labels.until(end).within(691, end)),
        "fit has the label of .* at 1 sessions, 2 before": replace(good, fit=data.labels.within(0, 676).until(end)),
        "inside the test block": examples_before(data, end + 1, SECTORS, FEATURES, embargo=EMBARGO_SESSIONS),
    }


@pytest.mark.parametrize("said", bad_splits())
def test_a_bad_split_is_refused_by_name(said):
    with pytest.raises(PreflightError, match=f"preflight temporal_split: .*{said}.*a leak in the splits"):
        prove_temporal(bad_splits()[said], test_first=817, embargo=EMBARGO_SESSIONS)


def test_one_label_of_one_horizon_too_late_is_found():
    learnt = examples_before(planted(), 817, SECTORS, FEATURES, embargo=EMBARGO_SESSIONS)
    learnt.every.scaled_NTH[3, 817 - 65, 3] = 0.1  # may be learnt up to 817 - 66
    with pytest.raises(
        PreflightError, match=r"every has the label of \S+ at 60 sessions, 65 before .*; 60 \+ 20 of embargo must lie between"
    ):
        prove_temporal(learnt, test_first=817, embargo=EMBARGO_SESSIONS)
