"""What follows steps that were left out: they are named; past a budget the rate backs off, then weights go back, then training ends."""

from collections.abc import Callable

import torch

from trader_pipeline.errors import TrainingError
from trader_pipeline.training.module import NetworkModule

_MOST_NAMES = 10


class Escalation:
    """Reads the guard now and then. `roll_back` restores the weights of the last checkpoint and says of which step, None without one."""

    def __init__(self, module: NetworkModule, roll_back: Callable[[], int | None]) -> None:
        self.module, self.roll_back = module, roll_back
        self.level = self.told = self.forgiven = 0

    def look(self) -> None:
        """Name what was left out since the last look; act when an epoch's budget is used up. Waits for the device."""
        guard, budget = self.module.guard, self.module.settings.skip_budget
        skips = guard.skips()
        if skips > self.told:
            self.module.tell("skipped", step=self.module.step, steps=skips - self.told, cause=self.cause())
            self.told = skips
        if skips - self.forgiven > budget:
            self.forgiven = skips
            self._act(f"{skips} steps were left out, the budget is {budget} an epoch")

    def close_epoch(self, *, any_step: bool) -> None:
        """Begin a new budget; an epoch that took no step at all has used up its own."""
        self.look()
        if not any_step and self.told > self.forgiven:
            self._act("an epoch took no step at all")
        self.forgiven = self.told

    def facts(self) -> dict[str, int]:
        """Return the state by name."""
        return {"level": self.level, "told": self.told, "forgiven": self.forgiven}

    def load(self, facts: dict[str, int]) -> None:
        """Take up the state that `facts` gave."""
        self.level, self.told, self.forgiven = facts["level"], facts["told"], facts["forgiven"]

    def _act(self, why: str) -> None:
        self.level += 1
        module = self.module
        if self.level == 1:
            module.rate_scale *= module.settings.lr_backoff
            module.tell("backed_off", step=module.step, learning_rate=module.learning_rate, why=why)
            return
        back = self.roll_back() if self.level == 2 else None  # noqa: PLR2004 - the second rung
        if back is None:
            raise TrainingError(f"{module.names.model}: {why}, after a lower learning rate and older weights; {self.cause()}")
        module.tell("rolled_back", step=module.step, to_step=back, why=why)

    def cause(self) -> str:
        """Return the newest bad step's sessions, tickers and features, or that the inputs are sound."""
        module, names = self.module, self.module.names
        known = [step for step in module.guard.bad_steps() if step in module.recent]
        if not known:
            return "its windows are no longer known"
        starts_B = module.recent[known[-1]]
        bad_BNLP = ~torch.isfinite(module.data.gather(starts_B, module.window)[0].x_BNLP)
        dates = ", ".join(str(names.sessions[start]) for start in starts_B.tolist()[:_MOST_NAMES])
        seen = f"the last saw the {module.window} sessions from {dates}"
        if not bad_BNLP.any():
            return f"{seen}; the inputs are finite: lower the learning rate, or look at the labels of those sessions"
        b, n, position, p = bad_BNLP.nonzero().unbind(1)
        sessions = sorted({str(names.sessions[i]) for i in (starts_B[b] + position).tolist()})[:_MOST_NAMES]
        tickers = sorted({names.tickers[i] for i in n.tolist()})[:_MOST_NAMES]
        features = sorted({names.columns[i] for i in p.tolist()})[:_MOST_NAMES]
        return f"{seen}; features {features} hold non-finite values of {tickers} on {', '.join(sessions)}"
