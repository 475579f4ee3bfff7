"""Whether the serving model still lives in the market that it was trained on, and what is done about it."""

import datetime as dt

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from structlog.testing import capture_logs

from trader_pipeline import calendar
from trader_pipeline.defs.drift import on_drift
from trader_pipeline.defs.resources import Trader
from trader_pipeline.features import PANEL
from trader_pipeline.flows.drift import alarms_of, drift
from trader_pipeline.flows.predict import predict
from trader_pipeline.lake import Change
from trader_pipeline.schema.evaluation import SCORECARD
from trader_pipeline.schema.outputs import DAILY
from trader_pipeline_tests.flows.conftest import AS_OF, MADE_AT, SESSION


@pytest.fixture
def predicted(judged):
    predict(judged.lake, judged.settings, session=SESSION, as_of=AS_OF, made_at=MADE_AT, run_id="r")
    return judged


def measured(home):
    outcome = drift(home.lake, home.settings, session=SESSION, run_id="r")
    rows = home.lake.snapshot().frame("evaluation.drift")
    return outcome, {(row.measure, row.horizon_sessions, row.feature): row for row in rows.itertuples()}


def moved(home, **shifts):
    """Move features of the newest sessions by a factor; publish them."""
    panel = home.lake.snapshot().read(PANEL)
    first = np.sort(np.unique(panel["session"].to_numpy()))[-20].item()
    late = pc.greater_equal(panel["session"], pa.scalar(first, pa.date32()))
    for name, factor in shifts.items():
        column = panel[name]
        changed = pc.if_else(late, pc.add(pc.multiply(column, factor), factor), column).cast(column.type)
        panel = panel.set_column(panel.schema.get_field_index(name), panel.schema.field(name), changed)
    home.lake.publish(Change.replace(PANEL, panel))


def judged_as(home, said):
    """Publish the scorecard with other figures."""
    cards = [card | said for card in home.lake.snapshot().read(SCORECARD).to_pylist()]
    home.lake.publish(Change.replace(SCORECARD, pa.Table.from_pylist(cards, SCORECARD.arrow_schema)))


def live(home, sees, *, made=lambda day: calendar.known_at("XNYS", day)):
    """Publish forecasts of 259 earlier sessions, each made at `made`, whose score says what happened as clearly as `sees`."""
    snapshot = home.lake.snapshot()
    today = snapshot.frame("predictions.daily")
    targets = snapshot.frame("features.targets")
    days = sorted(set(targets["session"]))[-260:-1]
    rng = np.random.default_rng(0)
    labels = targets.set_index(["session", "ticker"])
    tables = []
    for day in days:
        rows = today.assign(session=day, made_at=made(day))
        label = [labels.loc[(day, t)].get(f"residual_rank_{h}d") for t, h in zip(rows["ticker"], rows["horizon_sessions"], strict=True)]
        rows["score"] = sees * np.nan_to_num(np.array(label, float)) + rng.standard_normal(len(rows))
        tables.append(pa.Table.from_pandas(rows, preserve_index=False))
    home.lake.publish(Change.append(DAILY, DAILY.conform(pa.concat_tables(tables))))


def test_a_market_that_goes_on_alarms_nobody(predicted):
    outcome, rows = measured(predicted)
    assert outcome.alarms == ()
    assert rows["features", 0, ""].value <= rows["features", 0, ""].limit
    assert sorted(key[1] for key in rows if key[0] == "expected_accuracy") == [1, 5, 20, 60]
    assert not [key for key in rows if key[0] == "rank_ic"], "nothing that was published has ended"
    assert alarms_of(predicted.lake.snapshot()) == (SESSION, outcome.model_id, [])


