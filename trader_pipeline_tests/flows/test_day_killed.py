"""A day that is killed while it is published leaves yesterday served, and is made whole by the next run."""

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.compute as pc
import pytest

from trader_pipeline.checks.contracts import export_breaches
from trader_pipeline.dashboard import queries, states
from trader_pipeline.flows.predict import is_due
from trader_pipeline.inference.export import export_paths
from trader_pipeline.lake import Change
from trader_pipeline.schema.outputs import DAILY
from trader_pipeline.schema.predicted import CHANGES, EXPLANATIONS
from trader_pipeline_tests.flows.days import LAST, SECOND, TICKERS, close, day, due_day, lake_of, rebuilt, settings_of

DIES_AT_EVERY_STEP = """
import os, sys
from pathlib import Path
from trader_pipeline.inference import content
from trader_pipeline_tests.flows.days import LAST, day, lake_of, settings_of
from trader_pipeline_tests.killed import at_every_step
content.code_version()
def act(home):
    day(lake_of(settings_of(home)), settings_of(home), LAST)
# links will do for copies: what is written is renamed into place
at_every_step(Path(sys.argv[1]), Path(sys.argv[2]), act, events=("os.rename",), stride=2, copy=os.link)
"""


@pytest.fixture
def the_day_before(lived):
    """As `lived`, but LAST was not predicted yet."""
    lake = lake_of(lived)
    tables = (DAILY, CHANGES, EXPLANATIONS)
    lake.publish(*(Change.replace(t, lake.snapshot().read(t).filter(pc.less(lake.snapshot().read(t)["session"], LAST))) for t in tables))
    exports = lived.dataset_home / "exports"
    for path in (*export_paths(exports, LAST), exports / f"changes_{LAST}.json", lived.report_path(LAST)):
        path.unlink()
    return lived


@pytest.mark.slow
def test_kill_9_between_any_two_steps_leaves_yesterday_served_and_stale(the_day_before, tmp_path):
    """Every second fsync and rename of a whole day's publishing is a moment to die at; the day is made whole by the next run."""
    folder = tmp_path / "copies"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", DIES_AT_EVERY_STEP, str(the_day_before.home), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    killed = [Path(line.split()[0]) for line in done.stdout.splitlines() if line.endswith(" -9")]
    seen = {home: newest_served(home) for home in killed}
    assert set(seen.values()) == {SECOND, LAST}, "some died before the commit point, some after"
    assert len(killed) > 10
    asked = {home: due_day(settings_of(home)) for home in killed}
    assert {(seen[home], asked[home]) for home in killed} >= {(SECOND, True), (LAST, True)}
    assert all(asked[home] != made_whole(home) for home in killed)
    for home in killed[:: max(1, len(seen) // 6)]:
        settings = settings_of(home)
        day(lake_of(settings), settings, LAST)
        assert not due_day(settings)
        assert rebuilt(settings, LAST).same


def made_whole(home):
    """Say whether all that a day leaves behind is there; some died when nothing was left to do."""
    settings = settings_of(home)
    exports = settings.dataset_home / "exports"
    files = (*export_paths(exports, LAST), exports / f"changes_{LAST}.json", settings.report_path(LAST))
    snapshot = lake_of(settings).snapshot()
    there = [LAST in snapshot.read(table)["session"].to_pylist() for table in (DAILY, EXPLANATIONS, CHANGES)]
    return all(there) and all(file.exists() for file in files)


def newest_served(home):
    """What readers get after the kill: the newest session whole, marked stale where it is not the last closed one, its export whole."""
    settings = settings_of(home)
    snapshot = lake_of(settings).snapshot()
    newest = queries.sessions(snapshot)[0]
    assert snapshot.sql("select count(*) n from predictions.daily where session = ?", [newest])["n"][0].as_py() == TICKERS * 4
    live = settings.model_copy(update={"dataset": "live"})
    assert (states.of_session(snapshot, live, newest, close(LAST) + dt.timedelta(hours=2)).kind == "stale") == (newest == SECOND)
    exports = settings.dataset_home / "exports"
    assert export_breaches(*export_paths(exports, SECOND)) == []
    parquet, manifest = export_paths(exports, LAST)
    if manifest.exists():
        assert export_breaches(parquet, manifest) == []
    else:
        assert is_due(lake_of(settings), settings, session=LAST, as_of=close(LAST), now=close(LAST))
    return newest
