"""What the README and docs/gpu.md tell to run is run, links of the documents exist, tables are what the code says."""

import datetime as dt
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trader_pipeline import calendar
from trader_pipeline.errors import UsageError
from trader_pipeline.flows.dictionary import SETTINGS_PAGE, settings_page
from trader_pipeline.flows.readiness import readiness
from trader_pipeline.models.checkpoint import MANIFEST
from trader_pipeline.settings import Settings
from trader_pipeline.sources import FEEDS, feeds_of
from trader_pipeline.standardize.symbol_changes import read_own
from trader_pipeline_tests.conftest import trader
from trader_pipeline_tests.fake_world import World
from trader_pipeline_tests.fake_yahoo import FakeYahoo
from trader_pipeline_tests.training.planted import planted, request

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
GPU = (ROOT / "docs" / "gpu.md").read_text()
BLOCKS = re.findall(r"^```(\w+)([^\n]*)\n(.*?)^```", TEXT + GPU, re.MULTILINE | re.DOTALL)


def commands(kind: str) -> list[list[str]]:
    """The `trader …` lines of the shell blocks of one kind, without their comments."""
    blocks = [body for language, info, body in BLOCKS if language == "sh" and info.strip() == kind]
    return [shlex.split(line, comments=True) for body in blocks for line in body.splitlines() if line.startswith("trader ")]


def test_blocks_are_of_known_kinds():
    assert {info.strip() for language, info, _ in BLOCKS if language == "sh"} == {"setup", "server", "", "network", "own", "pod"}


@pytest.mark.parametrize("command", commands(""), ids=" ".join)
def test_a_command_runs(command, demo):
    ran = trader(*command[1:], home=demo.home)
    assert ran.code == 0, ran.err
    assert ran.out


def test_the_notebook_lines_run(demo, tmp_path):
    code = next(body for language, _, body in BLOCKS if language == "python")
    environment = os.environ | {"TRADER_HOME": str(demo.home)}
    script = code.replace("lake.open", "print(lake.open").rstrip() + ".shape)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, cwd=tmp_path, check=True)
    assert done.stdout.startswith("(44, ")


@pytest.mark.slow
def test_own_files_run(demo, tmp_path):
    folder = tmp_path / "prices"
    folder.mkdir()
    exported = tmp_path / "bars.csv"
    assert trader("export", "--table", "raw.sample_bars", "--to", str(exported), home=demo.home).code == 0
    shutil.copy(exported, folder / "bars.csv")
    home = tmp_path / "home"
    for command in commands("own"):
        ran = trader(*command[1:], home=home, cwd=tmp_path, RECIPE="ridge")
        assert ran.code == 0, ran.err
    ran = trader("sql", "select count(*) n from predictions.daily", "--json", home=home, DATASET="own")
    assert ran.json()[0]["n"] >= 44


@pytest.mark.slow
def test_yahoo_runs_through_faults_and_asks_for_nothing_twice(tmp_path):
    """The README's lines against a local Yahoo that throttles, breaks and truncates."""
    home = tmp_path / "home"
    today = calendar.last_closed_session("XNYS", dt.datetime.now(dt.UTC))
    world = World(first=dt.date(2019, 1, 2), today=today)
    world.splits["NVDA"] += [(dt.date(2024, 6, 10), 10, 1)]
    facts = {"RECIPE": "ridge", "LIVE_FIRST_SESSION": "2019-01-02", "YAHOO__BACKOFF_SECONDS": "0.01", "YAHOO__REQUESTS_PER_HOUR": "360000"}
    with FakeYahoo(world, retry_after="1") as yahoo:
        yahoo.plan("AAPL", "429")
        yahoo.plan("MSFT", "500", "truncated")
        for command in commands("network"):
            ran = trader(*command[1:], home=home, YAHOO__BASE_URL=yahoo.url, **facts)
            assert ran.code == 0, ran.err
        asked = len(yahoo.log)
        ran = trader("run", "--source", "yahoo", "--json", home=home, YAHOO__BASE_URL=yahoo.url, **facts)
        assert (ran.code, len(yahoo.log)) == (0, asked), ran.err
    assert ran.json()["predictions"] == 6 * 4
    assert ran.json()["session"] == today.isoformat()
    closes = "select close from core.accepted_bars where ticker = 'NVDA' and session in ('2024-06-07', '2024-06-10') order by session"
    before, after = (row["close"] for row in trader("sql", closes, "--json", home=home, DATASET="live").json())
    assert 8 < before / after < 12, "stored as traded"


