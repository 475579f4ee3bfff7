"""`trader check`: the quality rules on a user's own files."""

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer

from trader_pipeline.cli.output import grid, line, print_json
from trader_pipeline.errors import BlockedByDataError, UsageError

_SHOWN = ("severity", "ticker", "rule", "sessions", "first_session", "last_session", "message")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


def check(
    path: Annotated[Path, typer.Option(help="CSV or Parquet file, or a folder of them.")],
    as_of: Annotated[
        str, typer.Option("--as-of", help="Day YYYY-MM-DD that staleness is judged on; empty: the newest session in the files.")
    ] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")] = False,
) -> None:
    """Run the quality rules and the decisions of overrides.toml on your own files; nothing is stored.

    Exit 3 when a finding would block a run, 0 when it only quarantines rows.
    """
    from trader_pipeline.checks import CHECKS
    from trader_pipeline.checks.overrides import read_overrides
    from trader_pipeline.flows.check_files import check_files
    from trader_pipeline.settings import Settings

    if not path.exists():
        raise UsageError(f"{path} is not there; name a CSV or Parquet file, or the folder that holds them")
    settings = Settings()
    now = dt.datetime.now(dt.UTC)
    decided = read_overrides(settings.overrides_file, CHECKS, today=now.date())
    report = check_files(path, settings.checks, as_of=_day(as_of), now=now, overrides=decided)
    findings = sorted((row for rule in report.results for row in rule.findings.to_pylist()), key=_place)
    totals = totals_of(findings)
    if as_json:
        print_json("check", {"path": str(path), "findings": findings, "totals": totals, "blocked_by": report.blocked_by})
    elif findings:
        grid([{name: row[name] for name in _SHOWN} for row in findings])
        line(_summed(totals))
        if any("fetch" in row["message"] for row in findings):
            line("where a mend says to fetch again, correct the file: nothing is fetched for your own files")
    else:
        line(f"{path}: {len(report.results)} rules, nothing found at {report.as_of:%Y-%m-%d}")
    if report.blocked_by:
        raise BlockedByDataError(f"{path}: {', '.join(report.blocked_by)} failed; mend the files that the findings name")


def _place(finding: dict[str, Any]) -> tuple[Any, ...]:
    """Errors first, then by ticker and day."""
    return finding["severity"] != "error", finding["ticker"], finding["first_session"], finding["rule"]


def totals_of(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return errors and warnings by rule, the rule with most errors first."""
    totals: dict[str, dict[str, Any]] = {}
    for finding in findings:
        row = totals.setdefault(finding["rule"], {"rule": finding["rule"], "errors": 0, "warnings": 0})
        row[f"{finding['severity']}s"] += 1
    return sorted(totals.values(), key=lambda row: (-row["errors"], -row["warnings"], row["rule"]))


def _summed(totals: list[dict[str, Any]]) -> str:
    """Return "3 errors, 1 warning: ohlc_order 2 errors, staleness 1 error 1 warning"."""
    by_rule = ", ".join(f"{row['rule']} {_counts(row, ' ')}" for row in totals)
    return f"{_counts({name: sum(row[name] for row in totals) for name in ('errors', 'warnings')}, ', ')}: {by_rule}"


def _counts(row: dict[str, Any], between: str) -> str:
    return between.join(f"{row[name]} {name.removesuffix('s') if row[name] == 1 else name}" for name in ("errors", "warnings") if row[name])


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError as error:
        raise UsageError(f"{text!r} is no date; write YYYY-MM-DD") from error
