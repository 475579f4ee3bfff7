"""Codes are unique, exit statuses are those that are promised, and the runbook speaks of every code."""

import re
from pathlib import Path

import pytest

from trader_pipeline import errors
from trader_pipeline.errors import TraderError

RUNBOOK = Path(__file__).parents[1] / "docs" / "runbook.md"
CLASSES = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, TraderError)]


def test_codes_are_unique_and_well_formed():
    codes = [error.code for error in CLASSES]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"E\d{3}", code) for code in codes)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("TraderError", 1),
        ("SchemaError", 1),
        ("CorruptPartError", 1),
        ("DiskFullError", 1),
        ("NotWritableError", 1),
        ("TrainingError", 1),
        ("UsageError", 2),
        ("InputError", 2),
        ("PortInUseError", 2),
        ("BlockedByDataError", 3),
        ("NoModelError", 4),
        ("NotMadeError", 4),
        ("InsufficientHistoryError", 4),
        ("SourceUnavailableError", 5),
    ],
)
def test_exit_statuses(name, status):
    assert getattr(errors, name).exit_code == status


def test_every_error_says_what_it_is():
    assert all(error.__doc__ for error in CLASSES)


def test_the_runbook_has_symptom_cause_fix_prevention_for_every_code():
    sections = dict(re.findall(r"^## (E\d{3})[^\n]*\n(.*?)(?=^## |\Z)", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL))
    assert set(sections) == {error.code for error in CLASSES}
    for code, text in sections.items():
        for part in ("Symptom", "Cause", "Fix", "Prevention"):
            assert f"**{part}.**" in text, f"{code}: {part}"
