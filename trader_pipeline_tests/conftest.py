"""Homes that more than one test reads: the deep demo, run once by the real command."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from trader_pipeline import durable

os.environ.pop("TRADER_GATE_FILE", None)  # no test asks at the pace of a user's own gate

COMPILED = Path(__file__).parents[1] / ".pytest_cache" / "numba"
"""Kernels are compiled once for all the homes that tests make."""


class Ran(NamedTuple):
    """A finished `trader …`."""

    code: int
    out: str
    err: str

    def json(self):
        return json.loads(self.out)


def trader(*arguments: str, home: Path, timeout: float = 280, cwd: Path | None = None, **settings: str) -> Ran:
    """Run the real command in a process of its own against `home`."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TRADER_", "DAGSTER_"))}
    environment |= {"TRADER_HOME": str(home), **{f"TRADER_{k}": v for k, v in settings.items()}}
    environment["NUMBA_CACHE_DIR"] = str(COMPILED)
    done = subprocess.run(
        [sys.executable, "-m", "trader_pipeline", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment,
        cwd=cwd or home.parent,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


class Demo(NamedTuple):
    """A home where the deep demo ran, and what it printed. Read only."""

    home: Path
    first: dict


@pytest.fixture(scope="session")
def demo(tmp_path_factory, worker_id) -> Demo:
    """The deep demo, trained once for the whole session, whichever of the test processes asks first."""
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "deep-demo"
    printed = shared / "printed.json"
    with durable.locked(shared / ".lock"):
        if not printed.exists():
            ran = trader("demo", "--json", home=shared / "home")
            assert ran.code == 0, ran.err
            printed.write_text(ran.out)
    return Demo(shared / "home", json.loads(printed.read_text()))
