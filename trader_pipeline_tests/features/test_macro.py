import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from trader_pipeline.features import macro
from trader_pipeline.schema.core import MACRO
from trader_pipeline_tests.features import markets

NAN = np.nan
DAYS = markets.sessions(300)


def built(series, **more):
    tables = markets.core(markets.bars(["A", "B"], DAYS, close=np.full((2, 300), 100.0)), series=series, **more)
    return markets.market(tables, DAYS)


def vintages(series, *rows):
    """Each row is (day it speaks of, release in UTC, value)."""
    told = [
        {"series": series, "observed_on": dt.date.fromisoformat(day), "known_at": dt.datetime.fromisoformat(at).replace(tzinfo=dt.UTC)}
        | {"known_at_basis": "released", "source": "fred", "vintage": "released", "value": value}
        for day, at, value in rows
    ]
    return MACRO.conform(pa.Table.from_pylist(told, schema=MACRO.arrow_schema))


def test_nothing_of_a_price_index_is_visible_before_its_release_and_a_revision_only_from_its_own():
    facts = vintages("CPIAUCSL", ("2015-01-01", "2015-02-26T13:30", 200.0), ("2015-01-01", "2015-03-24T12:30", 201.0))
    found = built(facts).macro["CPIAUCSL"][0]
    at = {str(day): value for day, value in zip(DAYS, found, strict=True)}
    assert np.isnan(at["2015-02-25"])
    assert (at["2015-02-26"], at["2015-03-23"], at["2015-03-24"]) == (200.0, 200.0, 201.0)


def test_a_month_may_be_80_sessions_old_and_a_day_5():
    monthly = built(vintages("CPIAUCSL", (str(DAYS[20]), f"{DAYS[50]}T13:30", 200.0))).macro["CPIAUCSL"][0]
    assert np.flatnonzero(np.isfinite(monthly)).tolist() == list(range(50, 101))
    daily = built(vintages("DGS10", (str(DAYS[20]), f"{DAYS[22]}T13:30", 2.0))).macro["DGS10"][0]
    assert np.flatnonzero(np.isfinite(daily)).tolist() == [22, 23, 24, 25]


def monthly(*rows):
    """Each row is (month, days after the month's end until its release, value)."""
    said = [(f"{month}-01", f"{(np.datetime64(month) + 1).astype('datetime64[D]') + after}T13:30", value) for month, after, value in rows]
    return vintages("CPIAUCSL", *said)


def test_prices_that_rise_3_percent_a_year_do_so_every_session_whenever_the_month_comes_out():
    after = np.random.default_rng(1).integers(8, 18, 26).tolist()
    rows = [(np.datetime64("2014-01") + month, after[month], 100 * 1.03 ** (month / 12)) for month in range(26)]
    found = macro.inflation_12m.compute(built(monthly(*rows)))
    np.testing.assert_allclose(found[:, 40:], np.log(1.03))


def test_inflation_is_of_the_newest_versions_and_null_without_the_month_a_year_before():
    rows = [("2014-02", 12, 200.0), ("2015-01", 12, 205.0), ("2015-02", 12, 206.0), ("2014-02", 400, 202.0)]
    found = macro.inflation_12m.compute(built(monthly(*rows)))[0]
    at = dict(zip(DAYS.astype(str).tolist(), found, strict=True))
    assert np.isnan(at["2015-03-12"])
    assert at["2015-03-13"] == at["2015-04-02"] == pytest.approx(np.log(1.03))
    assert at["2015-04-06"] == pytest.approx(np.log(206 / 202))
    first = np.searchsorted(DAYS, np.datetime64("2015-02-01")) - 1
    assert np.flatnonzero(np.isfinite(found))[-1] == first + macro.MONTHLY


def test_slope_and_its_change():
    short, long = np.full(300, 1.5), 2.0 + 0.01 * np.arange(300)
    market = built(pa.concat_tables([markets.macro("DGS3MO", DAYS, short), markets.macro("DGS10", DAYS, long)]))
    np.testing.assert_allclose(macro.short_rate.compute(market)[0], short)
    np.testing.assert_allclose(macro.term_slope.compute(market)[0], long - 1.5)
    np.testing.assert_allclose(macro.term_slope_change_21d.compute(market)[0, 21:], 0.21)
    assert np.isnan(macro.term_slope_change_21d.compute(market)[0, :21]).all()


def test_z_looks_back_only_and_is_null_where_the_year_stood_still():
    spread = np.where(np.arange(300) == 280, 3.0, 2.0)
    found = macro.credit_spread_z_252d.compute(built(markets.macro("BAA10Y", DAYS, spread)))[0]
    assert np.isnan(found[:280]).all()
    # one 1 among 251 0s: mean 1 / 252, variance 1 / 252, so z = (251 / 252) sqrt(252)
    assert found[280] == pytest.approx(251 / np.sqrt(252))


def test_the_exchanges_own_vix_comes_before_freds():
    both = pa.concat_tables([markets.macro("vix_close", DAYS, np.full(300, 20.0)), markets.macro("VIXCLS", DAYS, np.full(300, 21.0))])
    assert macro.vix.compute(built(both))[0, 0] == 20.0
    assert macro.vix.compute(built(markets.macro("VIXCLS", DAYS, np.full(300, 21.0))))[0, 0] == 21.0


def test_a_series_that_begins_later_leaves_what_stood_in_for_it_in_the_past():
    late = [markets.macro("vix_close", DAYS[200:], np.full(100, 20.0)), markets.macro("AAA10Y", DAYS[200:], np.full(100, 1.0))]
    old = [markets.macro(name, DAYS, np.full(300, value)) for name, value in (("VIXCLS", 21.0), ("BAA10Y", 2.5))]
    old += [markets.macro(name, DAYS, np.full(300, value)) for name, value in (("moodys_baa_yield", 5.0), ("moodys_aaa_yield", 4.25))]
    market = built(pa.concat_tables(late + old))
    np.testing.assert_array_equal(macro.vix.compute(market)[0, [0, 199, 200]], [21.0, 21.0, 20.0])
    np.testing.assert_array_equal(macro.default_spread.compute(market)[0, [0, 199, 200]], [0.75, 0.75, 1.5])


def test_the_default_spread_is_of_daily_yields_else_of_monthly_means():
    daily = [markets.macro(name, DAYS, np.full(300, value)) for name, value in (("BAA10Y", 2.5), ("AAA10Y", 1.0))]
    monthly = [markets.macro(name, DAYS[:1], [value]) for name, value in (("moodys_baa_yield", 5.0), ("moodys_aaa_yield", 4.25))]
    assert macro.default_spread.compute(built(pa.concat_tables(daily + monthly)))[0, 80] == 1.5
    found = macro.default_spread.compute(built(pa.concat_tables(monthly)))[0]
    assert found[80] == 0.75
    assert np.isnan(found[81])


def test_turbulence_is_the_state_of_the_session_and_never_an_older_one():
    market = built(MACRO.empty(), market_state=markets.states(DAYS[[5, 7]], [0.25, 0.75]))
    found = macro.turbulence_probability.compute(market)
    np.testing.assert_array_equal(found[:, 4:9], [[NAN, 0.25, NAN, 0.75, NAN]] * 2)


def test_a_series_that_the_dataset_lacks_leaves_its_columns_null():
    market = built(markets.macro("DGS10", DAYS, np.full(300, 2.0)))
    for feature in (macro.term_slope, macro.credit_spread, macro.vix, macro.inflation_12m, macro.turbulence_probability):
        assert np.isnan(feature.compute(market)).all()
