"""Champion and challenger: who serves, who decided it, and what an earlier session knows of it."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from trader_pipeline import calendar
from trader_pipeline.champion import judged_model, serving_run
from trader_pipeline.errors import NoModelError, SchemaError, UsageError
from trader_pipeline.flows import promotion
from trader_pipeline.flows.promotion import GATE, compared, consider, models, promote, rollback
from trader_pipeline.lake import Change
from trader_pipeline.measures import Interval
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.evaluation import SCORECARD, TASKS
from trader_pipeline.schema.features import TARGETS
from trader_pipeline.schema.outputs import OUT_OF_FOLD
from trader_pipeline.schema.serving import PROMOTIONS
from trader_pipeline.schema.training import CALIBRATION, RUNS
from trader_pipeline_tests.flows.conftest import AS_OF, MADE_AT, SESSION

LATER = dt.timedelta(days=7)
NEXT_SESSION = SESSION + LATER
BY_HAND = {"who": "ann", "why": "I looked at it", "run_id": "r"}


def model(home, name, *, sees=0.0, as_of=AS_OF, through=None, alarm=None):
    """Publish a judged model like the first whose scores say what will happen as loudly as `sees`, with noise of its own."""
    snapshot = home.lake.snapshot()
    (run,) = snapshot.sql("select * from training.runs order by finished_at limit 1").to_pylist()
    run |= {"model_id": name, "as_of": as_of, "finished_at": MADE_AT + (as_of - AS_OF) + dt.timedelta(hours=len(name))}
    run |= {"trained_through": through or run["trained_through"]}
    first = snapshot.sql("select model_id from training.runs order by finished_at limit 1")["model_id"][0].as_py()
    rows = snapshot.sql("select * from predictions.out_of_fold where model_id = ?", [first]).to_pandas()
    labels = snapshot.frame("features.targets").set_index(["ticker", "session"])
    rng = np.random.default_rng(len(name))
    for horizon in HORIZONS_SESSIONS:
        here = rows["horizon_sessions"] == horizon
        label = rows.loc[here, ["ticker", "session"]].join(labels[f"residual_rank_{horizon}d"], on=["ticker", "session"]).iloc[:, 2]
        rows.loc[here, "score"] = sees * label.fillna(0).to_numpy() + rng.standard_normal(here.sum())
    rows["model_id"] = name
    calibration = snapshot.sql("select * replace (? as model_id) from training.calibration where model_id = ?", [name, first])
    cards = snapshot.sql("select * replace (? as model_id) from evaluation.scorecard where model_id = ?", [name, first]).to_pylist()
    cards = [card | {"leak_alarm": alarm} for card in cards]
    home.lake.publish(
        Change.append(RUNS, pa.Table.from_pylist([run], RUNS.arrow_schema)),
        Change.append(OUT_OF_FOLD, pa.Table.from_pandas(rows, schema=OUT_OF_FOLD.arrow_schema, preserve_index=False)),
        Change.append(CALIBRATION, calibration),
        Change.append(SCORECARD, pa.Table.from_pylist(cards, SCORECARD.arrow_schema)),
    )


def decide(home, *, as_of=AS_OF, after=0):
    return consider(home.lake, as_of=as_of, decided_at=MADE_AT + dt.timedelta(minutes=after), run_id="r")


def serving(home, *, session=SESSION, as_of=AS_OF):
    return serving_run(home.lake.snapshot(), session, as_of)["model_id"]


@pytest.fixture
def first(judged):
    decide(judged)
    return judged.lake.snapshot().sql("select model_id from training.runs")["model_id"][0].as_py()


def test_the_first_model_is_promoted_once(judged, first):
    before = judged.lake.snapshot().commit.id
    (row,) = judged.lake.snapshot().read(PROMOTIONS).to_pylist()
    assert (row["action"], row["serves"], row["replaced"], row["who"]) == ("promoted", first, None, GATE)
    assert row["counts_from"] == AS_OF
    assert decide(judged, after=5) == row
    assert judged.lake.snapshot().commit.id == before
    assert serving(judged) == first


def test_the_first_model_does_not_serve_under_an_alarm_until_somebody_says_so(judged):
    cards = judged.lake.snapshot().read(SCORECARD).to_pylist()
    cards = [card | {"leak_alarm": "rank IC +0.50 is over 0.20" if card["horizon_sessions"] == 5 else None} for card in cards]
    judged.lake.publish(Change.replace(SCORECARD, pa.Table.from_pylist(cards, SCORECARD.arrow_schema)))
    row = decide(judged)
    assert (row["action"], row["serves"], row["why"]) == ("refused", None, "leak alarm: 5 sessions: rank IC +0.50 is over 0.20")
    with pytest.raises(NoModelError, match=r"rings the leak alarm \(5 sessions: rank IC .*`trader models promote"):
        serving(judged)
    promote(judged.lake, row["model_id"], as_of=AS_OF, decided_at=MADE_AT + LATER, **BY_HAND)
    assert serving(judged) == row["model_id"]


def test_a_member_that_leaks_is_an_alarm_where_the_ensemble_rings_none(judged):
    cards = judged.lake.snapshot().read(SCORECARD).to_pylist()
    at_20 = [card | {"leak_alarm": "x" if card["horizon_sessions"] == 20 and card["model"] != "ensemble" else None} for card in cards]
    judged.lake.publish(Change.upsert(SCORECARD, pa.Table.from_pylist(at_20, SCORECARD.arrow_schema)))
    row = decide(judged)
    assert (row["action"], row["serves"], row["why"]) == ("refused", None, "leak alarm: 20 sessions, ridge: x")


def test_the_scorecard_is_of_the_model_that_serves_unless_another_is_named(judged):
    lake, first = judged.lake, judged.lake.snapshot().read(RUNS)["model_id"][0].as_py()
    model(judged, "newer", as_of=AS_OF + LATER)
    lake.publish(
        Change.append(
            TASKS,
            lake.snapshot().sql("select * replace ('newer' as model_id, known_at + interval 7 day as known_at) from evaluation.tasks"),
        )
    )

    def shown(named=""):
        row = judged_model(lake.snapshot(), AS_OF + LATER, named)
        return row["model_id"], row["state"]

    assert shown() == ("newer", "serving"), "nothing was decided: the newest serves"
    decide(judged)
    assert shown() == (first, "serving")
    assert shown("newer") == ("newer", "not decided")
    with pytest.raises(UsageError, match="no judged model is named 'x'"):
        shown("x")


def test_no_model_serves_under_an_alarm_before_it_was_decided_on(judged):
    cards = [card | {"leak_alarm": "rank IC +0.50 is over 0.20"} for card in judged.lake.snapshot().read(SCORECARD).to_pylist()]
    judged.lake.publish(Change.replace(SCORECARD, pa.Table.from_pylist(cards, SCORECARD.arrow_schema)))
    with pytest.raises(NoModelError, match="rings the leak alarm"):
        serving(judged)
    assert [row["state"] for row in models(judged.lake.snapshot(), AS_OF)] == ["not decided"]


def test_a_home_of_before_there_were_decisions_goes_on_when_the_newer_model_is_refused(judged):
    first = serving(judged)
    model(judged, "blind-and-worse", sees=-0.3)
    row = decide(judged)
    assert (row["action"], row["model_id"], row["serves"]) == ("refused", "blind-and-worse", first)
    assert serving(judged) == first


def test_a_worse_challenger_does_not_serve_and_a_better_one_does(judged, first):
    model(judged, "blind-and-worse", sees=-0.3)
    row = decide(judged, after=1)
    assert (row["action"], row["serves"], row["replaced"]) == ("refused", first, None)
    assert row["gain"] < 0
    assert "worse at 1, 5" in row["why"]
    assert serving(judged) == first
    model(judged, "sees-a-good-deal-more", sees=0.3)
    row = decide(judged, after=2)
    assert (row["action"], row["serves"], row["replaced"]) == ("promoted", "sees-a-good-deal-more", first)
    assert row["why"].startswith(f"better, rank IC less that of {first}: {row['gain']:+.4f} ±0.0")
    assert " (95 %); by sessions ahead 1: +0." in row["why"]
    assert serving(judged) == "sees-a-good-deal-more"


SINGLE = {"challenger": {"alarm": None, "model_id": "b", "as_of": AS_OF}, "champion": {"model_id": "a"}}


@pytest.mark.parametrize(
    ("gains", "better"),
    [
        ({1: (-0.006, 0.008), 5: (-0.006, 0.018), 20: (-0.006, 0.03), 60: (0.03, 0.08)}, False),  # the mean of the four is over 0
        (dict.fromkeys(HORIZONS_SESSIONS, (1e-05, 0.02)), False),
        ({1: (0.006, 0.008), 5: (0.006, 0.018), 20: (0.006, 0.03), 60: (-0.03, 0.08)}, True),
        ({1: (0.02, 0.008), 60: (-0.10, 0.08)}, False),  # surely worse at one
        ({1: (0.02, np.nan), 5: (0.02, np.nan)}, False),
        ({1: (0.006, 0.008), 60: (-0.9, np.nan)}, True),
    ],
)
def test_better_is_more_than_chance_and_a_horizon_counts_as_it_is_known(monkeypatch, gains, better):
    found = {h: Interval(mean=mean, half_width=width, windows=100) for h, (mean, width) in gains.items()}
    monkeypatch.setattr(promotion, "compared", lambda *_, **__: found)
    assert promotion.judge(None, **SINGLE).better is better


def test_the_pooled_gain_is_never_surer_than_its_surest_horizon():
    gains = {1: Interval(mean=0.02, half_width=0.01, windows=900), 5: Interval(mean=0.0, half_width=0.02, windows=180)}
    both = promotion.pooled(gains)
    assert both.mean == pytest.approx(0.016)  # 4 : 1
    assert both.half_width == pytest.approx(0.012)
    same = promotion.pooled(dict.fromkeys(HORIZONS_SESSIONS, gains[1]))
    assert (same.mean, same.half_width) == (pytest.approx(0.02), pytest.approx(0.01))


def test_a_better_challenger_under_a_leak_alarm_does_not_serve(judged, first):
    model(judged, "sees-too-much", sees=5.0, alarm="rank IC +0.90 is over 0.20")
    assert decide(judged, after=1)["action"] == "refused"
    assert serving(judged) == first


def test_the_comparison_is_on_what_both_forecast(judged, first):
    model(judged, "other", sees=0.0)
    gains = compared(judged.lake.snapshot(), "other", first, as_of=AS_OF)
    same = compared(judged.lake.snapshot(), first, first, as_of=AS_OF)
    assert {h: gain.mean for h, gain in same.items()} == dict.fromkeys(HORIZONS_SESSIONS, 0.0)
    assert all(abs(gain.mean) < 2 * gain.half_width for h, gain in gains.items() if h < 20)
    rows = judged.lake.snapshot().read(OUT_OF_FOLD).to_pandas()
    middle = sorted(set(rows["session"]))[len(set(rows["session"])) // 2]
    kept = rows[(rows["model_id"] == first) | (rows["session"] > middle)]
    judged.lake.publish(Change.replace(OUT_OF_FOLD, pa.Table.from_pandas(kept, schema=OUT_OF_FOLD.arrow_schema, preserve_index=False)))
    half = compared(judged.lake.snapshot(), "other", first, as_of=AS_OF)
    assert half[1].windows == pytest.approx(gains[1].windows / 2, abs=2)


def test_labels_that_ended_after_the_challenger_was_trained_decide_nothing(judged, first):
    """Its decision counts from its as_of on, so it must not know what came later."""
    targets = judged.lake.snapshot().frame("features.targets")
    days = sorted(set(targets["session"]))
    last = len(days) - 80
    as_of = calendar.known_at("XNYS", days[last])
    model(judged, "earlier", sees=0.1, as_of=as_of)
    before = compared(judged.lake.snapshot(), "earlier", first, as_of=as_of)
    for horizon in HORIZONS_SESSIONS:
        targets.loc[targets["session"] > days[last - horizon], f"residual_rank_{horizon}d"] *= -1
    judged.lake.publish(Change.replace(TARGETS, TARGETS.conform(pa.Table.from_pandas(targets, preserve_index=False))))
    assert compared(judged.lake.snapshot(), "earlier", first, as_of=as_of) == before
    assert compared(judged.lake.snapshot(), "earlier", first, as_of=AS_OF) != before


def test_rollback_brings_the_model_before_back_and_a_promotion_the_other(judged, first):
    with pytest.raises(UsageError, match=f"{first} is the only approved model"):
        rollback(judged.lake, as_of=AS_OF, decided_at=MADE_AT, **BY_HAND)
    model(judged, "better", sees=0.3)
    decide(judged, after=1)
    row = rollback(judged.lake, as_of=AS_OF, decided_at=MADE_AT + dt.timedelta(hours=1), **BY_HAND)
    assert (row["action"], row["model_id"], row["serves"]) == ("rolled back", "better", first)
    assert serving(judged) == first
    assert decide(judged, after=90)["action"] == "rolled back", "the gate does not overrule a person"
    with pytest.raises(UsageError, match=f"{first} is the only approved model"):
        rollback(judged.lake, as_of=AS_OF, decided_at=MADE_AT + dt.timedelta(hours=2), **BY_HAND)
    promote(judged.lake, "better", as_of=AS_OF, decided_at=MADE_AT + dt.timedelta(hours=3), **BY_HAND)
    assert serving(judged) == "better"
    with pytest.raises(UsageError, match="better serves already"):
        promote(judged.lake, "better", as_of=AS_OF, decided_at=MADE_AT + dt.timedelta(hours=4), **BY_HAND)
    with pytest.raises(UsageError, match="nothing is no model"):
        promote(judged.lake, "nothing", as_of=AS_OF, decided_at=MADE_AT + dt.timedelta(hours=4), **BY_HAND)
    log = judged.lake.snapshot().read(PROMOTIONS).sort_by("decided_at").to_pylist()
    assert [(row["model_id"], row["action"], row["who"]) for row in log] == [
        (first, "promoted", "gate"),
        ("better", "promoted", "gate"),
        ("better", "rolled back", "ann"),
        ("better", "promoted", "ann"),
    ]
    assert {row["why"] for row in log[2:]} == {"I looked at it"}


def test_an_earlier_session_knows_of_no_later_model_or_decision(judged, first):
    model(judged, "of-next-week", sees=0.3, as_of=AS_OF + LATER, through=SESSION)
    assert decide(judged, as_of=AS_OF + LATER, after=1)["action"] == "promoted"
    assert serving(judged, session=NEXT_SESSION, as_of=AS_OF + LATER) == "of-next-week"
    assert serving(judged) == first, "predicted as of its own close"
    assert serving(judged, as_of=AS_OF + LATER) == first, "it was trained on the session itself"
    rollback(judged.lake, as_of=AS_OF + 2 * LATER, decided_at=MADE_AT + LATER, **BY_HAND)
    assert serving(judged, session=NEXT_SESSION, as_of=AS_OF + LATER) == "of-next-week", "the rollback came a week later"
    assert serving(judged, session=NEXT_SESSION, as_of=AS_OF + 2 * LATER) == "of-next-week", "whatever a backfill says"
    assert serving(judged, session=SESSION + 2 * LATER, as_of=AS_OF + 2 * LATER) == first


def test_a_model_of_the_past_takes_nobody_s_place(judged, first):
    """A backfill trains a model of an earlier session; it serves there, and not today."""
    earlier = AS_OF - LATER
    model(judged, "of-last-week", sees=0.3, as_of=earlier, through=SESSION - 3 * LATER)
    assert decide(judged, as_of=earlier, after=1)["why"] == "the first model without a leak alarm"
    assert serving(judged, session=SESSION - LATER, as_of=earlier) == "of-last-week"
    assert serving(judged) == first


def test_the_list_says_what_serves_and_why(judged, first):
    model(judged, "better", sees=0.3)
    model(judged, "undecided-one", sees=0.0, as_of=AS_OF - LATER)
    decide(judged, after=1)
    rows = models(judged.lake.snapshot(), AS_OF)
    assert [(row["model_id"], row["state"]) for row in rows] == [
        ("better", "serving"),
        (first, "approved"),
        ("undecided-one", "not decided"),
    ]
    assert list(rows[0]["rank_ic"]) == list(HORIZONS_SESSIONS)
    assert rows[0]["verdict"].startswith("better, rank IC less that of")
    assert rows[0]["decision"] == f"promoted by the gate on 2020-02-08 00:01 UTC in place of {first}: {rows[0]['verdict']}"
    assert rows[2]["decision"] is None
    assert rows[2]["who"] is None


@pytest.mark.usefixtures("first")
def test_a_decision_is_never_written_over(judged):
    row = judged.lake.snapshot().read(PROMOTIONS)
    with pytest.raises(SchemaError, match="repeat a key"):
        judged.lake.publish(Change.append(PROMOTIONS, row))
