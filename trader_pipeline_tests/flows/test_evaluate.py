import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from trader_pipeline.errors import NoModelError
from trader_pipeline.flows.benchmark import EQUAL_WEIGHT, benchmark_returns
from trader_pipeline.flows.evaluate import evaluate
from trader_pipeline.lake import Change, Lake
from trader_pipeline.panel import Grid
from trader_pipeline.schema.core import ACCEPTED_BARS, CORPORATE_ACTIONS, SECTORS, TICKER_MAP
from trader_pipeline.schema.evaluation import BACKTEST, COVERAGE_CURVE
from trader_pipeline.schema.features import TARGETS
from trader_pipeline.schema.outputs import OUT_OF_FOLD
from trader_pipeline.schema.quality import QUARANTINE
from trader_pipeline.schema.training import ATTEMPTS
from trader_pipeline_tests.flows.conftest import AS_OF, SESSION, bars, ticker_map


def head(lake):
    return (lake.root / "HEAD").read_text()


def test_tables_are_written_for_every_horizon_and_member(trained):
    outcome = evaluate(trained.lake, as_of=AS_OF, run_id="r")
    snapshot = trained.lake.snapshot()
    calibration = snapshot.sql(
        "select fold, count(*) n, count(distinct horizon_sessions) h from training.calibration group by fold order by fold"
    )
    assert calibration.to_pylist() == [{"fold": fold, "n": 4, "h": 4} for fold in (-1, 1, 2)]
    cards = snapshot.frame("evaluation.scorecard")
    assert sorted(set(cards["model"])) == ["ensemble", "ridge"]
    assert len(cards) == 8
    assert (cards["accuracy"].between(0.3, 0.8)).all()
    assert set(outcome.verdicts) == {1, 5, 20, 60}
    assert outcome.verdicts[5].endswith("target 70 %: not met")
    alone = cards[cards["model"] == "ridge"].drop(columns="model").reset_index(drop=True)
    assert cards[cards["model"] == "ensemble"].drop(columns="model").reset_index(drop=True).equals(alone), (
        "an ensemble of one is its member"
    )


def test_a_random_walk_is_not_predictable(trained):
    evaluate(trained.lake, as_of=AS_OF, run_id="r")
    cards = trained.lake.snapshot().frame("evaluation.scorecard")
    trusted = cards[(cards["model"] == "ensemble") & (cards["windows"] >= 20)]
    assert list(trusted["horizon_sessions"]) == [1, 5]
    assert (trusted["rank_ic"].abs() < 3 / 1.96 * trusted["rank_ic_half_width"]).all()
    assert (trusted["accuracy"] < trusted["base_rate"] + 0.04).all()
    assert trusted["interval_90_coverage"].between(0.86, 0.94).all()


def test_a_second_time_and_a_new_day_change_nothing(judged):
    before = head(judged.lake)
    assert evaluate(judged.lake, as_of=AS_OF, run_id="again").changed is False
    assert head(judged.lake) == before
    tomorrow = AS_OF + dt.timedelta(days=3)
    bar = bars().filter(pc.equal(bars()["session"], SESSION))
    later = bar.set_column(1, "session", pa.array([dt.date(2020, 2, 10)] * len(bar), pa.date32()))
    later = later.set_column(2, "known_at", pa.array([tomorrow] * len(bar), pa.timestamp("us", tz="UTC")))
    targets = judged.lake.snapshot().read(TARGETS)
    last = targets.filter(pc.equal(targets["session"], SESSION))
    column = targets.schema.get_field_index("forward_return_1d")
    known_now = targets.set_column(column, "forward_return_1d", pc.fill_null(targets["forward_return_1d"], 0.5))
    next_day = last.set_column(1, "session", pa.array([dt.date(2020, 2, 10)] * len(last), pa.date32()))
    grown = pa.concat_tables([TARGETS.conform(known_now), TARGETS.conform(next_day)])
    judged.lake.publish(Change.append(ACCEPTED_BARS, later), Change.replace(TARGETS, grown))
    assert evaluate(judged.lake, as_of=tomorrow, run_id="again").changed is False


def test_a_label_that_was_revised_is_judged_again(judged):
    targets = judged.lake.snapshot().read(TARGETS)
    column = targets.schema.get_field_index("scaled_return_5d")
    judged.lake.publish(
        Change.replace(TARGETS, targets.set_column(column, "scaled_return_5d", pc.multiply(targets["scaled_return_5d"], 1.01)))
    )
    assert evaluate(judged.lake, as_of=AS_OF, run_id="again").changed


def test_a_training_that_failed_deflates_the_sharpe_ratio(judged):
    begun = {"run_id": "r", "recipe": "ridge", "seed": 0, "data_version": "d", "as_of": AS_OF, "started_at": AS_OF, "outcome": "failed"}
    judged.lake.publish(Change.upsert(ATTEMPTS, pa.Table.from_pylist([begun | {"model_id": "failed"}], schema=ATTEMPTS.arrow_schema)))
    assert evaluate(judged.lake, as_of=AS_OF, run_id="again").changed
    for row in judged.lake.snapshot().sql("select * from evaluation.strategy").to_pylist():
        assert row["trials"] == 2
        assert row["deflated_sharpe"] < row["probabilistic_sharpe"]
    assert not evaluate(judged.lake, as_of=AS_OF, run_id="again").changed


