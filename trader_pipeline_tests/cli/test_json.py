"""`--json` of every command: one line of JSON without NaN on stdout and nothing else, and the exit status that it has without."""

import importlib
import json
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pytest

from trader_pipeline.bench import ablate_markets, leaks, quality_speed
from trader_pipeline.cli import run
from trader_pipeline.cli.output import plain
from trader_pipeline.defs.launch import Launcher, Ran
from trader_pipeline.settings import Settings
from trader_pipeline_tests import published
from trader_pipeline_tests.cli.in_process import carry_out
from trader_pipeline_tests.cli.test_help import commands

LOOK = {
    "alert test": [],
    "check": ["--path", "prices"],
    "clean": ["--dry-run"],
    "doctor": [],
    "export": ["--table", "predictions.daily", "--to", "daily.csv"],
    "factors": [],
    "features": [],
    "models": [],
    "models promote": [published.MODEL_ID],
    "paper": [],
    "schema diff": [],
    "schema list": [],
    "scorecard": [],
    "sql": ["select 'nan'::double a, 1::hugeint b, null c, [1.5::float, 'inf'::float] d, date '2020-01-02' e"],
    "status": [],
    "universe add": ["default", "AAPL"],
    "universe list": [],
}
RUNS = {"demo": [], "predict": ["--tickers", "AAPL"], "report": [], "run": [], "train": []}
"""Their jobs are left out: what is printed is read from a published home."""
MEASURES = {
    "ablate": "ablate",
    "bench features": "rivals.compare",
    "bench gather": "gather",
    "bench ingest": "ingest",
    "bench models": "models",
    "bench predict": "predict",
    "bench quality": "quality_mutations",
    "bench training": "training",
    "faults training": "training_faults",
    "leaks": "leaks",
}
"""Where each has its `measure`, which takes minutes: it is left out, what is printed of its figures is not."""
REFUSED = {"models rollback": 2}
ELSEWHERE = {"fetch": "cli/test_fetch.py"}
FIGURES = {"market": "a", "rows": [], "survived": True, "figure": float("nan"), "of": {"numpy": np.float32("inf")}}


def strictly(ran):
    """What was printed, which is one line of JSON as the standard has it."""

    def refuse(literal):
        pytest.fail(f"{literal} is no JSON")

    assert (ran.out.count("\n"), ran.out[-1]) == (1, "\n"), ran.out
    return json.loads(ran.out, parse_constant=refuse)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published") / "home"
    settings = Settings(home=folder, dataset="deep", _env_file=None)
    published.publish(settings, sessions=300)
    record = settings.dataset_home / "models" / published.MODEL_ID / "run.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({part: [] for part in ("diagnosis", "incidents", "throughput", "importance")}))
    prices = folder.parent / "prices"
    prices.mkdir()
    (prices / "A.csv").write_text("Date,Open,High,Low,Close,Volume\n2020-01-02,1,1,1,1,1\n2020-01-03,2,2,3,2,1\n")
    return folder


def test_every_command_that_has_json_is_here():
    able = {name for name, options in commands().items() if "--json" in options}
    assert able | {"models"} == {*LOOK, *RUNS, *MEASURES, *REFUSED, *ELSEWHERE}
    assert set(commands()) - able == {"serve", "dev"}, "they print no facts"


@pytest.mark.parametrize("command", sorted(LOOK))
def test_what_is_looked_at(capsys, monkeypatch, home, command):
    ran = carry_out(capsys, monkeypatch, home, *command.split(), *LOOK[command], "--json")
    assert ran.code == 0, ran.err
    said = strictly(ran)
    if command == "sql":
        assert said == [{"a": None, "b": 1, "c": None, "d": [1.5, None], "e": "2020-01-02"}]
    else:
        assert said["schema"].startswith("trader.")


@pytest.mark.parametrize("command", sorted(RUNS))
def test_what_is_run(capsys, monkeypatch, home, command):
    monkeypatch.setattr(run, "due", lambda *_, **__: Ran(jobs=(), session=published.SESSION, as_of=published.KNOWN))
    monkeypatch.setattr(Launcher, "train", lambda *_, **__: None)
    ran = carry_out(capsys, monkeypatch, home, command, *RUNS[command], "--json")
    assert ran.code == 0, ran.err
    assert strictly(ran)["schema"] == f"trader.{command}/1"


@pytest.mark.parametrize("command", sorted(MEASURES))
def test_what_is_measured(capsys, monkeypatch, home, command):
    module = importlib.import_module(f"trader_pipeline.bench.{MEASURES[command]}")
    monkeypatch.setattr(module, "measure", lambda *_, **__: FIGURES)
    monkeypatch.setattr(quality_speed, "measure", lambda *_, **__: FIGURES)
    monkeypatch.setattr(leaks, "leaking", lambda _: [])
    monkeypatch.setattr(ablate_markets, "simulated", lambda **_: SimpleNamespace(request=SimpleNamespace(data_version="a")))
    ran = carry_out(capsys, monkeypatch, home, *command.split(), "--json")
    assert ran.code == 0, ran.err
    said = strictly(ran)
    assert said["schema"] == f"trader.{command.replace(' ', '_')}/1"
    assert '"figure": null' in ran.out
    assert '"of": {"numpy": null}' in ran.out


@pytest.mark.parametrize("command", sorted(REFUSED))
def test_what_is_refused_prints_nothing_on_stdout(capsys, monkeypatch, home, command):
    ran = carry_out(capsys, monkeypatch, home, *command.split(), "--json")
    assert (ran.code, ran.out) == (REFUSED[command], ""), ran.err
    assert ran.err.startswith("error E100: ")


def test_findings_that_block_are_printed_and_exit_3(capsys, monkeypatch, tmp_path):
    folder = tmp_path / "prices"
    folder.mkdir()
    rows = "".join(f"2020-01-{day:02d},2,1,3,2,1\n" for day in (2, 3, 6, 7))
    (folder / "A.csv").write_text("Date,Open,High,Low,Close,Volume\n" + rows)
    plain_ran = carry_out(capsys, monkeypatch, tmp_path, "check", "--path", str(folder))
    ran = carry_out(capsys, monkeypatch, tmp_path, "check", "--path", str(folder), "--json")
    assert ran.code == plain_ran.code == 3
    assert strictly(ran)["blocked_by"]


def test_numbers_of_any_make_are_numbers():
    given = [np.int64(3), np.float32(1.5), Decimal(7), Decimal("1.25"), Decimal("NaN"), True, float("-inf")]
    assert json.dumps(plain(given)) == "[3, 1.5, 7, 1.25, null, true, null]"
