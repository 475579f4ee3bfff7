"""Loss, drawdown and reward for risk: of the paper portfolio out of fold, and of today's book on the trailing year."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from trader_pipeline import formats, measures
from trader_pipeline.reports.facts import Facts
from trader_pipeline.reports.section import AnyBlock, Grid, Missing, Section
from trader_pipeline.reports.statistics import annual_return, annual_volatility, sharpe_interval, volatility_filtered

WINDOW = 250
"""Sessions behind the VaR whose exceptions are counted."""

_READ = ("evaluation.backtest",)


def build(facts: Facts) -> Sequence[AnyBlock]:
    """Show risk figures with what they rest on."""
    blocks: list[AnyBlock] = []
    if facts.has_backtest:
        blocks.append(_paper(facts))
    else:
        blocks.append(Missing(text="No backtest of this model.", command="trader run"))
    held = {row["ticker"]: row["target_weight"] for row in facts.decisions if row["target_weight"]}
    if held:
        blocks.append(_book(facts, held))
    return blocks


def _paper(facts: Facts) -> Grid:
    ours, market = facts.backtest["strategy_return"], facts.backtest["benchmark_return"]
    rows = [
        ("Growth a year", *(formats.percent(annual_return(r), sign=True) for r in (ours, market))),
        ("Volatility a year", *(formats.percent(annual_volatility(r)) for r in (ours, market))),
        ("Sharpe ratio, risk-free rate 0 (95 % interval)", *(_sharpe(r) for r in (ours, market))),
        ("Maximum drawdown", *(formats.percent(measures.max_drawdown(r)) for r in (ours, market))),
        *_losses((ours, market)),
        ("Exceptions of the rolling 95 % VaR (Kupiec p)", *(_exceptions(r) for r in (ours, market))),
    ]
    return Grid(
        title=f"Paper portfolio, {facts.backtest['session'][0]} to {facts.backtest['session'][-1]}, {facts.return_kind}, net of costs",
        columns=("<", "Strategy", facts.benchmark),
        rows=tuple(rows),
        note=f"One-session losses, historical, positive = loss. Sharpe difference {facts.sharpe_difference(1)}, "
        "95 % interval by Ledoit & Wolf. "
        f"The mean exposure of the strategy was {formats.percent(float(np.nanmean(facts.backtest['exposure'])))}.",
        sources=(*_READ, "evaluation.strategy"),
    )


def _book(facts: Facts, held: dict[str, float]) -> Grid:
    returns = facts.closes.daily_returns(held)
    market = facts.closes.daily_returns({facts.universe["benchmark"]: 1.0}) if facts.universe["benchmark"] in facts.closes.tickers else None
    columns = (returns,) if market is None else (returns, market)
    rows = [
        ("Volatility a year", *(formats.percent(annual_volatility(r)) for r in columns)),
        *_losses(columns),
        *((f"{name}, filtered", *cells) for name, *cells in _losses([volatility_filtered(r) for r in columns])),
        ("Maximum drawdown", *(formats.percent(measures.max_drawdown(r)) for r in columns)),
    ]
    return Grid(
        title=f"Today's book held over the last {formats.plural(len(returns), 'session')}, {facts.return_kind}",
        columns=("<", "Book") if market is None else ("<", "Book", facts.universe["benchmark"]),
        rows=tuple(rows),
        note="Historical simulation: today's weights, rebalanced every session, no costs: what such a book would have lost. Filtered: "
        "every return is rescaled from the volatility of its day to the latest one (Hull & White 1998).",
        sources=("decisions.daily", "core.accepted_bars", "core.corporate_actions"),
    )


def _losses(series: Sequence[npt.NDArray[np.float64]]) -> list[tuple[str, ...]]:
    return [
        (f"{name} {level:.0%}".replace("%", " %"), *(formats.percent(measure(returns, level), 2) for returns in series))
        for level in (0.95, 0.99)
        for name, measure in (("VaR", measures.value_at_risk), ("CVaR", measures.conditional_value_at_risk))
    ]


def _sharpe(returns: npt.NDArray[np.float64]) -> str:
    estimate = sharpe_interval(returns)
    return f"{formats.number(estimate.value)} ({formats.number(estimate.low)} to {formats.number(estimate.high)})"


def _exceptions(returns: npt.NDArray[np.float64]) -> str:
    """Return how often a session lost more than the VaR of the 250 sessions before it, with Kupiec's p-value."""
    known = returns[np.isfinite(returns)]
    judged = len(known) - WINDOW
    if judged <= 0:
        return f"{formats.MISSING} (needs over {WINDOW} sessions)"
    limits = [measures.value_at_risk(known[t - WINDOW : t]) for t in range(WINDOW, len(known))]
    exceptions = int(np.sum(-known[WINDOW:] > np.array(limits)))
    return f"{exceptions} of {judged}, {judged * 0.05:.1f} expected (p = {measures.kupiec_p_value(exceptions, judged):.2f})"


SECTION = Section(key="risk", title="Risk", build=build)
