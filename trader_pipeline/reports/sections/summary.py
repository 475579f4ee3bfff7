"""Two or three sentences for who reads nothing else."""

from collections.abc import Sequence

from trader_pipeline import formats
from trader_pipeline.reports.facts import HEADLINE_SESSIONS, Facts
from trader_pipeline.reports.section import AnyBlock, Bullets, Missing, Section
from trader_pipeline.reports.statistics import Estimate, sharpe_interval


def build(facts: Facts) -> Sequence[AnyBlock]:
    """Say what is held, how good the forecasts have been, and what the backtest says; or why there is nothing."""
    if not facts.forecasts:
        return [_nothing(facts)]
    forced = f"Forced: made although the gate said: {facts.forced}." if facts.forced else ""
    items = [text for text in (forced, _book(facts), _skill(facts), _backtest(facts)) if text]
    judged = ("quality.findings",) if forced else ()
    sources = ("predictions.daily", "decisions.daily", "evaluation.scorecard", "evaluation.backtest", *judged)
    return [Bullets(items=tuple(items), sources=sources)]


def _nothing(facts: Facts) -> Missing:
    span = facts.span
    have = f"The lake holds {formats.plural(span['sessions'], 'session')} of {formats.plural(span['tickers'], 'ticker')}"
    only = "This report speaks of the data only."
    if facts.snapshot.rows("training.runs"):
        text = f"No predictions of {facts.session}. {have} and a trained model that was not asked. {only}"
        return Missing(text=text, command=f"trader predict --session {facts.session}")
    if facts.sessions_needed is not None and span["sessions"] < facts.sessions_needed:
        text = f"No predictions of {facts.session}: not enough history. {have}; the recipe {facts.settings.recipe!r} needs "
        command = "trader demo --sample deep" if facts.settings.dataset == "broad" else "trader run"
        return Missing(text=f"{text}{formats.plural(facts.sessions_needed, 'session')}. {only}", command=command)
    return Missing(text=f"No predictions of {facts.session}. {have} and no trained model. {only}", command="trader run")


def _book(facts: Facts) -> str:
    rows = facts.at(HEADLINE_SESSIONS)
    held = [row for row in facts.decisions if row["target_weight"]]
    if not rows:
        return ""
    best, worst = rows[0], rows[-1]
    ranked = (
        f"By score {best['ticker']} leads and {worst['ticker']} trails the {len(rows)} names at {HEADLINE_SESSIONS} sessions: "
        f"{formats.percent(best['p_outperform'])} against {formats.percent(worst['p_outperform'])} to beat their peers, expected "
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
