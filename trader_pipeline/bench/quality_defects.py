"""What the rules say of a folder of real faults: each file named by its kind, with its corrected twin and clean controls beside it."""

import datetime as dt
import re
from collections import defaultdict
from pathlib import Path
from typing import Any, TypedDict

from trader_pipeline.checks.report import CheckReport
from trader_pipeline.flows.check_files import check_files
from trader_pipeline.settings import CheckSettings

_DIVIDENDS = frozenset({"dividend_adjustment", "dividend_size", "dividend_repeated"})
RULES_OF_KIND = {
    "bad-div": _DIVIDENDS,
    "missing-div-adjust": frozenset({"dividend_adjustment"}),
    "cg-double-count": frozenset({"capital_gains_twice"}),
    "bad-stock-split": frozenset({"split_applied"}),
    "100x-error": frozenset({"price_unit"}),
    "bad-unit": frozenset({"price_unit"}),
}
"""The rules of which one has to object, at error level, to a file of the kind."""

_CONTROL = re.compile(r"-fixed$|-no-bad-")


class FileVerdict(TypedDict):
    """What was said of one file: its kind, or control; the rules that object at error level; whether that is right."""

    kind: str
    errors: list[str]
    warnings: list[str]
    right: bool


class Defects(TypedDict):
    """Files with a fault and those flagged for it, controls and those flagged for anything, and the verdict on each file."""

    files: int
    flagged: int
    controls: int
    controls_flagged: int
    by_file: dict[str, FileVerdict]


def measure(folder: Path, *, now: dt.datetime) -> Defects:
    """Run every rule on the CSV files of `folder`, named SYMBOL-interval-kind; twins end in -fixed, controls hold -no-bad-.

    A file of another name is left out of the counts.
    """
    report = check_files(folder, CheckSettings(), as_of=None, now=now)
    found = _by_ticker(report)
    verdicts = {path.stem: _verdict(path.stem, found[path.stem]) for path in sorted(folder.glob("*.csv"))}
    faulty = [v for v in verdicts.values() if v["kind"] in RULES_OF_KIND]
    controls = [v for v in verdicts.values() if v["kind"] == "control"]
    return {
        "files": len(faulty),
        "flagged": sum(v["right"] for v in faulty),
        "controls": len(controls),
        "controls_flagged": sum(not v["right"] for v in controls),
        "by_file": verdicts,
    }


def kind_of(name: str) -> str:
    """Return the kind in a file's name, control, or unknown."""
    if _CONTROL.search(name):
        return "control"
    return next((kind for kind in RULES_OF_KIND if name.endswith(f"-{kind}")), "unknown")


def _by_ticker(report: CheckReport) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for result in report.results:
        for finding in result.findings.to_pylist():
            found[finding["ticker"]].append(finding)
    return found


def _verdict(name: str, findings: list[dict[str, Any]]) -> FileVerdict:
    kind = kind_of(name)
    errors = sorted({f["rule"] for f in findings if f["severity"] == "error"})
    warnings = sorted({f["rule"] for f in findings if f["severity"] == "warning"})
    right = not errors if kind == "control" else bool(RULES_OF_KIND.get(kind, frozenset()) & set(errors))
    return {"kind": kind, "errors": errors, "warnings": warnings, "right": right}
