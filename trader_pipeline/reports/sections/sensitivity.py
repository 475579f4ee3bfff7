"""What changes when costs do."""

from collections.abc import Sequence

from trader_pipeline import formats, measures
from trader_pipeline.reports.facts import Facts, Floats
from trader_pipeline.reports.section import AnyBlock, Grid, Missing, Section
from trader_pipeline.reports.statistics import annual_return, sharpe_interval

COST_MULTIPLES = (0, 1, 2)


def build(facts: Facts) -> Sequence[AnyBlock]:
    """Show the paper portfolio at 0, 1 and 2 times the modelled costs."""
    if not facts.has_backtest:
        return [Missing(text="No backtest whose costs could be varied.", command="trader run")]
    gross, cost = facts.backtest["gross_return"], facts.backtest["cost"]
    rows = tuple(_line(multiple, gross - multiple * cost, facts.sharpe_difference(multiple)) for multiple in COST_MULTIPLES)
    yearly = float(cost.mean()) * measures.SESSIONS_PER_YEAR
    turnover = float(facts.backtest["turnover"].mean()) * measures.SESSIONS_PER_YEAR
    return [
        Grid(
            title="Costs at 0, 1 and 2 times the model",
            columns=("<Costs", "Growth a year", "Sharpe (95 %)", f"Sharpe minus {facts.benchmark} (95 %)", "Maximum drawdown"),
            rows=rows,
            note=f"The model charges half the spread and a commission on {formats.number(turnover, 0)} times the equity traded a year: "
            f"{formats.percent(yearly, 2)} of equity a year. Risk-free rate 0, {facts.return_kind}.",
            sources=("evaluation.backtest", "evaluation.strategy"),
        )
    ]


def _line(multiple: int, returns: Floats, difference: str) -> tuple[str, ...]:
    sharpe = sharpe_interval(returns)
    return (
        f"{multiple} ×",
        formats.percent(annual_return(returns), sign=True),
        f"{formats.number(sharpe.value)} ({formats.number(sharpe.low)} to {formats.number(sharpe.high)})",
        difference,
        formats.percent(measures.max_drawdown(returns)),
    )


SECTION = Section(key="sensitivity", title="Sensitivity", build=build)
