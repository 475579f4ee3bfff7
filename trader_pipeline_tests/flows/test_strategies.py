"""What a Sharpe ratio is worth beside the other trials that a lake knows."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from trader_pipeline.flows.strategies import strategy_rows
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.evaluation import BACKTEST
from trader_pipeline.schema.training import ATTEMPTS, TRIALS

T = 600
DAYS = [dt.date(2020, 1, 1) + dt.timedelta(t) for t in range(T)]
AS_OF = dt.datetime(2022, 1, 1, tzinfo=dt.UTC)


def portfolio(seed, days=DAYS):
    returns = np.random.default_rng(seed).normal(0.0005, 0.01, len(days))
    still = np.zeros(len(days))
    columns = {"strategy_return": returns, "gross_return": returns, "cost": still, "benchmark_return": returns * 0.5 + 0.0001}
    return pa.table({"session": pa.array(days, pa.date32()), "turnover": still} | columns)


def lake_of(folder, *, backtests=(), trials=(), attempts=()):
    """A lake with other models' returns, the (model_id, model) of the ledger, and the trainings that were begun."""
    lake = Lake(folder / "lake", "own")
    for model_id, days in backtests:
        rows = pa.Table.from_pylist([day | {"model_id": model_id, "benchmark": "SPY"} for day in days.to_pylist()])
        lake.publish(Change.upsert(BACKTEST, BACKTEST.conform(rows), by=("model_id",)))
    fit = {"fold": 0, "horizon_sessions": 1, "rows": 1, "run_id": "r"}
    fit |= dict.fromkeys(("train_first", "train_last", "test_first", "test_last"), DAYS[0])
    ledger = [{"model_id": model_id, "model": model} | fit for model_id, model in trials]
    begun = {"run_id": "r", "recipe": "ridge", "seed": 0, "data_version": "d", "as_of": AS_OF, "started_at": AS_OF, "outcome": "failed"}
    lake.publish(
        Change.replace(TRIALS, TRIALS.conform(pa.Table.from_pylist(ledger, schema=TRIALS.arrow_schema))),
        Change.replace(ATTEMPTS, pa.Table.from_pylist([{"model_id": one} | begun for one in attempts], schema=ATTEMPTS.arrow_schema)),
    )
    return lake.snapshot()


def first(snapshot, members):
    own = next(iter(members.values())) if len(members) == 1 else portfolio(0)
    return strategy_rows(snapshot, "own", own, portfolio(99), members)[0]


def test_one_trial_is_neither_deflated_nor_overfitted(tmp_path):
    row = first(lake_of(tmp_path, trials=[("own", "ridge")]), {"ridge": portfolio(0)})
    assert (row["trials"], row["trials_effective"]) == (1, 1)
    assert row["deflated_sharpe"] == row["probabilistic_sharpe"]
    assert np.isnan(row["overfitting_probability"])
    assert row["paths"] == 0
    assert np.isnan([row["path_sharpe_05"], row["path_sharpe_median"], row["paths_below_zero"], row["paths_below_baseline"]]).all()


def test_paths_are_net_of_each_multiple_of_the_costs_and_held_against_each_baseline(tmp_path):
    costly = pa.table({"cost": np.full(T, 0.0004)})["cost"]
    one = portfolio(1).set_column(4, "cost", costly)
    rows = strategy_rows(lake_of(tmp_path), "own", one, portfolio(99), {"ridge": one, "trees": portfolio(2).set_column(4, "cost", costly)})
    medians = {row["cost_multiple"]: row["path_sharpe_median"] for row in rows}
    assert medians[0] > medians[1] > medians[2]
    assert {row["paths"] for row in rows} == {9}
    for row in rows:
        assert row["path_sharpe_05"] <= row["path_sharpe_median"] <= row["path_sharpe_95"]
        assert row["paths_below_baseline"] >= row["paths_below_zero"] or row["baseline_sharpe"] < 0


def test_a_baseline_that_is_raised_is_as_uncertain_as_it_was(tmp_path):
    """The interval of sharpe - 1.15 x baseline is round that, and wider than the difference's where the two hardly differ."""
    own = portfolio(1)
    near = own.set_column(own.column_names.index("gross_return"), "gross_return", pa.array(own["gross_return"].to_numpy() * 0.99 + 1e-5))
    rows = strategy_rows(lake_of(tmp_path), "own", own, near, {"ridge": own, "trees": portfolio(2)})
    for row in rows:
        factor = 1.15 if row["baseline_sharpe"] > 0 else 0.85
        middle = row["sharpe"] - factor * row["baseline_sharpe"]
        assert (row["over_target_low"] + row["over_target_high"]) / 2 == pytest.approx(middle)
        assert (row["sharpe_low"] + row["sharpe_high"]) / 2 == pytest.approx(row["sharpe"])
    momentum = rows[0]
    assert momentum["over_target_high"] - momentum["over_target_low"] > 2 * (momentum["high"] - momentum["low"]) > 0


def test_two_distinct_trials_deflate(tmp_path):
    members = {"ridge": portfolio(1), "trees": portfolio(2)}
    row = first(lake_of(tmp_path, trials=[("own", "ridge"), ("own", "trees")]), members)
    assert row["trials"] == 3
    assert 2.5 < row["trials_effective"] <= 3
    assert row["deflated_sharpe"] < row["probabilistic_sharpe"]
    assert 0 <= row["overfitting_probability"] <= 1


def test_a_model_made_again_to_the_bit_is_no_second_trial_to_choose_from(tmp_path):
    row = first(lake_of(tmp_path, trials=[("own", "ridge")], backtests=[("again", portfolio(0))]), {"ridge": portfolio(0)})
    assert np.isnan(row["overfitting_probability"])


def test_older_weekly_runs_are_compared_on_the_sessions_that_all_have(tmp_path):
    weekly = [(f"w{k}", portfolio(k, DAYS[: T - 5 * k])) for k in range(1, 9)]
    early = [("early", portfolio(50, DAYS[:200]))]
    row = first(lake_of(tmp_path, trials=[(f"w{k}", "ridge") for k in range(9)], backtests=[*weekly, *early]), {"ridge": portfolio(0)})
    assert row["trials"] == 9
    assert 8 < row["trials_effective"] <= 9, "nine independent series"
    assert row["deflated_sharpe"] < row["probabilistic_sharpe"] - 0.1
    assert 0 <= row["overfitting_probability"] <= 1


def test_trials_of_unknown_returns_count_in_full_against_ratios_without_skill(tmp_path):
    row = first(lake_of(tmp_path, trials=[("own", "ridge")], attempts=["own", "failed", "stopped"]), {"ridge": portfolio(0)})
    assert (row["trials"], row["trials_effective"]) == (3, 3), "one that is in the ledger is not counted twice"
    # the best of three ratios without skill, of variance 1 / T, is 0.85 deviations over 0
    assert stats.norm.ppf(row["probabilistic_sharpe"]) - stats.norm.ppf(row["deflated_sharpe"]) == pytest.approx(0.85, abs=0.03)
