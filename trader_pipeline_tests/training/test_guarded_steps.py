"""Steps whose loss or gradient is not finite, or far beyond the usual: left out, then answered, then an error that names the cause."""

import math

import pytest
import torch

from trader_pipeline.errors import TrainingError
from trader_pipeline.training.escalation import Escalation
from trader_pipeline.training.guard import Guard
from trader_pipeline_tests.training.small_module import module, tensors, train, weights


def test_a_gradient_that_is_not_finite_never_reaches_the_weights():
    poisoned = tensors()
    poisoned.x_NTP[2, 20, 1] = math.inf
    only = [torch.tensor([16, 40])]  # sees session 20
    before = weights(module(poisoned))
    trained = train(module(poisoned), only * 3)
    assert trained.guard.skips() == 3
    assert torch.equal(weights(trained), before)
    moments = trained.optimizers().optimizer.state
    assert all(torch.isfinite(value).all() for state in moments.values() for value in state.values())


def test_training_goes_on_after_a_skipped_step():
    poisoned = tensors()
    poisoned.x_NTP[2, 20, 1] = math.nan
    before = weights(module(poisoned))
    trained = train(module(poisoned), [torch.tensor([40]), torch.tensor([16]), torch.tensor([30])])
    assert trained.guard.skips() == 1
    assert torch.isfinite(weights(trained)).all()
    assert not torch.equal(weights(trained), before)


def test_past_the_budget_the_error_names_dates_and_features():
    poisoned = tensors()
    poisoned.x_NTP[2, 20, 1] = math.nan
    trained = train(module(poisoned), [torch.tensor([16])])
    escalation = Escalation(trained, lambda: None)
    assert escalation.cause() == (
        "the last saw the 8 sessions from 2020-01-17; features ['value'] hold non-finite values of ['C'] on 2020-01-21"
    )


def test_past_the_budget_the_rate_backs_off_then_weights_go_back_then_it_ends():
    poisoned, events, went_back = tensors(), [], []
    poisoned.x_NTP[2, 20, 1] = math.nan
    trained = module(poisoned, skip_budget=1, lr_backoff=0.1)
    trained.report = lambda event: events.append(event["event"])
    escalation = Escalation(trained, lambda: went_back.append(1) or 7)

    def two_more():
        train(trained, [torch.tensor([16])] * 2)
        escalation.look()

    two_more()
    assert (events[-1], trained.rate_scale, went_back) == ("backed_off", 0.1, [])
    two_more()
    assert (events[-1], trained.rate_scale, went_back) == ("rolled_back", 0.1, [1])
    with pytest.raises(TrainingError, match=r"6 steps were left out, the budget is 1 .*features \['value'\]"):
        two_more()


def test_a_budget_holds_for_an_epoch():
    poisoned = tensors()
    poisoned.x_NTP[2, 20, 1] = math.nan
    trained = module(poisoned, skip_budget=2)
    escalation = Escalation(trained, lambda: None)
    for _ in range(3):
        train(trained, [torch.tensor([16])] * 2)
        escalation.close_epoch(any_step=True)
    assert escalation.level == 0
    escalation.close_epoch(any_step=False)
    assert escalation.level == 0  # nothing was left out in this one
    train(trained, [torch.tensor([16])])
    escalation.close_epoch(any_step=False)
    assert escalation.level == 1


def test_a_loss_far_beyond_its_running_mean_is_left_out_and_a_higher_level_is_accepted_in_time():
    guard = Guard(10.0, torch.device("cpu"))

    def see(loss, step):
        bad, seen = guard.judge(torch.tensor(loss), torch.tensor(1.0))
        guard.note(bad, seen, step)
        return bool(bad)

    assert [see(1e9 if step == 3 else 1.0, step) for step in range(10)] == [False] * 10  # too early to tell
    guard = Guard(10.0, torch.device("cpu"))
    assert not any(see(1.0, step) for step in range(20))
    assert see(11.0, 20)
    assert guard.bad_steps() == [20]
    assert not see(9.0, 21)
    higher = [see(100.0, step) for step in range(22, 60)]
    assert higher[0]
    assert not higher[-1]
