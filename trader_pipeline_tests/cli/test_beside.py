"""What `trader predict` says of changes when there are none to show."""

import datetime as dt
import json

import pytest

from trader_pipeline.cli.beside import changed, paper, tell, warn_of_another_model
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.outputs import DAILY
from trader_pipeline.schema.predicted import CHANGES
from trader_pipeline.settings import Settings
from trader_pipeline_tests import published
from trader_pipeline_tests.published import SESSION

BEFORE = dt.date(2020, 2, 6)


@pytest.fixture
def home(tmp_path) -> tuple[Settings, Lake]:
    settings = Settings(home=tmp_path, dataset="deep", _env_file=None)
    return settings, published.publish(settings, sessions=300)


def test_predictions_of_a_model_that_serves_no_longer_are_said_to_be(home, capsys):
    settings, lake = home
    warn_of_another_model(settings, SESSION)
    assert capsys.readouterr().err == ""
    rows = lake.snapshot().sql("select * replace ('another' as model_id) from predictions.daily")
    lake.publish(Change.replace(DAILY, DAILY.conform(rows)))
    warn_of_another_model(settings, SESSION)
    said = capsys.readouterr().err
    assert said.startswith(f"warning: the predictions of 2020-02-07 are of model another, not of {published.MODEL_ID}, which serves: ")
    assert "`trader predict --session 2020-02-07 --force` makes them anew, in hindsight" in said


def test_the_paper_log_counts_the_delisted_and_what_has_no_outcome(home, capsys, monkeypatch):
    monkeypatch.setenv("TRADER_HOME", str(home[0].home))
    monkeypatch.setenv("TRADER_DATASET", "deep")
    paper(as_json=True)
    told = json.loads(capsys.readouterr().out)
    (in_time, hindsight) = told["summary"]
    assert [(row["in_time"], row["rows"], row["ended"]) for row in (in_time, hindsight)] == [(True, 99, 1), (False, 11, 0)]
    assert in_time["net_return_of_survivors"] != in_time["net_return"]
    assert (told["waiting"], told["without_outcome"]) == (77, 11)
    assert {row["entry"] for row in told["newest"]} == {"open"}
    paper()
    said = capsys.readouterr().out
    assert "77 predictions wait for the end of their horizon, which these data, ending on 2020-02-07, never reach." in said
    assert "11 are over without an outcome" in said


def test_what_changed_has_the_session_it_changed_since(home):
    found = changed(home[0], SESSION, ())
    assert (found["since"], found["none"], bool(found["rows"])) == (BEFORE, None, True)


def test_nothing_to_compare_with_is_said(home):
    found = changed(home[0], BEFORE, ())
    assert (found["since"], found["rows"]) == (None, [])
    assert found["none"] == "2020-02-06 is compared with no session before it: predictions.daily begins with it"


def test_what_was_not_compared_is_said_with_the_mend(home, capsys):
    settings, lake = home
    lake.publish(Change.replace(CHANGES, CHANGES.empty()))
    found = changed(settings, SESSION, ())
    assert found["since"] == BEFORE
    tell(found, [])
    said = capsys.readouterr().out
    assert "2020-02-07 was not compared with 2020-02-06: the data changed" in said
    assert "trader predict --session 2020-02-07 --force" in said


def test_the_same_is_said_of_the_tickers_that_were_asked_for(home):
    settings, lake = home
    rows = lake.snapshot().sql("select * replace (case ticker when 'BA' then 'same' else kind end as kind) from predictions.changes")
    lake.publish(Change.replace(CHANGES, CHANGES.conform(rows)))
    assert changed(settings, SESSION, ("BA",))["none"] == "no rank or direction of BA changed since 2020-02-06"
