"""All rules over one context, and what they said in the shape of the quality tables."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.rule import FINDING_COLUMNS, Finding, Rule, RuleResult, Severity
from trader_pipeline.schema import Table
from trader_pipeline.schema.quality import FINDINGS, METRICS, QUARANTINE

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
    """Every rule's verdict. `quarantine` has ticker, session, source, rule, reason; `changed`: this call made it."""

    run_id: str
    as_of: dt.datetime
    results: tuple[RuleReport, ...]
    quarantine: pa.Table
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

    def tables(self) -> dict[Table, pa.Table]:
        """Return the rows of quality.metrics, quality.findings and quality.quarantine."""
        findings = pa.concat_tables([r.findings for r in self.results])
        metrics = [
            {"table_name": r.table, "rule": r.rule, "name": name, "value": float(value), "passed": r.passed or r.severity == "warning"}
            for r in self.results
            for name, value in {"findings": r.findings.num_rows, **r.metrics}.items()
        ]
        rows = {METRICS: pa.Table.from_pylist(metrics), FINDINGS: findings, QUARANTINE: self.quarantine}
        return {table: self._stamped(table, rows[table]) for table in rows}

    def _stamped(self, table: Table, rows: pa.Table) -> pa.Table:
        n = rows.num_rows
        stamped = rows.append_column("run_id", pa.array([self.run_id] * n, pa.string()))
        return table.conform(stamped.append_column("known_at", pa.array([self.as_of] * n, table.arrow_schema.field("known_at").type)))


def run_rules(rules: Sequence[Rule], context: CheckContext, *, run_id: str) -> CheckReport:
    """Run the rules in order; each sees in `context.quarantine` what the ones before it quarantined."""
    reports = []
    for rule in rules:
        result = rule.run(context)
        reports.append(report_of(rule, result))
        context = replace(context, quarantine=pa.concat_tables([context.quarantine, _quarantined(rule, result, context.quarantine.schema)]))
    return CheckReport(run_id=run_id, as_of=context.as_of, results=tuple(reports), quarantine=context.quarantine, changed=True)


def stored_report(
    rules: Sequence[Rule], metrics: pa.Table, findings: pa.Table, quarantine: pa.Table, *, run_id: str, as_of: dt.datetime
) -> CheckReport:
    """Return the report that a run stored, from the rows of its quality tables."""
    reports = []
    for rule in rules:
        measured = metrics.filter(pc.equal(metrics["rule"], rule.name)).to_pylist()
        found = findings.filter(pc.equal(findings["rule"], rule.name)).select(_FINDING_SCHEMA.names)
        values = {row["name"]: row["value"] for row in measured if row["name"] != "findings"}
        reports.append(_verdict(rule, found, values, blocks=not all(row["passed"] for row in measured)))
    kept = quarantine.select(["ticker", "session", "source", "rule", "reason"])
    return CheckReport(run_id=run_id, as_of=as_of, results=tuple(reports), quarantine=kept, changed=False)


def report_of(rule: Rule, result: RuleResult) -> RuleReport:
    """Return a rule's verdict on what it found."""
    rows = [_row(rule, finding) for finding in result.findings]
    findings = pa.Table.from_pylist(rows, schema=_FINDING_SCHEMA)
    return _verdict(rule, findings, {k: float(v) for k, v in result.metrics.items()}, blocks=result.blocks)


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


def _quarantined(rule: Rule, result: RuleResult, schema: pa.Schema) -> pa.Table:
    if result.quarantine is None:
        return schema.empty_table()
    named = result.quarantine.append_column("rule", pa.array([rule.name] * result.quarantine.num_rows, pa.string()))
    return named.select(schema.names).cast(schema)
