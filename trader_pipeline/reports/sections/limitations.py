"""What these numbers cannot carry: the specific facts of this dataset and this model first, the general ones last."""

from collections.abc import Sequence

import numpy as np

from trader_pipeline import formats
from trader_pipeline.reports.facts import Facts
from trader_pipeline.reports.section import AnyBlock, Bullets, Section
from trader_pipeline.reports.statistics import annual_return

FEW_NAMES = 50
FEW_WINDOWS = 20


def build(facts: Facts) -> Sequence[AnyBlock]:
    """Return the limits that hold for this report, each with its figure."""
    items = [*_dataset(facts), *_model(facts), *_backtest(facts), *_data(facts)]
    items.append(
        "Forecasts are distributions, not promises: about one outcome in ten lies outside the 5–95 % interval by design. "
        "No investment advice."
    )
    judged = ("predictions.daily", "evaluation.scorecard", "evaluation.backtest", "training.trials") if facts.forecasts else ()
    bars = ("core.accepted_bars", "core.corporate_actions", "core.ticker_map", "quality.quarantine")
    return [Bullets(items=tuple(items), sources=(*bars, *judged))]


def _dataset(facts: Facts) -> list[str]:
    span, universe = facts.span, facts.universe
    items = []
    if facts.settings.dataset == "deep":
        items.append(
            f"Hindsight sample: the {universe['stocks']} names were chosen later, because they became large. {_hindsight(facts)}"
            "Every base rate, forecast mean and backtest return here is flattered by that choice; none carries over to a fresh selection."
        )
    if facts.settings.dataset == "us20":
        items.append(
            f"Hindsight sample: the {universe['stocks']} names are large companies of 2022, none of which ended since 1990. "
            "Adjusted closes alone, to a tenth of a cent: returns are total returns from close to close, and the first years are coarse."
        )
    if facts.settings.dataset == "broad":
        items.append(
            f"One year only: {formats.plural(span['sessions'], 'session')} from {span['first_session']} to {span['last_session']}, "
            "the rebound after 2009; the members are those of one list at one date."
        )
    if facts.settings.dataset == "simulated":
        items.append(
            "Simulated market: its signal was planted. Results show that the method finds what is there, not what any market holds."
        )
    if facts.settings.dataset in ("live", "own"):
        items.append("The universe is today's list of names: those that were delisted before are not in it, which flatters history.")
    if facts.return_kind == "price return":
        items.append(
            "Price return: the data hold no dividends, so every return, Sharpe ratio and comparison leaves them out, on both sides."
        )
    if facts.historical:
        items.append(f"The data end on {facts.session} by design. Nothing here speaks of today's market.")
    if universe["stocks"] and universe["stocks"] < FEW_NAMES:
        items.append(
            f"{universe['stocks']} names of {universe['issuers']} issuers: ranks within so few names are coarse, "
            "and a book of a handful of names is concentrated whatever the limits."
        )
    return items


def _hindsight(facts: Facts) -> str:
    closes = facts.closes
    sessions = len(closes.sessions) - 1
    stocks = {row["ticker"] for row in facts.forecasts}
    trailing = closes.trailing_return(sessions)
    year = [value for ticker, value in trailing.items() if ticker in stocks and np.isfinite(value)]
    if not year:
        return ""
    rose = sum(value > 0 for value in year)
    market = formats.percent(trailing.get(facts.universe["benchmark"] or ""))
    average = formats.percent(float(np.mean(year)))
    return f"Over the last {sessions} sessions {rose} of {len(year)} rose, on average by {average} against {market} of the benchmark. "


def _model(facts: Facts) -> list[str]:
    if not facts.forecasts:
        return ["No model has judged this data: there is no accuracy, no backtest and no forecast to report."]
    items = [str(row["leak_alarm"]) for row in facts.ensemble if row["leak_alarm"]]
    few = [row for row in facts.ensemble if row["windows"] < FEW_WINDOWS]
    if few:
        shown = ", ".join(f"{row['windows']} at {row['horizon_sessions']} sessions" for row in few)
        items.append(f"Few independent windows behind the scorecard: {shown}. Intervals from so few say little.")
    weak = [str(row["horizon_sessions"]) for row in facts.ensemble if row["brier_skill"] is not None and row["brier_skill"] <= 0]
    if weak:
        items.append(f"P(up) was no better than the base rate alone (Brier skill not above 0) at horizons of {', '.join(weak)} sessions.")
    abstained = sum(row["abstained"] for row in facts.forecasts)
    if abstained:
        why = "too little confidence, or inputs unlike the training data"
        items.append(f"{abstained} of {len(facts.forecasts)} forecasts of this session abstain: {why}.")
    return items


def _backtest(facts: Facts) -> list[str]:
    if not facts.has_backtest:
        return []
    returns, days = facts.backtest["strategy_return"], facts.backtest["session"]
    folds = facts.ask("select count(distinct fold) as n from training.trials where model_id = ? and fold >= 0", [facts.model_id])[0]["n"]
    path = f"One path: the backtest is {formats.plural(len(returns), 'session')} ({days[0]} to {days[-1]})"
    growth = f"of {formats.plural(folds, 'walk-forward fold')}, growth {formats.percent(annual_return(returns))} a year"
    return [f"{path} {growth}. Costs are modelled, not measured; no taxes, no borrowing, {facts.fills}."]


def _data(facts: Facts) -> list[str]:
    held = facts.ask("select count(*) as n, count(distinct ticker) as t from quality.quarantine where session <= ?", [facts.session])[0]
    if not held["n"]:
        return []
    return [f"Quarantined and not read: {formats.plural(held['n'], 'ticker-day')} of {formats.plural(held['t'], 'ticker')}."]


SECTION = Section(key="limitations", title="What limits these numbers", build=build, always=True)
