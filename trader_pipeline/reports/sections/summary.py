"""Two or three sentences for who reads nothing else."""

from collections.abc import Sequence

from trader_pipeline import formats
from trader_pipeline.reports.facts import HEADLINE_SESSIONS, Facts
from trader_pipeline.reports.section import AnyBlock, Bullets, Missing, Section
from trader_pipeline.reports.statistics import Estimate, sharpe_interval


def build(facts: Facts) -> Sequence[AnyBlock]:
    """Say what is held, how good the forecasts have been, and what the backtest says; or why there is nothing."""
    if not facts.forecasts:
        span = facts.span
        fact = f"No predictions of {facts.session}. The lake holds {formats.plural(span['sessions'], 'session')} of "
        fact += f"{formats.plural(span['tickers'], 'ticker')}"
        reason = "and no trained model" if not facts.snapshot.rows("training.runs") else "and a trained model that was not asked"
        return [Missing(text=f"{fact} {reason}; this report speaks of the data only.", command=f"trader predict --session {facts.session}")]
    items = [text for text in (_book(facts), _skill(facts), _backtest(facts)) if text]
    return [Bullets(items=tuple(items), sources=("predictions.daily", "decisions.daily", "evaluation.scorecard", "evaluation.backtest"))]


def _book(facts: Facts) -> str:
    rows = facts.at(HEADLINE_SESSIONS)
    held = [row for row in facts.decisions if row["target_weight"]]
    if not rows:
        return ""
    best, worst = rows[0], rows[-1]
    ranked = (
        f"{best['ticker']} leads and {worst['ticker']} trails the {len(rows)} names at {HEADLINE_SESSIONS} sessions: expected "
        f"{formats.percent(best['return_mean'], 2, sign=True)} (5–95 %: {formats.percent_range(best['q05'], best['q95'])}) against "
        f"{formats.percent(worst['return_mean'], 2, sign=True)} ({formats.percent_range(worst['q05'], worst['q95'])})."
    )
    if not held:
        return f"The engine holds nothing. {ranked}"
    largest = ", ".join(f"{row['ticker']} {formats.percent(row['target_weight'])}" for row in sorted(held, key=_weight)[:3])
    gross = sum(abs(row["target_weight"]) for row in held)
    return f"The book holds {formats.plural(len(held), 'name')}, {formats.percent(gross)} of equity; the largest are {largest}. {ranked}"


def _weight(row: dict[str, float]) -> float:
    return -abs(row["target_weight"])


def _skill(facts: Facts) -> str:
    if not facts.ensemble:
        return ""
    met = [str(row["horizon_sessions"]) for row in facts.ensemble if row["target_met"]]
    beats = [str(row["horizon_sessions"]) for row in facts.ensemble if row["accuracy"] - row["accuracy_half_width"] > row["base_rate"]]
    headline = next((row for row in facts.ensemble if row["horizon_sessions"] == HEADLINE_SESSIONS), facts.ensemble[0])
    target = formats.percent(headline["target"], 0)
    verdict = f"Out of fold, direction at {headline['horizon_sessions']} sessions was right {headline['verdict']}."
    against = f"clearly beat their base rate at {' and '.join(beats)} sessions" if beats else "clearly beat their base rate at no horizon"
    reached = f"reach the target of {target} at {' and '.join(met)} sessions" if met else f"reach the target of {target} at none"
    return f"{verdict} The forecasts {against} and {reached}."


def _backtest(facts: Facts) -> str:
    if not facts.has_backtest:
        return ""
    ours, market = sharpe_interval(facts.backtest["strategy_return"]), sharpe_interval(facts.backtest["benchmark_return"])
    sessions = formats.plural(len(facts.backtest["session"]), "session")
    return (
        f"The paper portfolio's Sharpe ratio over {sessions} is {_with_interval(ours)} net of costs, {facts.benchmark}'s "
        f"{_with_interval(market)}; {facts.return_kind}, risk-free rate 0."
    )


def _with_interval(sharpe: Estimate) -> str:
    return f"{formats.number(sharpe.value)} (95 %: {formats.number(sharpe.low)} to {formats.number(sharpe.high)})"


SECTION = Section(key="summary", title="Executive summary", build=build, always=True)
