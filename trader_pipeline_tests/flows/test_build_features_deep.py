"""Features and labels of the deep sample: real prices, with Apple's 7:1 split of 2014-06-09 inside."""

import datetime as dt

import numpy as np
import pyarrow.compute as pc
import pytest

from trader_pipeline import calendar, panel
from trader_pipeline.coverage import feature_coverage
from trader_pipeline.features import FEATURES, PANEL
from trader_pipeline.flows.accept import accept
from trader_pipeline.flows.build_features import build_features
from trader_pipeline.flows.check import check
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.market_state import market_state
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.lake import Lake
from trader_pipeline.schema.core import EARNINGS, FUNDAMENTALS
from trader_pipeline.schema.features import TARGETS
from trader_pipeline.settings import Settings
from trader_pipeline_tests.feeds import feed_of

AS_OF = calendar.known_at("XNYS", dt.date(2020, 2, 7))
NAMES = [feature.name for feature in FEATURES]
HAS = {"turbulence_probability", "default_spread", "vix", "vix_change_21d", "vix_z_252d"}
WITHOUT_DATA = ("characteristics", "macro", "sentiment", "options")
ABSENT = {f.name for f in FEATURES if f.family in WITHOUT_DATA or {FUNDAMENTALS, EARNINGS} & set(f.inputs)} - HAS


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    settings = Settings(home=tmp_path_factory.mktemp("deep"), dataset="deep", _env_file=None)
    lake, source = Lake(settings.dataset_home / "lake", "deep"), feed_of("deep")
    ingest(lake, source, settings, as_of=AS_OF, fetched_at=AS_OF, run_id="r")
    standardize(lake, (source,), as_of=AS_OF, run_id="r")
    check(lake, as_of=AS_OF, settings=settings.checks, run_id="r")
    accept(lake, as_of=AS_OF, run_id="r")
    return lake


@pytest.fixture(scope="module")
def built(lake):
    market_state(lake, as_of=AS_OF, run_id="r")
    build_features(lake, as_of=AS_OF, run_id="r")
    return lake.snapshot()


def test_the_panel_has_every_stock_and_not_the_benchmark(built):
    rows = built.sql("select ticker, count(*) n, max(session) last from features.panel group by ticker order by ticker").to_pylist()
    assert [row["ticker"] for row in rows] == ["AAPL", "ABBV", "AMD", "AMZN", "BA", "GOOG", "GOOGL", "META", "NFLX", "NVDA", "TSLA"]
    assert {row["last"] for row in rows} == {dt.date(2020, 2, 7)}
    assert sum(row["n"] for row in rows) == 24_890


def test_families_without_data_are_absent_and_the_others_present(built):
    rows = {row["family"]: row for row in feature_coverage(built)}
    assert {family: row["first"] for family, row in rows.items() if row["state"] == "present"} == {
        "alpha": dt.date(2009, 2, 9),
        "factors": dt.date(2014, 10, 21),  # exposures to the two factors that need no filings
        "macro": dt.date(2009, 2, 9),  # VIX, a default spread and the probability of turbulence
        "momentum": dt.date(2009, 2, 9),
        "residual": dt.date(2009, 5, 11),
        "volatility": dt.date(2009, 2, 9),
        "volume": dt.date(2009, 3, 4),
    }
    assert {family for family, row in rows.items() if row["state"] == "absent"} == {
        *("characteristics", "growth", "options", "quality", "sentiment", "valuation"),
    }


def test_a_label_across_apples_split(built):
    row = built.sql("select * from features.targets where ticker = 'AAPL' and session = date '2014-06-05'").to_pylist()[0]
    # as traded: open 649.90 on 2014-06-06, close 92.29 on 2014-06-12 after 7:1
    assert row["forward_return_5d"] == pytest.approx(7 * 92.29 / 649.90 - 1, abs=2e-4)
    assert row["volatility_daily"] == pytest.approx(0.0131, abs=0.004)


def test_all_but_the_families_without_data_have_values_and_none_is_wild(built):
    _, x_NTF = panel.read_features(built.files(PANEL), NAMES)
    for number, name in enumerate(NAMES):
        values = x_NTF[..., number]
        assert np.isfinite(values).any() == (name not in ABSENT), name
        assert not np.isinf(values).any(), name
    last = dict(zip(NAMES, x_NTF[:, -1].T, strict=True))
    assert ((last["price_to_52_week_high"] > 0.4) & (last["price_to_52_week_high"] <= 1)).all()
    assert ((last["volatility_21d"] > 0.005) & (last["volatility_21d"] < 0.09)).all()
    assert np.argmax(last["volatility_21d"]) == 10  # TSLA rose 20 % on 2020-02-03 and fell 17 % on 2020-02-05
    assert ((last["beta_252d"] > 0.4) & (last["beta_252d"] < 2.5)).all()


def test_the_market_was_turbulent_in_august_2015_and_calm_in_october_2017(built):
    rows = built.sql("select session, p_turbulent, fitted_on from features.market_state").to_pylist()
    found = {row["session"]: row["p_turbulent"] for row in rows}
    assert found[dt.date(2015, 8, 24)] > 0.99  # the S&P 500 fell 3.9 %
    assert max(p for session, p in found.items() if (session.year, session.month) == (2017, 10)) < 0.1
    assert all(row["fitted_on"].year == row["session"].year for row in rows)


def test_labels_whose_end_is_not_known_are_null(built):
    for horizon in (1, 5, 20, 60):
        known = built.read(TARGETS, ["session", f"forward_return_{horizon}d"]).drop_null()
        last = pc.max(known["session"]).as_py()
        assert last == calendar.offset("XNYS", dt.date(2020, 2, 7), -horizon)
    assert built.rows(TARGETS) == 24_890


@pytest.mark.parametrize("last", [dt.date(2014, 6, 6), dt.date(2014, 6, 9), dt.date(2017, 3, 31)], ids=str)
def test_truncating_the_sample_changes_no_bit_of_the_past(lake, built, last):
    grid, whole = panel.read_features(built.files(PANEL), NAMES)
    build_features(lake, as_of=calendar.known_at("XNYS", last), run_id="r")
    early, part = panel.read_features(lake.snapshot().files(PANEL), NAMES)
    assert early.sessions[-1] == np.datetime64(last)
    rows = [grid.tickers.index(ticker) for ticker in early.tickers]
    np.testing.assert_array_equal(part.view(np.int32), np.ascontiguousarray(whole[rows, : len(early.sessions)]).view(np.int32))