def pod(request: Path) -> subprocess.Popen:
    """The pod's start command."""
    script = next(body for _, info, body in BLOCKS if info.strip() == "pod")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"}
    line = ["sh", "-c", script, "start", str(request)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def written(folder: Path, recipe: str) -> Path:
    folder.mkdir(parents=True)
    asked = request(folder, planted(), recipe=recipe)
    asked.path.write_bytes(asked.to_json())
    return asked.path


def test_a_pod_that_is_taken_away_saves_and_says_75(tmp_path):
    with pod(written(tmp_path / "model", "gru")) as started:
        for line in started.stdout:
            if '"event": "epoch"' in line:
                break
        started.terminate()
        said = started.communicate(timeout=60)[1]
    assert started.returncode == 75, said
    assert list((tmp_path / "model/.scratch-run").glob("*/checkpoints.json"))


def test_a_pod_that_comes_back_leaves_a_finished_run_alone_and_gives_up_on_an_error(tmp_path):
    path = written(tmp_path / "model", "ridge")
    codes, finished = [], []
    for _ in range(2):
        with pod(path) as started:
            started.communicate(timeout=120)
        codes.append(started.returncode)
        finished.append((path.parent / MANIFEST).stat().st_mtime_ns)
    assert codes == [0, 0]
    assert finished[0] == finished[1]
    with pod(written(tmp_path / "other/model", "no_recipe")) as started:
        said = started.communicate(timeout=60)[1]
    assert started.returncode == UsageError.exit_code
    assert said.count("no recipe 'no_recipe'") == 1


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert targets >= {"demo", "test", "check", "dev", "serve", "lock", "clean", "help"}
    assert {"demo", "test", "serve", "dev"} <= set(re.findall(r"(?:`|^)make ([a-z]+)", TEXT, re.MULTILINE)) <= targets


def test_every_source_is_in_the_table_with_its_kinds():
    told = {row[0]: set(row[1].split(", ")) for row in re.findall(r"^\| `([a-z0-9]+)` \| ([a-z, ]+) \|", TEXT, re.MULTILINE)}
    kinds = {}
    for feed in FEEDS:
        if not feed.local:
            kinds.setdefault(feed.source, set()).add(feed.kind)
    assert told == kinds


def test_the_sources_of_the_example_can_be_set(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text(next(body for language, _, body in BLOCKS if language == "dotenv"))
    for name in [name for name in os.environ if name.startswith("TRADER_")]:
        monkeypatch.delenv(name)
    settings = Settings(dataset="live", home=tmp_path, _env_file=tmp_path / ".env")
    assert [feed.name for feed in feeds_of(settings)] == [
        "yahoo_bars",
        "fmp_bars",
        "fmp_news",
        "sec_fundamentals",
        "fred_macro",
        "cboe_macro",
    ]
    assert [finding.fact for finding in readiness(settings) if finding.state != "ok"] == []


def test_the_example_of_symbols_can_be_read(tmp_path):
    path = tmp_path / "symbols.toml"
    path.write_text(next(body for language, _, body in BLOCKS if language == "toml"))
    assert [(change.symbol, change.new_symbol) for change in read_own(path)] == [("FB", "META"), ("TWTR", None)]


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target, place in re.findall(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text()):
        there = (page.parent / target) if target else page
        assert there.exists(), target
        assert not place or place in places(there.read_text()), f"{target}#{place}"


def places(text: str) -> set[str]:
    """The headings of a page as GitHub links to them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_a_first_reader_is_not_sent_through_everything():
    assert len(TEXT.splitlines()) <= 300


def test_the_settings_page_is_the_settings():
    assert SETTINGS_PAGE.read_text() == settings_page()


def test_the_packaged_dagster_yaml_is_the_one_at_the_root():
    assert (ROOT / "dagster.yaml").read_bytes() == (ROOT / "trader_pipeline/defs/dagster.yaml").read_bytes()


def test_constraints_are_plain_pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*", line) for line in lines)
    assert "torch==2.13.0" in lines