def test_features_that_move_alarm_and_are_named(predicted):
    panel = predicted.lake.snapshot().read(PANEL)
    known = [n for n in panel.column_names if n not in PANEL.key and panel[n].null_count < panel.num_rows]
    moved(predicted, **dict.fromkeys(known[::2], 50.0))
    outcome, rows = measured(predicted)
    (said,) = outcome.alarms
    assert "of the features left their training distribution" in said
    assert rows["features", 0, ""].value > 0.4
    over = {key[2] for key in rows if key[0] == "feature"}
    assert len(over & set(known[::2])) > 0.9 * len(known[::2])


@pytest.mark.parametrize(("sees", "alarms"), [(0.0, 1), (0.5, 0)])
def test_live_results_are_held_against_those_out_of_fold(predicted, sees, alarms):
    judged_as(predicted, {"rank_ic": 0.15})
    live(predicted, sees)
    outcome, rows = measured(predicted)
    assert sum("live rank IC at 1 sessions" in said for said in outcome.alarms) == alarms
    assert bool(rows["rank_ic", 1, ""].alarm) is bool(alarms)
    assert not rows["rank_ic", 60, ""].alarm, "too few windows"
    assert "windows), +0.150 out of fold" in rows["rank_ic", 1, ""].said


def test_what_was_said_in_hindsight_is_no_live_result(predicted):
    live(predicted, 0.5, made=lambda _: MADE_AT)
    assert not [key for key in measured(predicted)[1] if key[0] == "rank_ic"]


@pytest.mark.parametrize(("then", "expected", "alarms"), [(0.7, 0.4, 4), (0.51, 0.59, 0), (None, None, 0)])
def test_a_model_that_is_less_sure_than_where_it_was_judged_alarms_without_a_label(predicted, then, expected, alarms):
    daily = predicted.lake.snapshot().read(DAILY)
    even = daily.set_column(daily.schema.get_field_index("p_up"), "p_up", pa.array([0.5] * daily.num_rows))
    predicted.lake.publish(Change.replace(DAILY, even))
    judged_as(predicted, {"accuracy": 0.6, "accuracy_half_width": 0.02, "expected_accuracy": then})
    outcome, rows = measured(predicted)
    assert len(outcome.alarms) == alarms
    if expected is None:
        assert ("expected_accuracy", 5, "") not in rows, "judged before the confidence was kept"
    else:
        assert rows["expected_accuracy", 5, ""].value == pytest.approx(expected)
        assert rows["expected_accuracy", 5, ""].limit == pytest.approx(0.58)


def test_without_predictions_there_is_nothing_to_measure(judged):
    assert drift(judged.lake, judged.settings, session=SESSION, run_id="r").model_id is None
    assert alarms_of(judged.lake.snapshot()) == (None, None, [])


def test_drift_starts_one_training_a_week_and_tells_why(predicted):
    trader, now = Trader(predicted.settings), dt.datetime(2020, 2, 8, tzinfo=dt.UTC)
    sensor = on_drift(trader, running=False, clock=lambda: now)
    with dg.DagsterInstance.ephemeral() as instance:
        assert sensor.evaluate_tick(dg.build_sensor_context(instance)).skip_message == "nothing is measured yet"
        measured(predicted)
        assert sensor.evaluate_tick(dg.build_sensor_context(instance)).skip_message == "no drift at 2020-02-07"
        judged_as(predicted, {"accuracy": 0.9, "accuracy_half_width": 0.02, "expected_accuracy": 0.9})
        measured(predicted)
        with capture_logs() as logs:
            first = sensor.evaluate_tick(dg.build_sensor_context(instance))
        second = sensor.evaluate_tick(dg.build_sensor_context(instance, cursor=first.cursor))
    (request,) = first.run_requests
    model_id = alarms_of(predicted.lake.snapshot())[1]
    assert request.run_key == f"drift:{model_id}:2020-W06"
    assert [log["event"] for log in logs] == ["drift"]
    assert "should be right" in logs[0]["summary"]
    assert second.skip_message == f"trained again for {model_id} in 2020-W06 already"
