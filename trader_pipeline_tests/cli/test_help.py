import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from trader_pipeline.cli import app
from trader_pipeline.cli.output import plain

README = Path(__file__).parents[2] / "README.md"


def commands() -> dict[str, list[str]]:
    """Every command with its long options."""
    found = {}
    for name, command in typer.main.get_command(app).commands.items():
        for sub, leaf in getattr(command, "commands", {"": command}).items():
            options = [o for p in leaf.params for o in p.opts if o.startswith("--")]
            found[f"{name} {sub}".strip()] = options
    return found


def test_help_is_quick_and_imports_nothing_heavy():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "trader_pipeline", "--help"], capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    imported = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert not imported & {"torch", "dagster", "pandas", "duckdb", "numba"}
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert cpu < 0.6, f"{cpu:.2f} s of CPU"


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_is_in_the_readme(command):
    words = command.split()
    text = README.read_text()
    assert f"trader {words[0]}" in text
    assert all(re.search(rf"trader {words[0]}[^\n]*{word}", text) for word in words[1:]), f"README does not name `trader {command}`"


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_explains_itself(command):
    done = subprocess.run([sys.executable, "-m", "trader_pipeline", *command.split(), "--help"], capture_output=True, text=True, check=True)
    assert all(option in done.stdout for option in commands()[command])


def test_json_rows_hold_no_nan():
    assert json.dumps(plain({"a": float("nan"), "b": [float("inf"), 1.5]}), allow_nan=False) == '{"a": null, "b": [null, 1.5]}'
