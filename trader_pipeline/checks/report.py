"""All rules over one context, and what they said in the shape of the quality tables."""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.checks.context import QUARANTINED, CheckContext
from trader_pipeline.checks.history import since, standing_since
from trader_pipeline.checks.mended import VALUES, applied
from trader_pipeline.checks.overrides import accepts, let_through
from trader_pipeline.checks.overruled import overruled
from trader_pipeline.checks.rule import FINDING_COLUMNS, Finding, Rule, RuleResult, Severity
from trader_pipeline.schema import Table
from trader_pipeline.schema.core import CORPORATE_ACTIONS, DAILY_BARS
from trader_pipeline.schema.quality import FINDINGS, METRICS, QUARANTINE, REPAIRS

REPAIRED = pa.schema(
    [
        REPAIRS.arrow_schema.field(name)
        for name in ("table_name", "ticker", "session", "source", "column_name", "rule", "stored", "proposed", "reason")
    ]
)
STAND_IN = {
    DAILY_BARS.full_name: VALUES,
    CORPORATE_ACTIONS.full_name: ("dividend",),
}
"""Columns whose repaired values something reads: core.accepted_bars, and what `Snapshot.actions` returns."""

_COUNTED = frozenset({"findings", "quarantined", "released"})
_FINDING_SCHEMA = pa.schema([FINDINGS.arrow_schema.field(name) for name in FINDING_COLUMNS])


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReport:
    """One rule's verdict. `passed` is no finding at all; a `severity` of error stops what follows, a warning does not.

    `findings` has the columns of quality.findings without run_id and known_at.
    """

    rule: str
    table: str
    passed: bool
    severity: Severity
    blocking: bool
    description: str
    metrics: dict[str, float]
    findings: pa.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """Every rule's verdict. `quarantine` has the columns of QUARANTINED, `repairs` those of REPAIRED; `changed`: this call made it."""

    run_id: str
    as_of: dt.datetime
    results: tuple[RuleReport, ...]
    quarantine: pa.Table
    repairs: pa.Table
    changed: bool

    @property
    def blocked_by(self) -> list[str]:
        """Names of the rules that failed at table scope."""
        return [r.rule for r in self.results if r.severity == "error" and not r.passed]

    def explain_block(self) -> str:
        """Return the messages of the rules that block, for an error's text."""
        blocking = [r for r in self.results if r.rule in self.blocked_by]
        return "; ".join(
            f"{r.rule}: {m['message']}"
            for r in blocking
            for m in r.findings.to_pylist()
            if m["scope"] == "table" and m["severity"] == "error"
        )

    def tables(self, quarantine: pa.Table, repairs: pa.Table, apply: Collection[str]) -> dict[Table, pa.Table]:
        """Return the rows of the quality tables, of which `quarantine` and `repairs` are the rows so far.

        Repairs of the rules in `apply` are applied, of STAND_IN alone: nothing reads another column, or a value of which there is no ratio.
        """
        findings = pa.concat_tables([r.findings for r in self.results])
        held_since, released = since(quarantine, self.quarantine, self.as_of)
        held = Counter(self.quarantine["rule"].to_pylist())
        metrics = [
            {"table_name": r.table, "rule": r.rule, "name": name, "value": float(value), "passed": r.passed or r.severity == "warning"}
            for r in self.results
            for name, value in {
                "findings": r.findings.num_rows,
                "quarantined": held[r.rule],
                "released": released.get((r.table, r.rule), 0),
                **r.metrics,
            }.items()
        ]
        stands = pa.array([_applies(row, apply) for row in self.repairs.to_pylist()], pa.bool_())
        rows = {
            METRICS: pa.Table.from_pylist(metrics),
            FINDINGS: findings,
            QUARANTINE: held_since,
            REPAIRS: standing_since(repairs, self.repairs.append_column("applied", stands), self.as_of),
        }
        return {table: self.stamped(table, rows[table]) for table in rows}

    def stamped(self, table: Table, rows: pa.Table) -> pa.Table:
        """Return rows of a quality table with this run's id and instant."""
        n = rows.num_rows
        stamped = rows.append_column("run_id", pa.array([self.run_id] * n, pa.string()))
        return table.conform(stamped.append_column("known_at", pa.array([self.as_of] * n, table.arrow_schema.field("known_at").type)))


