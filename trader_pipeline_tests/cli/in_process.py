"""`trader …` inside this process: a second less than one of its own, for commands that only read."""

from pathlib import Path

import pytest

from trader_pipeline import cli
from trader_pipeline_tests.conftest import Ran


def carry_out(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, home: Path, *arguments: str, **settings: str) -> Ran:
    """Carry a command out against `home`."""
    monkeypatch.chdir(home.parent)
    for name, value in {"HOME": str(home), **settings}.items():
        monkeypatch.setenv(f"TRADER_{name}", value)
    monkeypatch.setenv("DAGSTER_HOME", str(home / "dagster"))  # what commands set, they set for this process
    capsys.readouterr()
    code = cli.carry_out(list(arguments))
    return Ran(code, *capsys.readouterr())
