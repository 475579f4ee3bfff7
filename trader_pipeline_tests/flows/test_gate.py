"""Nobody trains or predicts on what the last checks refuse or on what is too old, unless it is forced, and then it is said."""

import datetime as dt
import json

import pytest

from trader_pipeline.errors import BlockedByDataError
from trader_pipeline.flows import gate, train
from trader_pipeline.flows.predict import predict
from trader_pipeline.lake import Change
from trader_pipeline.schema import quality
from trader_pipeline.settings import CheckSettings
from trader_pipeline.training.request import TrainingRequest
from trader_pipeline_tests.flows.conftest import AS_OF, MADE_AT, SESSION
from trader_pipeline_tests.flows.test_status import rows

STALE = "core.daily_bars: staleness: ends 2020-01-10; fetch again"
MACRO = "core.macro: observation_after_known_at: failed in the last checks"
LATER = dt.datetime(2020, 2, 14, 22, tzinfo=dt.UTC)


def fail_the_checks(lake):
    """Two rules failed in the last run, one passed in it, and one failed in the run before."""
    verdicts = [
        ("old", "core.daily_bars", "nan_ratio", False),
        ("new", "core.daily_bars", "staleness", False),
        ("new", "core.daily_bars", "nan_ratio", True),
        ("new", "core.macro", "observation_after_known_at", False),
    ]
    finding = {"run_id": "new", "table_name": "core.daily_bars", "rule": "staleness", "severity": "error", "ticker": "*", "source": "*"}
    metrics = [{"run_id": run, "table_name": table, "rule": rule, "passed": passed} for run, table, rule, passed in verdicts]
    findings = [
        finding | {"scope": "table", "message": "ends 2020-01-10; fetch again"},
        finding | {"scope": "ticker", "message": "AAA lags", "severity": "warning", "ticker": "AAA"},
    ]
    lake.publish(
        Change.replace(quality.METRICS, rows(quality.METRICS, *metrics)),
        Change.replace(quality.FINDINGS, rows(quality.FINDINGS, *findings)),
        Change.replace(quality.QUARANTINE, quality.QUARANTINE.arrow_schema.empty_table(), inputs="v:x:new"),
    )


def test_checks_that_left_an_older_version_still_refuse(trained):
    fail_the_checks(trained.lake)
    trained.lake.publish(Change.replace(quality.QUARANTINE, quality.QUARANTINE.arrow_schema.empty_table()))  # of another version: no inputs
    with pytest.raises(BlockedByDataError, match="training is refused"):
        prepared(trained)


def prepared(home, **more):
    asked = {"models_dir": home.settings.dataset_home / "models", "recipe": "ridge", "seed": 0, "as_of": AS_OF, "run_id": "r"}
    return train.prepare(home.lake, **(asked | more))


def predicted(home, **more):
    return predict(home.lake, home.settings, session=SESSION, as_of=AS_OF, made_at=MADE_AT, run_id="r", **more)


def test_failed_checks_stop_training_with_tables_rules_and_mend(trained):
    fail_the_checks(trained.lake)
    with pytest.raises(BlockedByDataError) as raised:
        prepared(trained)
    assert str(raised.value) == f"training is refused: {STALE}; {MACRO}. {gate.REFETCH}; {gate.FORCE}"
    assert "--force" in gate.FORCE


def test_forced_training_says_so_beside_the_model(trained):
    fail_the_checks(trained.lake)
    request = prepared(trained, force=True)
    assert request.forced == (STALE, MACRO)
    assert json.loads(request.path.read_text())["forced"] == [STALE, MACRO]
    assert TrainingRequest.from_json(request.to_json()) == request
    plain = json.loads(request.to_json())
    del plain["forced"]
    assert TrainingRequest.from_json(json.dumps(plain).encode()).forced == ()  # of an earlier version


def test_failed_checks_stop_predictions_unless_forced(judged):
    fail_the_checks(judged.lake)
    with pytest.raises(BlockedByDataError, match=r"predicting 2020-02-07 is refused: core.daily_bars: staleness: .*--force"):
        predicted(judged)
    outcome = predicted(judged, force=True)
    assert outcome.rows == 12 * 4
    assert tuple(map(str, outcome.forced)) == (STALE, MACRO)
    again = predicted(judged)  # what is published is given out: nothing is made
    assert (again.changed, again.forced) == (False, ())


def test_what_nothing_blocks_is_not_forced(judged):
    assert prepared(judged, force=True).forced == ()
    assert predicted(judged, force=True).forced == ()


@pytest.mark.parametrize(("limit", "refused"), [(5, True), (6, False)])
def test_training_on_what_is_too_old_is_refused(trained, limit, refused):
    checks = CheckSettings(stale_error=limit)  # 2020-02-14 is five sessions after 2020-02-07
    if not refused:
        assert prepared(trained, as_of=LATER, checks=checks).forced == ()
        return
    with pytest.raises(BlockedByDataError) as raised:
        prepared(trained, as_of=LATER, checks=checks)
    for table in ("core.accepted_bars", "features.panel"):
        assert f"{table}: staleness: ends 2020-02-07, 5 sessions before 2020-02-14, 5 are too many" in str(raised.value)
    assert len(prepared(trained, as_of=LATER, checks=checks, force=True).forced) == 2


def test_an_old_session_is_judged_at_its_own_time(trained):
    early = dt.datetime(2020, 1, 3, 22, tzinfo=dt.UTC)
    assert gate.too_old(trained.lake.snapshot(), early.date(), CheckSettings(stale_error=1)) == ()


def test_a_session_without_features_cannot_be_forced(judged):
    with pytest.raises(BlockedByDataError, match="has no row of 2020-02-12"):
        predict(judged.lake, judged.settings, session=dt.date(2020, 2, 12), as_of=LATER, made_at=LATER, run_id="r", force=True)
