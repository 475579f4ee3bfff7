"""The tables of evaluation beside each other, on the small market that ridge was trained on."""

from itertools import pairwise

import pytest

from trader_pipeline.ensembles.regimes import REGIMES
from trader_pipeline.errors import NotMadeError
from trader_pipeline.flows.published_scorecard import published_scorecard
from trader_pipeline.lake import Lake
from trader_pipeline_tests.flows.conftest import AS_OF


@pytest.fixture(scope="module")
def snapshot(small_market_judged):
    return small_market_judged.lake.snapshot()


@pytest.fixture(scope="module")
def card(snapshot):
    return published_scorecard(snapshot, "own", as_of=AS_OF)


def test_all_rows_of_the_segments_are_the_scorecard(snapshot):
    rows = snapshot.sql(
        "select s.accuracy = c.accuracy and s.rank_ic = c.rank_ic and s.windows = c.windows and s.rows = c.rows same, s.grey, s.windows "
        "from evaluation.segments s join evaluation.scorecard c using (model_id, model, horizon_sessions) where kind = 'all'"
    ).to_pylist()
    assert len(rows) == 8
    assert all(row["same"] for row in rows)
    assert all(row["grey"] == (row["windows"] < 20) for row in rows)


def test_the_scorecard_says_how_sure_the_judged_forecasts_were(snapshot):
    for row in snapshot.sql("select expected_accuracy sure, accuracy from evaluation.scorecard").to_pylist():
        assert 0.5 < row["sure"] < 0.7, "a random walk is nearly even"
        assert row["sure"] == pytest.approx(row["accuracy"], abs=0.1)


def test_share_classes_are_one_issuer(snapshot):
    rows = snapshot.sql("select distinct issuers from evaluation.segments where kind = 'all'").to_pylist()
    assert rows == [{"issuers": 11}], "twelve names, GOOG and GOOGL of one issuer"


def test_a_regime_of_the_segments_is_one_of_the_ensemble(snapshot):
    rows = snapshot.sql("select distinct segment from evaluation.segments where kind = 'regime'").to_pylist()
    assert {row["segment"] for row in rows} == set(REGIMES)


def test_it_says_whether_the_judged_model_serves(card):
    assert card["state"] == "serving"


def test_a_random_walk_meets_no_target(card):
    assert [row["name"] for row in card["tasks"]][:4] == [f"stock_direction_{h}d" for h in (1, 5, 20, 60)]
    assert not any(row["passed"] for row in card["tasks"])
    assert card["as_of"] == AS_OF
    assert len(card["worst"]) == 2


def test_the_sharpe_ratio_falls_with_the_costs_and_momentum_alone_is_another_portfolio(card):
    against = [row for row in card["strategy"] if row["against"] == "momentum"]
    assert [row["cost_multiple"] for row in against] == [0, 1, 2]
    assert against[0]["sharpe"] > against[1]["sharpe"] > against[2]["sharpe"]
    assert against[0]["sharpe"] != against[0]["baseline_sharpe"]
    for row in card["strategy"]:
        assert row["low"] < row["difference"] < row["high"]
        assert row["bootstrap_low"] < row["bootstrap_high"]
        assert 0 <= row["deflated_sharpe"] == row["probabilistic_sharpe"] <= 1, "one trial chooses nothing"
        assert row["overfitting_probability"] is None
    assert (against[0]["trials"], against[0]["trials_effective"]) == (1, 1.0), "an ensemble of one is its member"


def test_sessions_average_to_the_scorecard(snapshot):
    rows = snapshot.sql(
        "select any_value(c.accuracy) - avg(s.accuracy) off, count(s.accuracy) judged, count(*) sessions, "
        "max(s.rows) filter (s.accuracy is null) most "
        "from evaluation.sessions s join evaluation.scorecard c using (model_id, horizon_sessions) "
        "where c.model = 'ensemble' group by horizon_sessions"
    ).to_pylist()
    assert len(rows) == 4
    for row in rows:
        assert row["off"] == pytest.approx(0, abs=1e-9)
        assert row["judged"] < row["sessions"], "the first fold only calibrates"
        assert row["most"] == 0


def test_the_coverage_curve_falls(snapshot):
    rows = snapshot.sql("select horizon_sessions h, asked, coverage from evaluation.coverage_curve order by h, asked desc").to_pylist()
    for horizon in {row["h"] for row in rows}:
        curve = [row for row in rows if row["h"] == horizon]
        assert curve[0]["coverage"] == 1
        assert all(a["coverage"] > b["coverage"] for a, b in pairwise(curve))


def test_nothing_judged_says_what_to_run(tmp_path):
    lake = Lake(tmp_path / "lake", "own")
    lake.publish()
    with pytest.raises(NotMadeError, match="the dataset own has no data yet: `trader run --source own --path DIR` makes it"):
        published_scorecard(lake.snapshot(), "own", as_of=AS_OF)
