"""What the checks found in the data behind this report."""

from collections.abc import Sequence

from trader_pipeline import formats
from trader_pipeline.reports.facts import Facts
from trader_pipeline.reports.section import AnyBlock, Bullets, Grid, Missing, Section

SHOWN = 12
_LAST = "run_id = (select run_id from quality.metrics order by known_at desc, run_id desc limit 1)"


def build(facts: Facts) -> Sequence[AnyBlock]:
    """Show the last checks by rule, the first findings, and what the bars span."""
    span = facts.span
    dates = f" from {span['first_session']} to {span['last_session']}" if span["first_session"] else ""
    bars = f"{formats.count(span['rows'])} accepted bars: {formats.plural(span['tickers'], 'ticker')}"
    said = Bullets(items=(f"{bars}, {formats.plural(span['sessions'], 'session')}{dates}.",), sources=("core.accepted_bars",))
    rules = facts.ask(f"select rule, bool_and(passed) as passed from quality.metrics where {_LAST} group by rule order by rule")  # noqa: S608 - a constant
    if not rules:
        return [said, Missing(text="The data were not checked.", command="trader run")]
    found = facts.ask(
        f"""select rule, ticker, severity, first_session, last_session, message from quality.findings where {_LAST}
            order by severity, rule, ticker, first_session"""  # noqa: S608 - a constant
    )
    counts = {
        row["rule"]: (
            sum(f["severity"] == "error" for f in found if f["rule"] == row["rule"]),
            sum(f["severity"] == "warning" for f in found if f["rule"] == row["rule"]),
        )
        for row in rules
    }
    blocks: list[AnyBlock] = [
        said,
        Grid(
            title="Last checks by rule",
            columns=("<Rule", "<Table scope", "Errors", "Warnings"),
            rows=tuple(
                (row["rule"], "passes" if row["passed"] else "blocks what follows", *(formats.count(n) for n in counts[row["rule"]]))
                for row in rules
            ),
            note="Rows that cannot be trusted are quarantined: those of errors, and bars that contradict themselves by little, which warn. "
            "A rule that fails at table scope blocks training and predictions.",
            sources=("quality.metrics", "quality.findings"),
        ),
    ]
    if found:
        blocks.append(
            Grid(
                title=f"Findings, the first {SHOWN} of {len(found)}" if len(found) > SHOWN else "Findings",
                columns=("<Rule", "<Ticker", "<Severity", "<Finding"),
                rows=tuple((f["rule"], "all" if f["ticker"] == "*" else f["ticker"], f["severity"], f["message"]) for f in found[:SHOWN]),
                sources=("quality.findings",),
            )
        )
    return blocks


SECTION = Section(key="data_quality", title="Data quality", build=build, always=True)
