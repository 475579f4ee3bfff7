"""`trader models`: what it lists, and that promoting and going back are told and kept."""

import datetime as dt

import pyarrow as pa
import pytest

from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.outputs import CALIBRATION, RUNS
from trader_pipeline.settings import Settings
from trader_pipeline_tests import published
from trader_pipeline_tests.conftest import trader

FIRST, SECOND = published.MODEL_ID, "three_members-1-aaaaaaaa"


@pytest.fixture
def home(tmp_path):
    """Two calibrated models, the second of which has no scorecard, and no decision."""
    settings = Settings(home=tmp_path / "home", dataset="deep", _env_file=None)
    lake: Lake = published.publish(settings, sessions=300)
    (run,) = lake.snapshot().read(RUNS).to_pylist()
    second = run | {"model_id": SECOND, "finished_at": run["finished_at"] + dt.timedelta(hours=1)}
    calibrations = [row | {"model_id": SECOND} for row in lake.snapshot().read(CALIBRATION).to_pylist()]
    lake.publish(
        Change.append(RUNS, pa.Table.from_pylist([second], RUNS.arrow_schema)),
        Change.append(CALIBRATION, pa.Table.from_pylist(calibrations, CALIBRATION.arrow_schema)),
    )
    return settings.home


def states(home):
    listed = trader("models", "--json", home=home).json()
    assert listed["schema"] == "trader.models/1"
    return {model["model_id"]: model["state"] for model in listed["models"]}


def test_a_person_promotes_and_goes_back(home):
    assert states(home) == {SECOND: "serving", FIRST: "not decided"}, "a home of before there were decisions"
    ran = trader("models", "promote", FIRST, "--why", "it is the one I know", home=home)
    assert ran.out == f"{FIRST} promoted; {FIRST} serves. `trader predict` makes today's predictions anew.\n"
    assert trader("models", "promote", SECOND, home=home).code == 0
    went_back = trader("models", "rollback", "--json", home=home).json()
    assert (went_back["schema"], went_back["model_id"], went_back["serves"]) == ("trader.promotion/1", SECOND, FIRST)
    assert states(home) == {SECOND: "rolled back", FIRST: "serving"}
    text = trader("models", home=home).out
    first, second = (next(line for line in text.splitlines() if name in line) for name in (FIRST, SECOND))
    assert first.split()[3] == "serving"
    assert " 1: +0.012 ±0.011, 5: +0.021 ±0.014, 20:" in first
    assert first.endswith("it is the one I know")
    assert second.endswith("by hand")


def test_what_cannot_be_done_is_said(home):
    ran = trader("models", "rollback", home=home)
    assert ran.code == 0, "of two that were never decided on, the one before serves"
    again = trader("models", "rollback", home=home)
    assert (again.code, f"{FIRST} is the only approved model" in again.err) == (2, True)
    assert "nothing is no model" in trader("models", "promote", "nothing", home=home).err
