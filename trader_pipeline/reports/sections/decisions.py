"""What the engine would hold, and why."""

from collections.abc import Sequence

from trader_pipeline import formats
from trader_pipeline.reports.facts import Facts, Row
from trader_pipeline.reports.section import AnyBlock, Grid, Missing, Section

SHOWN = 25
_READ = ("decisions.daily",)


def build(facts: Facts) -> Sequence[AnyBlock]:
    """Show the held names first, then the ranks, with the effective shares of both parts."""
    if not facts.decisions:
        return [Missing(text=f"No decisions for {facts.session}.", command="trader run")]
    first = facts.decisions[0]
    rows = sorted(facts.decisions, key=lambda row: (-abs(row["target_weight"] or 0.0), row["rank"]))[:SHOWN]
    note = (
        f"Weights asked for: momentum {formats.percent(facts.settings.decisions.momentum_weight, 0)}, "
        f"ML {formats.percent(facts.settings.decisions.ml_weight, 0)}. Effective shares this session: momentum "
        f"{formats.percent(first['momentum_share'], 0)}, ML {formats.percent(first['ml_share'], 0)} (mean absolute part); "
        f"{formats.percent(first['momentum_share_covariance'], 0)} and {formats.percent(first['ml_share_covariance'], 0)} by covariance."
    )
    return [
        Grid(
            title=f"Decisions for the open of {facts.trade_at:%Y-%m-%d}" + (f", first {SHOWN}" if len(facts.decisions) > SHOWN else ""),
            columns=("<Ticker", "<Action", "Weight", "Before limits", "Rank", "Momentum part", "ML part", "Score", "<Why"),
            rows=tuple(_cells(row) for row in rows),
            note=note,
            sources=_READ,
        )
    ]


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row["ticker"],
        row["action"],
        formats.percent(row["target_weight"]),
        formats.percent(row["uncut_weight"]),
        formats.count(row["rank"]),
        formats.number(row["momentum_part"], sign=True),
        formats.number(row["ml_part"], sign=True),
        formats.number(row["score"], sign=True),
        row["reasons"],
    )


SECTION = Section(key="decisions", title="Decisions", build=build)
