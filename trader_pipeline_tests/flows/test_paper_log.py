"""The paper log: what became of each prediction, written once."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from trader_pipeline import calendar
from trader_pipeline.flows import due
from trader_pipeline.flows.paper_log import SUMMARY, keep_paper_log
from trader_pipeline.lake import Change
from trader_pipeline.schema.core import ACCEPTED_BARS, CORPORATE_ACTIONS, TICKER_MAP
from trader_pipeline.schema.features import TARGETS
from trader_pipeline.schema.outputs import DAILY
from trader_pipeline.schema.predicted import PAPER_LOG
from trader_pipeline.settings import PaperSettings
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
    assert (outcome.added, outcome.waiting, outcome.without_outcome) == (TICKERS, 3 * 4 * TICKERS - TICKERS, 0)


def test_a_prediction_that_is_gone_after_it_was_logged_does_not_shorten_the_wait(lived):
    lake = lake_of(lived)
    daily = lake.snapshot().read(DAILY)
    lake.publish(Change.replace(DAILY, daily.filter(pc.greater(daily["session"], FIRST))))
    outcome = keep_paper_log(lake, as_of=close(LAST), logged_at=close(LAST), run_id="r")
    assert (outcome.added, outcome.rows, outcome.waiting) == (0, 2 * TICKERS, 2 * 4 * TICKERS - TICKERS)


def changed(lake, table, **columns):
    """Publish the table with these columns replaced by what a function makes of each row's old value."""
    rows = [row | {name: make(row) for name, make in columns.items()} for row in lake.snapshot().read(table).to_pylist()]
    lake.publish(Change.replace(table, pa.Table.from_pylist(rows, schema=table.arrow_schema)))


@pytest.mark.parametrize(("why", "split"), [("delisted", 1.0), ("presumed", 4.0)])
def test_a_name_that_ends_before_its_horizon_is_logged_with_its_delisting(lived, why, split):
    lake = lake_of(lived)
    changed(
        lake,
        TICKER_MAP,
        ended=lambda row: why if row["ticker"] == "EEE" else row["ended"],
        valid_to=lambda row: LAST if row["ticker"] == "EEE" else row["valid_to"],
    )
    action = {"ticker": "EEE", "session": LAST, "kind": "split", "value": split, "known_at": close(LAST), "known_at_basis": "observed"}
    action |= {"source": "own", "currency": "USD"}
    lake.publish(Change.upsert(CORPORATE_ACTIONS, pa.Table.from_pylist([action], schema=CORPORATE_ACTIONS.arrow_schema)))
    over = dt.date(2020, 2, 13)
    assert due.paper_log.is_due(lake.snapshot(), close(over))
    outcome = keep_paper_log(lake, as_of=close(over), logged_at=close(over), run_id="r", settings=PaperSettings(delisting_return=-0.55))
    assert (outcome.added, outcome.ended) == (2, 2)
    assert not due.paper_log.is_due(lake.snapshot(), close(over)), "of the last session's prediction nothing was ever entered"
    bars = {b["session"]: b for b in lake.snapshot().sql("select * from core.accepted_bars where ticker = 'EEE'").to_pylist()}
    for row, session in zip([row for row in log_of(lived) if row["ended"]], (FIRST, SECOND), strict=True):
        entry = calendar.offset(EXCHANGE, session, 1)
        assert (row["ticker"], row["session"], row["horizon_sessions"], row["ended"]) == ("EEE", session, 5, why)
        assert (row["entry_session"], row["exit_session"], row["entry"]) == (entry, LAST, "open")
        assert (row["entry_price"], row["exit_price"]) == (bars[entry]["open"], bars[LAST]["close"])
        shares = split if entry < LAST else 1
        assert row["realised_return"] == pytest.approx(bars[LAST]["close"] / bars[entry]["open"] * shares * 0.45 - 1)
        assert row["net_return"] == pytest.approx(row["position"] * row["realised_return"] - row["cost"])
    (five,) = [row for row in lake.snapshot().sql(SUMMARY, {"ticker": None}).to_pylist() if row["horizon_sessions"] == 5]
    assert (five["rows"], five["ended"], five["net_return_of_survivors"]) == (2, 2, None)


def test_what_is_over_without_a_price_does_not_wait(lived):
    lake = lake_of(lived)
    lake.publish(Change.replace(PAPER_LOG, PAPER_LOG.empty()))
    changed(lake, TARGETS, forward_return_1d=lambda row: None if row["ticker"] == "AAA" else row["forward_return_1d"])
    outcome = keep_paper_log(lake, as_of=close(LAST), logged_at=close(LAST), run_id="r")
    assert (outcome.added, outcome.ended, outcome.without_outcome) == (2 * TICKERS - 2, 0, 2)
    assert outcome.waiting == 3 * 4 * TICKERS - 2 * TICKERS


def test_without_opens_the_entry_is_the_close_that_was_predicted_from(lived):
    lake = lake_of(lived)
    lake.publish(Change.replace(PAPER_LOG, PAPER_LOG.empty()))
    changed(lake, ACCEPTED_BARS, open=lambda _: None)
    keep_paper_log(lake, as_of=close(LAST), logged_at=close(LAST), run_id="r")
    bars = {(b["ticker"], b["session"]): b for b in lake.snapshot().read(ACCEPTED_BARS).to_pylist()}
    rows = log_of(lived)
    assert len(rows) == 2 * TICKERS
    for row in rows:
        assert (row["entry"], row["entry_session"], row["in_time"]) == ("close", row["session"], True)
        assert row["entry_price"] == bars[row["ticker"], row["session"]]["close"]
        assert row["exit_session"] == calendar.offset(EXCHANGE, row["session"], 1)


def test_without_opens_a_delisting_costs_what_was_predicted_at_the_last_close_too(lived):
    lake = lake_of(lived)
    changed(lake, ACCEPTED_BARS, open=lambda _: None)
    changed(
        lake,
        TICKER_MAP,
        ended=lambda row: "delisted" if row["ticker"] == "EEE" else row["ended"],
        valid_to=lambda row: LAST if row["ticker"] == "EEE" else row["valid_to"],
    )
    over = dt.date(2020, 2, 13)
    keep_paper_log(lake, as_of=close(over), logged_at=close(over), run_id="r")
    bars = {b["session"]: b["close"] for b in lake.snapshot().read(ACCEPTED_BARS).to_pylist() if b["ticker"] == "EEE"}
    rows = [row for row in log_of(lived) if row["ended"]]
    assert [(row["session"], row["horizon_sessions"]) for row in rows] == [(FIRST, 5), (SECOND, 5), (LAST, 1)]
    for row in rows:
        assert (row["entry_session"], row["exit_session"]) == (row["session"], LAST)
        assert row["realised_return"] == pytest.approx(bars[LAST] / bars[row["session"]] * 0.7 - 1)
