"""Each sentence on a curve that deserves it."""

import pytest

from trader_pipeline.training.diagnosis import diagnose

NO_LABEL = [float("nan")] * 4


def curve(train, validation):
    return [{"train_loss": a, "validation_loss": b} for a, b in zip(train, validation, strict=True)]


FALLING = curve([4.2, 4.1, 4.0, 3.95], [4.3, 4.25, 4.22, 4.2])


@pytest.mark.parametrize(
    ("epochs", "more", "said"),
    [
        (FALLING, {"learnt_ten": False}, "it could not learn ten labels by heart: capacity or a bug; mend the network"),
        (
            curve([4.2, 4.0, 3.7], [4.3, 4.4, 4.6]),
            {"learnt_ten": True},
            "it can learn ten labels by heart, and validation was best after the first epoch: regularisation or data, not capacity",
        ),
        (curve([4.2, 4.0, 3.7], [4.3, 4.4, 4.6]), {}, "training goes on to fall, and validation was best after the first epoch"),
        (
            curve([4.2, 4.199, 4.2], [4.3, 4.3, 4.29]),
            {"learnt_ten": True},
            "plateau at once: 3 epochs took 0.02% off the training loss; try",
        ),
        (FALLING, {"learnt_ten": True}, "validation was best after epoch 3 of 0 to 3, and may fall further"),
        (curve([4.2, 4.0, 3.9, 3.7], [4.3, 4.2, 4.3, 4.4]), {}, "validation was best after epoch 1 of 0 to 3, then it overfits"),
        (curve([4.2], [4.3]), {}, "one epoch is too few to see a course"),
        (curve([4.2, None, None], [4.3, None, None]), {}, "2 of 3 epochs have no finite loss: the incidents name the inputs"),
        ([], {"score_spread": 0.0}, "every ticker gets the same score: it found nothing that tells them apart"),
        (
            [],
            {"balanced_accuracy": [0.501, 0.495, 0.508, float("nan")]},
            "its direction is stuck at 50 % (balanced accuracy 50.1% at 1, 49.5% at 5, 50.8% at 20 sessions): no better than a coin",
        ),
        ([], {"balanced_accuracy": [0.531, 0.50, 0.5, 0.5]}, "balanced accuracy 53.1% at 1, 50.0% at 5"),
    ],
)
def test_the_outcome_is_read_out(epochs, more, said):
    assert diagnose(epochs, **more).startswith(said)


def test_course_and_direction_stand_in_one_sentence():
    said = diagnose(FALLING, balanced_accuracy=[0.5, 0.5, 0.5, 0.5], score_spread=0.3)
    assert said.startswith("validation was best after epoch 3 of 0 to 3, and may fall further; its direction is stuck at 50 %")


def test_nothing_known_says_nothing():
    assert diagnose([], balanced_accuracy=NO_LABEL) == ""
