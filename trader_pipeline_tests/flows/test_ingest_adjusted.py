"""A 4:1 split and dividends between two incremental runs: total returns from the core tables are the true ones."""

import datetime as dt

import numpy as np
import pytest

from trader_pipeline import calendar
from trader_pipeline.adjustment import dividend_factors, split_factors
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.lake import Lake
from trader_pipeline.sources.yahoo import YAHOO
from trader_pipeline_tests.fake_world import World
from trader_pipeline_tests.fake_yahoo import FakeYahoo
from trader_pipeline_tests.sources.asking_yahoo import settings_for

FIRST, BEFORE, AFTER = dt.date(2024, 6, 3), dt.date(2025, 2, 28), dt.date(2025, 6, 2)
SPLIT = (dt.date(2025, 3, 10), 4, 1)
DIVIDENDS = [(dt.date(2024, 8, 15), 0.3), (dt.date(2024, 11, 15), 0.3), (dt.date(2025, 2, 14), 0.4), (dt.date(2025, 5, 15), 0.1)]


@pytest.fixture
def lake(tmp_path):
    """Asked on the last day of February, when the split was not known, and once more in June."""
    world = World(first=FIRST, today=BEFORE, float32=False)
    world.splits["ACME"].append(SPLIT)
    world.dividends["ACME"] += DIVIDENDS
    with FakeYahoo(world) as yahoo:
        settings = settings_for(tmp_path, yahoo.url).model_copy(update={"dataset": "live", "live_first_session": FIRST.isoformat()})
        lake = Lake(settings.dataset_home / "lake", "live")
        for day in (BEFORE, AFTER):
            world.today, moment = day, calendar.known_at("XNYS", day)
            outcome = ingest(lake, YAHOO, settings, as_of=moment, fetched_at=moment, run_id="run", tickers=("ACME",))
            assert outcome.restated == (), "a split of a new session restates nothing"
            standardize(lake, (YAHOO,), as_of=moment, run_id="run")
    return lake


@pytest.fixture(scope="module")
def truth():
    """Total returns of every session after the first, from what truly traded."""
    world = World(first=FIRST, today=AFTER)
    world.splits["ACME"].append(SPLIT)
    days = world.days[world.days <= np.datetime64(AFTER)]
    close = world.traded("ACME")["close"][: len(days)]
    shares = np.where(days == np.datetime64(SPLIT[0]), SPLIT[1] / SPLIT[2], 1.0)
    paid = dict(DIVIDENDS)
    cash = np.array([paid.get(day, 0.0) for day in days.tolist()])
    return days, (close + cash)[1:] * shares[1:] / close[:-1] - 1


def returns(close):
    return close[1:] / close[:-1] - 1


def test_adjusted_returns_across_the_split_are_the_true_ones(lake, truth):
    days, expected = truth
    snapshot = lake.snapshot()
    bars = snapshot.sql("select session, close from core.daily_bars where ticker = 'ACME' order by session")
    sessions, close = bars["session"].to_numpy().astype("datetime64[D]"), bars["close"].to_numpy()
    actions = snapshot.sql("select session, kind, value from core.corporate_actions where ticker = 'ACME' order by session").to_pylist()
    split, paid = (
        (
            np.array([a["session"] for a in actions if a["kind"] == kind], "datetime64[D]"),
            [a["value"] for a in actions if a["kind"] == kind],
        )
        for kind in ("split", "dividend")
    )
    splits = split_factors(sessions, *split)
    adjusted = close * splits * dividend_factors(sessions, close, splits, *paid)
    assert (sessions == days).all()
    assert np.abs(returns(adjusted) - expected).max() < 1e-9


def test_appending_adjusted_increments_is_wrong_by_most_of_the_price(lake, truth):
    """What people do: keep the adjusted closes of the first download and append those of the second."""
    days, expected = truth
    query = 'select "Date" as day, arg_min("Adj Close", fetched_at) as close from raw.yahoo_bars where ticker = ? group by day order by day'
    appended = lake.snapshot().sql(query, ["ACME"])
    assert (appended["day"].to_numpy().astype("datetime64[D]") == days).all()
    wrong = np.abs(returns(appended["close"].to_numpy()) - expected)
    assert wrong.max() > 0.10
    assert days[1:][wrong.argmax()] == np.datetime64(dt.date(2025, 3, 3)), "on the first day that was appended"