def run_rules(rules: Sequence[Rule], context: CheckContext, *, run_id: str, near: CheckContext | None = None) -> CheckReport:
    """Run the rules in order; each sees in `context.quarantine` what the ones before it quarantined and nobody let through.

    What the ones before it proposed and the settings apply is in the bars that it sees: it judges the values that go on.

    With `near`, rules that are not `whole` look at that context: the newest sessions, and all that a rule ever spoke of.
    """
    reports, repairs = [], [REPAIRED.empty_table()]
    for rule in rules:
        seen = replace(near, quarantine=context.quarantine) if near and not rule.whole else context
        result = rule.run(seen)
        found = _named(rule, result.quarantine, QUARANTINED)
        accepted = accepts(rule, context.overrides)
        kept = let_through(found, accepted)
        metrics = dict(result.metrics) | ({"let_through": found.num_rows - kept.num_rows} if kept.num_rows < found.num_rows else {})
        proposed = let_through(_named(rule, result.repairs, REPAIRED), accepted)
        findings = tuple(overruled(finding, found, accepted) for finding in result.findings) if accepted else result.findings
        reports.append(report_of(rule, replace(result, findings=findings, metrics=metrics)))
        if rule.table is DAILY_BARS and rule.name in context.settings.apply_repairs:
            proposed = applied(rule, proposed, judged=seen, contexts=[context, near] if near else [context])
        repairs.append(proposed)
        context = replace(context, quarantine=pa.concat_tables([context.quarantine, kept]))
    return CheckReport(
        run_id=run_id,
        as_of=context.as_of,
        results=tuple(reports),
        quarantine=context.quarantine,
        repairs=pa.concat_tables(repairs),
        changed=True,
    )


def stored_report(
    rules: Sequence[Rule],
    metrics: pa.Table,
    findings: pa.Table,
    quarantine: pa.Table,
    repairs: pa.Table,
    *,
    run_id: str,
    as_of: dt.datetime,
) -> CheckReport:
    """Return the report that a run stored, from the rows of its quality tables."""
    reports = []
    for rule in rules:
        measured = metrics.filter(pc.equal(metrics["rule"], rule.name)).to_pylist()
        found = findings.filter(pc.equal(findings["rule"], rule.name)).select(_FINDING_SCHEMA.names)
        values = {row["name"]: row["value"] for row in measured if row["name"] not in _COUNTED}
        reports.append(_verdict(rule, found, values, blocks=not all(row["passed"] for row in measured)))
    return CheckReport(
        run_id=run_id,
        as_of=as_of,
        results=tuple(reports),
        quarantine=quarantine.select(QUARANTINED.names),
        repairs=repairs.select(REPAIRED.names),
        changed=False,
    )


def report_of(rule: Rule, result: RuleResult) -> RuleReport:
    """Return a rule's verdict on what it found."""
    rows = [_row(rule, finding) for finding in _said_once(result.findings)]
    findings = pa.Table.from_pylist(rows, schema=_FINDING_SCHEMA)
    return _verdict(rule, findings, {k: float(v) for k, v in result.metrics.items()}, blocks=result.blocks)


def _applies(repair: Mapping[str, Any], apply: Collection[str]) -> bool:
    read = repair["column_name"] in STAND_IN.get(repair["table_name"], ())
    return repair["rule"] in apply and read and repair["stored"] != 0


def _verdict(rule: Rule, findings: pa.Table, metrics: dict[str, float], *, blocks: bool) -> RuleReport:
    return RuleReport(
        rule=rule.name,
        table=rule.table.full_name,
        passed=not findings.num_rows,
        severity="error" if blocks else "warning",
        blocking=rule.blocking,
        description=rule.description,
        metrics=metrics,
        findings=findings,
    )


def _row(rule: Rule, finding: Finding) -> dict[str, object]:
    own = {name: getattr(finding, name) for name in Finding.__dataclass_fields__}
    return {"table_name": rule.table.full_name, "rule": rule.name, **own}


def _said_once(findings: Sequence[Finding]) -> list[Finding]:
    """Return one finding a ticker, source and first session: the worst, with the words of all."""
    said: dict[tuple[str, str, dt.date], Finding] = {}
    for finding in findings:
        key = (finding.ticker, finding.source, finding.first_session)
        other = said.get(key)
        if other is None:
            said[key] = finding
            continue
        worse, milder = (finding, other) if finding.severity == "error" != other.severity else (other, finding)
        words = worse.message if milder.message in worse.message else f"{worse.message}; {milder.message}"
        last = max(worse.last_session, milder.last_session)
        said[key] = replace(worse, message=words, last_session=last, sessions=max(worse.sessions, milder.sessions))
    return list(said.values())


def _named(rule: Rule, rows: pa.Table | None, schema: pa.Schema) -> pa.Table:
    """Return a rule's rows with its table and name; an `item` that it does not tell is empty."""
    if rows is None:
        return schema.empty_table()
    constants = {"table_name": rule.table.full_name, "rule": rule.name, "item": ""}
    for name, value in constants.items():
        if name in schema.names and name not in rows.column_names:
            rows = rows.append_column(name, pa.array([value] * rows.num_rows, pa.string()))
    return _first_of_each(rows.select(schema.names).cast(schema))


def _first_of_each(rows: pa.Table) -> pa.Table:
    """Return the rows without those that speak of a row, or of a value, that one before them speaks of."""
    identity = [name for name in rows.column_names if name not in {"reason", "stored", "proposed"}]
    numbered = rows.append_column("place", pa.array(range(rows.num_rows), pa.int64()))
    first = numbered.group_by(identity, use_threads=False).aggregate([("place", "min")])
    return rows.take(first["place_min"].combine_chunks().sort())
