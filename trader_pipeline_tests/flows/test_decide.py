import datetime as dt

import pyarrow as pa
import pytest

from trader_pipeline import calendar
from trader_pipeline.errors import BlockedByDataError, NoModelError
from trader_pipeline.flows import decide as flow
from trader_pipeline.flows.decide import decide
from trader_pipeline.flows.predict import predict
from trader_pipeline.schema.outputs import DECISIONS
from trader_pipeline.settings import DecisionSettings
from trader_pipeline_tests.flows.conftest import AS_OF, MADE_AT, SESSION


def run(home, run_id="r"):
    return decide(home.lake, home.settings, session=SESSION, made_at=MADE_AT, run_id=run_id)


def test_every_name_gets_a_decision_inside_the_limits(judged):
    predict(judged.lake, judged.settings, session=SESSION, as_of=AS_OF, made_at=MADE_AT, run_id="r")
    outcome = run(judged)
    rows = judged.lake.snapshot().frame("decisions.daily")
    assert (outcome.rows, outcome.changed) == (12, True)
    assert sorted(rows["rank"]) == list(range(1, 13))
    assert rows.sort_values("rank")["score"].is_monotonic_decreasing
    assert rows.groupby("issuer_id")["target_weight"].sum().max() <= 0.15 + 1e-12
    assert outcome.gross == pytest.approx(rows["target_weight"].sum())
    assert outcome.buys == (rows["target_weight"] > 0).sum() > 0
    assert outcome.momentum_share + outcome.ml_share == pytest.approx(1)
    assert 0.2 < outcome.momentum_share < 0.6
    assert rows["ml_score"].std(ddof=0) == pytest.approx(1)
    assert rows["momentum_score"].std(ddof=0) == pytest.approx(1)
    assert sum(outcome.horizon_weights.values()) == pytest.approx(1)
    cut = rows[rows["uncut_weight"] > rows["target_weight"] + 1e-4]
    assert len(cut)
    assert cut["reasons"].str.contains("issuer limit 15%").all()
    assert set(rows["model_id"]) == set(judged.lake.snapshot().frame("predictions.daily")["model_id"])


def test_a_second_time_changes_nothing(judged):
    predict(judged.lake, judged.settings, session=SESSION, as_of=AS_OF, made_at=MADE_AT, run_id="r")
    run(judged)
    before = (judged.lake.root / "HEAD").read_text()
    assert run(judged, run_id="again").changed is False
    assert (judged.lake.root / "HEAD").read_text() == before


def test_what_was_decided_stays_once_its_entry_is_over(judged):
    """A daily run of an entered session (its report was gone) under other limits."""
    predict(judged.lake, judged.settings, session=SESSION, as_of=AS_OF, made_at=MADE_AT, run_id="r")
    run(judged)
    before = judged.lake.snapshot().read(DECISIONS)
    tight = judged.settings.model_copy(update={"decisions": DecisionSettings(name_limit=0.05)})
    ask = {"session": SESSION, "made_at": calendar.open_at("XNYS", dt.date(2020, 2, 10)) + dt.timedelta(seconds=1), "run_id": "late"}
    outcome = decide(judged.lake, tight, **ask)
    assert (outcome.kept, outcome.changed) == (True, False)
    assert judged.lake.snapshot().read(DECISIONS).equals(before)
    assert decide(judged.lake, tight, **ask | {"made_at": MADE_AT}).changed, "it can still be entered"
    assert not decide(judged.lake, judged.settings, **ask).changed
    assert decide(judged.lake, judged.settings, **ask, force=True).changed


def test_nothing_to_decide_on(judged):
    with pytest.raises(NoModelError, match=r"predictions.daily has no row of 2020-02-07.*trader predict --session 2020-02-07"):
        run(judged)


def test_decisions_that_break_the_contract_reach_no_reader(judged, monkeypatch):
    predict(judged.lake, judged.settings, session=SESSION, as_of=AS_OF, made_at=MADE_AT, run_id="r")
    made, place = flow._stamped, DECISIONS.arrow_schema.get_field_index("target_weight")
    heavy = (place, DECISIONS.arrow_schema.field(place), pa.array([1.5] * 12))
    monkeypatch.setattr(flow, "_stamped", lambda *args: made(*args).set_column(*heavy))
    with pytest.raises(BlockedByDataError, match=r"decisions.daily/1 is broken: target_weight over 1 in 12 rows"):
        run(judged)
    assert judged.lake.snapshot().rows(DECISIONS) == 0
