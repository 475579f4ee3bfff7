"""The paper log: what became of each prediction, written once."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from trader_pipeline import calendar
from trader_pipeline.flows.paper_log import SUMMARY, keep_paper_log
from trader_pipeline.lake import Change
from trader_pipeline.schema.features import TARGETS
from trader_pipeline.schema.outputs import DAILY
from trader_pipeline.schema.predicted import PAPER_LOG
from trader_pipeline_tests.flows.days import EXCHANGE, FIRST, LAST, SECOND, TICKERS, close, lake_of


def log_of(settings):
    return lake_of(settings).snapshot().sql("select * from predictions.paper_log order by all").to_pylist()


def test_a_prediction_is_logged_when_its_horizon_has_ended(lived_home):
    rows = log_of(lived_home)
    assert {(row["session"], row["horizon_sessions"]) for row in rows} == {(FIRST, 1), (SECOND, 1)}
    assert len(rows) == 2 * TICKERS
    snapshot = lake_of(lived_home).snapshot()
    bars = {(b["ticker"], b["session"]): b for b in snapshot.sql("select * from core.accepted_bars").to_pylist()}
    daily = {(p["ticker"], p["session"], p["horizon_sessions"]): p for p in snapshot.read(DAILY).to_pylist()}
    for row in rows:
        bar = bars[row["ticker"], row["entry_session"]]
        assert row["entry_session"] == row["exit_session"] == calendar.offset(EXCHANGE, row["session"], 1)
        assert (row["entry_price"], row["exit_price"]) == (bar["open"], bar["close"])
        assert row["realised_return"] == pytest.approx(bar["close"] / bar["open"] - 1, abs=1e-9)
        assert row["p_up"] == daily[row["ticker"], row["session"], 1]["p_up"]
        assert row["position"] == (1 if row["p_up"] > 0.5 else -1)
        assert row["cost"] == pytest.approx(2 * 0.00025)
        assert row["net_return"] == pytest.approx(row["position"] * row["realised_return"] - 0.0005)
        assert row["in_time"]
    (summary,) = snapshot.sql(SUMMARY, {"ticker": None}).to_pylist()
    assert (summary["rows"], summary["sessions"]) == (2 * TICKERS, 2)
    assert summary["net_return"] == pytest.approx(np.mean([row["net_return"] for row in rows]))


def test_what_is_logged_never_changes(lived):
    lake, before = lake_of(lived), log_of(lived)
    targets = lake.snapshot().read(TARGETS)
    place = targets.column_names.index("forward_return_1d")
    lake.publish(Change.replace(TARGETS, targets.set_column(place, targets.schema.field(place), pc.add(targets["forward_return_1d"], 0.5))))
    daily = lake.snapshot().read(DAILY)
    flipped = daily.set_column(daily.column_names.index("p_up"), daily.schema.field("p_up"), pc.subtract(1.0, daily["p_up"]))
    lake.publish(Change.replace(DAILY, flipped))
    outcome = keep_paper_log(lake, as_of=close(LAST), logged_at=close(LAST), run_id="again")
    assert outcome.added == 0
    assert log_of(lived) == before


def test_a_prediction_made_after_its_entry_is_hindsight(lived):
    lake = lake_of(lived)
    daily = lake.snapshot().read(DAILY)
    late = pa.array(
        [calendar.open_at(EXCHANGE, SECOND) + dt.timedelta(seconds=1)] * daily.num_rows, DAILY.arrow_schema.field("made_at").type
    )
    lake.publish(
        Change.replace(PAPER_LOG, PAPER_LOG.empty()),
        Change.replace(DAILY, daily.set_column(daily.column_names.index("made_at"), daily.schema.field("made_at"), late)),
    )
    keep_paper_log(lake, as_of=close(LAST), logged_at=close(LAST), run_id="r")
    assert {(row["session"], row["in_time"]) for row in log_of(lived)} == {(FIRST, False), (SECOND, True)}


def test_what_was_not_over_at_the_instant_is_not_logged(lived):
    lake = lake_of(lived)
    lake.publish(Change.replace(PAPER_LOG, PAPER_LOG.empty()))
    outcome = keep_paper_log(lake, as_of=close(SECOND), logged_at=close(LAST), run_id="r")
    assert (outcome.added, outcome.waiting) == (TICKERS, 3 * 4 * TICKERS - TICKERS)


def test_a_prediction_that_is_gone_after_it_was_logged_does_not_shorten_the_wait(lived):
    lake = lake_of(lived)
    daily = lake.snapshot().read(DAILY)
    lake.publish(Change.replace(DAILY, daily.filter(pc.greater(daily["session"], FIRST))))
    outcome = keep_paper_log(lake, as_of=close(LAST), logged_at=close(LAST), run_id="r")
    assert (outcome.added, outcome.rows, outcome.waiting) == (0, 2 * TICKERS, 2 * 4 * TICKERS - TICKERS)
