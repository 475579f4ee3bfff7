"""`trader models`: what it lists, and that promoting and going back are told and kept."""

import datetime as dt
import getpass

import pyarrow as pa
import pytest

from trader_pipeline import lake
from trader_pipeline.cli.models import decided
from trader_pipeline.cli.summary import decision
from trader_pipeline.flows.promotion import promote
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.training import CALIBRATION, RUNS
from trader_pipeline.settings import Settings
from trader_pipeline_tests import published
from trader_pipeline_tests.conftest import trader

FIRST, SECOND = published.MODEL_ID, "three_members-1-aaaaaaaa"


@pytest.fixture
def home(tmp_path):
    """Two calibrated models, the second of which has no scorecard, and no decision."""
    settings = Settings(home=tmp_path / "home", dataset="deep", _env_file=None)
    published_lake: Lake = published.publish(settings, sessions=300)
    (run,) = published_lake.snapshot().read(RUNS).to_pylist()
    second = run | {"model_id": SECOND, "finished_at": run["finished_at"] + dt.timedelta(hours=1)}
    calibrations = [row | {"model_id": SECOND} for row in published_lake.snapshot().read(CALIBRATION).to_pylist()]
    published_lake.publish(
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
    promoted, then = ran.out.split(" UTC ")
    assert promoted.startswith(f"{FIRST} promoted by hand by {getpass.getuser()} on 20")
    assert then.startswith(f"in place of {SECOND}: it is the one I know.\n{FIRST} serves: `trader predict` asks it where")
    assert trader("models", "promote", SECOND, home=home).code == 0
    went_back = trader("models", "rollback", "--json", home=home).json()
    assert (went_back["schema"], went_back["model_id"], went_back["serves"]) == ("trader.promotion/1", SECOND, FIRST)
    assert states(home) == {SECOND: "rolled back", FIRST: "serving"}
    lines = trader("models", home=home).out.splitlines()
    assert [line.split()[3] for line in lines if line.startswith(FIRST)] == ["serving"]
    assert [" 1: +0.012 ±0.011, 5: +0.021 ±0.014, 20:" in line for line in lines if line.startswith(FIRST)] == [True]
    second, first = (line.strip() for line in lines if line.startswith("  three"))
    assert first.startswith(f"{FIRST} promoted by hand by ")
    assert first.endswith(f" UTC in place of {SECOND}: it is the one I know")
    assert second.startswith(f"{SECOND} rolled back by hand by ")
    assert second.endswith(f" UTC, {FIRST} served again: no reason given")


REFUSAL = {"model_id": "b", "action": "refused", "serves": "a", "replaced": None, "who": "gate", "decided_at": published.MADE_AT}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            REFUSAL | {"why": "not better, rank IC less that of a: +0.0010 ±0.0200 (95 %); by sessions ahead 1: +0.001 ±0.010"},
            (
                "model b refused by the gate on 2020-02-07 22:04 UTC, a went on serving: not better, rank IC less that of a: "
                "+0.0010 ±0.0200 (95 %); by sessions ahead 1: +0.001 ±0.010. `trader models` lists all, `trader models promote b` "
                "overrules the gate."
            ),
        ),
        (
            REFUSAL | {"serves": None, "why": "leak alarm: 5 sessions"},
            (
                "model b refused by the gate on 2020-02-07 22:04 UTC, so that no model serves: leak alarm: 5 sessions. "
                "`trader models` lists all, `trader models promote b` overrules the gate."
            ),
        ),
        (
            REFUSAL | {"action": "promoted", "serves": "b", "why": "the first model without a leak alarm"},
            "model b promoted by the gate on 2020-02-07 22:04 UTC: the first model without a leak alarm. `trader models` lists all.",
        ),
    ],
)
def test_what_the_gate_decided_is_one_line_with_the_mend(row, said):
    assert decided(row) == said


def test_a_run_tells_what_it_decided_and_nothing_older(home):
    by_hand = {"as_of": published.KNOWN, "decided_at": published.MADE_AT, "who": "ann", "why": "known", "run_id": "r"}
    promote(Lake(home / "deep/lake", "deep"), FIRST, **by_hand)
    snapshot = lake.open(home / "deep")
    mine = decision(snapshot, since=published.MADE_AT)
    assert (mine["model_id"], mine["action"], mine["replaced"]) == (FIRST, "promoted", SECOND)
    assert decision(snapshot, since=published.MADE_AT + dt.timedelta(seconds=1)) is None
    assert decision(snapshot, model_id=FIRST) == mine
    assert decision(snapshot, model_id=SECOND) is None


def test_what_cannot_be_done_is_said(home):
    ran = trader("models", "rollback", home=home)
    assert ran.code == 0, "of two that were never decided on, the one before serves"
    again = trader("models", "rollback", home=home)
    assert (again.code, f"{FIRST} is the only approved model" in again.err) == (2, True)
    assert "nothing is no model" in trader("models", "promote", "nothing", home=home).err