def test_a_name_of_another_sector_or_issuer_is_judged_again(judged):
    sector = {"ticker": "AAA", "valid_from": dt.date(2000, 1, 1), "sector": "Energy"}
    judged.lake.publish(Change.upsert(SECTORS, SECTORS.conform(pa.Table.from_pylist([sector]))))
    assert evaluate(judged.lake, as_of=AS_OF, run_id="again").changed
    names = ticker_map()
    issuers = pc.if_else(pc.equal(names["ticker"], "BBB"), "AAA", names["issuer_id"])
    judged.lake.publish(Change.replace(TICKER_MAP, names.set_column(names.schema.get_field_index("issuer_id"), "issuer_id", issuers)))
    assert evaluate(judged.lake, as_of=AS_OF, run_id="again").changed
    assert not evaluate(judged.lake, as_of=AS_OF, run_id="again").changed


def test_of_a_model_that_is_judged_again_no_older_row_is_left(judged):
    assert judged.lake.snapshot().rows(COVERAGE_CURVE)
    forecasts = judged.lake.snapshot().read(OUT_OF_FOLD)
    for name in ("score", "scaled_mean"):  # no forecast is more confident than another
        forecasts = forecasts.set_column(forecasts.schema.get_field_index(name), name, pa.array(np.zeros(len(forecasts))))
    judged.lake.publish(Change.replace(OUT_OF_FOLD, OUT_OF_FOLD.conform(forecasts)))
    evaluate(judged.lake, as_of=AS_OF, run_id="again")
    assert not judged.lake.snapshot().rows(COVERAGE_CURVE)


def test_what_checks_hold_of_the_benchmark_s_cash_is_judged_again(judged):
    action = {"ticker": "SPY", "session": dt.date(2020, 1, 6), "kind": "dividend", "value": 1.0, "source": "sample"}
    stamps = {"known_at": AS_OF - dt.timedelta(days=9), "known_at_basis": "assumed"}
    judged.lake.publish(Change.replace(CORPORATE_ACTIONS, pa.Table.from_pylist([action | stamps])))
    assert evaluate(judged.lake, as_of=AS_OF, run_id="again").changed
    held = {"table_name": "core.corporate_actions", "ticker": "SPY", "session": action["session"], "item": "dividend", "source": "sample"}
    told = {"rule": "dividend_size", "reason": "-", "first_seen": AS_OF, "strikes": 1, "run_id": "r", "known_at": AS_OF}
    judged.lake.publish(Change.replace(QUARANTINE, pa.Table.from_pylist([held | told], schema=QUARANTINE.arrow_schema)))
    assert evaluate(judged.lake, as_of=AS_OF, run_id="again").changed
    assert not evaluate(judged.lake, as_of=AS_OF, run_id="again").changed


def test_the_paper_portfolio_is_long_only_and_inside_its_limits(judged):
    days = BACKTEST.sorted(judged.lake.snapshot().read(BACKTEST)).to_pandas()
    assert days["session"].max() == SESSION
    assert set(days["benchmark"]) == {"SPY"}
    assert (days["exposure"] <= 1.10).all()  # bought at 1, drifts with prices inside five sessions
    assert (days["cost"] - days["turnover"] * 0.00025).abs().max() < 1e-12
    assert (days["gross_return"] - days["cost"] - days["strategy_return"]).abs().max() < 1e-12
    assert days["strategy_return"].std() > 0.001


def test_without_a_model_the_error_says_what_to_run(tmp_path):
    with pytest.raises(NoModelError, match=r"2020-02-07 21:30 UTC.*`trader run`"):
        evaluate(Lake(tmp_path / "lake", "own"), as_of=AS_OF, run_id="r")


def test_a_model_of_the_future_is_not_judged(trained):
    with pytest.raises(NoModelError):
        evaluate(trained.lake, as_of=AS_OF - dt.timedelta(days=1), run_id="r")


def small_lake(tmp_path, names):
    days = [dt.date(2020, 2, d) for d in (3, 4, 5)]
    rows = [
        {"ticker": name, "session": day, "known_at": AS_OF - dt.timedelta(days=1), "source": "sample", "close": close}
        for name in names
        for day, close in zip(days, (100.0, 52.0, 51.0), strict=True)
    ]
    lake = Lake(tmp_path / "lake", "own")
    actions = [
        {"ticker": "SPY", "session": days[1], "kind": "split", "value": 2.0},
        {"ticker": "SPY", "session": days[2], "kind": "dividend", "value": 1.0},
    ]
    stamps = {"known_at": AS_OF - dt.timedelta(days=1), "known_at_basis": "assumed", "source": "sample"}
    lake.publish(
        Change.replace(ACCEPTED_BARS, pa.Table.from_pylist(rows)),
        Change.replace(TICKER_MAP, ticker_map(names)),
        Change.replace(CORPORATE_ACTIONS, pa.Table.from_pylist([action | stamps for action in actions])),
    )
    return lake.snapshot(), Grid(("AAA", "BBB"), np.array(days, dtype="datetime64[D]"))


def test_the_benchmark_is_adjusted_for_splits_and_dividends(tmp_path):
    snapshot, grid = small_lake(tmp_path, ("AAA", "SPY"))
    name, returns = benchmark_returns(snapshot, grid, np.zeros((2, 3)), as_of=AS_OF)
    assert name == "SPY"
    # 2:1 split: 52 * 2 / 100; then (51 + 1 dividend) / 52
    assert returns == pytest.approx([0, 0.04, 0.0])


def test_without_a_benchmark_the_mean_stands_in_under_its_own_name(tmp_path):
    snapshot, grid = small_lake(tmp_path, ("AAA", "BBB"))
    name, returns = benchmark_returns(snapshot, grid, np.array([[0.1, 0.2, np.nan], [0.3, np.nan, np.nan]]), as_of=AS_OF)
    assert name == EQUAL_WEIGHT
    assert returns == pytest.approx([0.2, 0.2, 0.0])
