import numpy as np
import pytest

from trader_pipeline.features import options
from trader_pipeline_tests.features import markets
from trader_pipeline_tests.features.test_smile import chain, flat

NAN = np.nan
DAYS = markets.sessions(30)
RATE = 0.02
YIELD = 100 * np.expm1(RATE)


def chain_rows(ticker, session, volatility, **other):
    """Expiries 20, 45 and 100 days ahead by Black's formula."""
    for ahead in (20, 45, 100):
        years = ahead / 365
        for strike, call, put in chain(100 * np.exp(RATE * years), years, RATE, flat(volatility)):
            for kind, mid in (("call", call), ("put", put)):
                yield markets.quote(ticker, session, ahead, kind=kind, strike=strike, mid=mid, **other)


def built(rows, *, rate=True, tickers=("A",)):
    close = np.full((len(tickers), 30), 100.0)
    series = {"series": markets.macro("DGS3MO", DAYS, np.full(30, YIELD))} if rate else {}
    tables = markets.core(markets.bars(tickers, DAYS, close=close), option_quotes=markets.quotes(rows), **series)
    return markets.market(tables, DAYS)


def at(feature, market, session):
    return feature.compute(market)[:, session]


def test_volatility_by_tenor_is_what_the_quotes_were_made_from():
    market = built(chain_rows("A", DAYS[10], 0.35))
    for feature in (options.implied_volatility_30d, options.implied_volatility_60d, options.implied_volatility_90d):
        np.testing.assert_allclose(at(feature, market, 10), [0.35], rtol=1e-3)
    np.testing.assert_allclose(at(options.implied_skew_30d, market, 10), [0.0], atol=1e-3)
    np.testing.assert_allclose(at(options.implied_term_slope, market, 10), [0.0], atol=1e-3)


def test_a_snapshot_holds_for_its_session_and_the_next():
    found = options.implied_volatility_30d.compute(built(chain_rows("A", DAYS[10], 0.35)))[0]
    assert np.flatnonzero(np.isfinite(found)).tolist() == [10, 11]


def test_a_snapshot_taken_after_the_close_and_half_an_hour_is_known_at_the_next_session():
    late = f"{DAYS[10]}T22:00"
    found = options.implied_volatility_30d.compute(built(chain_rows("A", DAYS[10], 0.35, known_at=late)))[0]
    assert np.flatnonzero(np.isfinite(found)).tolist() == [11]


def test_contracts_that_are_asked_for_later_neither_join_a_snapshot_nor_delay_it():
    early = list(chain_rows("A", DAYS[10], 0.35))
    later = [{**row, "strike": row["strike"] + 0.5, "known_at": markets.known(DAYS[11:12])[0].as_py()} for row in early]
    for feature in options.FEATURES:
        expected, got = (feature.compute(built(rows)) for rows in (early, early + later))
        np.testing.assert_array_equal(got, expected, err_msg=feature.name)
    assert np.flatnonzero(np.isfinite(options.put_call_volume.compute(built(early + later))[0])).tolist() == [10, 11]


@pytest.mark.parametrize("broken", [{"bid": 0.0}, {"ask": 0.0}, {"bid": None}, {"bid": 9.0, "ask": 8.0}])
def test_without_a_sound_bid_and_ask_there_is_no_volatility(broken):
    market = built(chain_rows("A", DAYS[10], 0.35, **broken))
    assert np.isnan(at(options.implied_volatility_30d, market, 10)).all()
    np.testing.assert_array_equal(at(options.put_call_volume, market, 10), [1.0])


def test_a_snapshot_that_says_nothing_is_not_replaced_by_the_one_before():
    rows = [*chain_rows("A", DAYS[9], 0.35), *chain_rows("A", DAYS[10], 0.35, bid=0.0)]
    found = options.implied_volatility_30d.compute(built(rows))[0]
    assert np.flatnonzero(np.isfinite(found)).tolist() == [9]


def test_the_vendors_own_volatility_is_not_read():
    market = built(chain_rows("A", DAYS[10], 0.35, implied_volatility=9.0))
    np.testing.assert_allclose(at(options.implied_volatility_30d, market, 10), [0.35], rtol=1e-3)


def test_without_a_known_rate_there_is_no_volatility_but_volume():
    market = built(chain_rows("A", DAYS[10], 0.35), rate=False)
    assert np.isnan(at(options.implied_volatility_30d, market, 10)).all()
    np.testing.assert_array_equal(at(options.put_call_volume, market, 10), [1.0])


def test_puts_for_each_call_and_none_without_calls():
    rows = list(chain_rows("A", DAYS[10], 0.35))
    for row in rows:
        row["volume_contracts"] = 3.0 if row["kind"] == "put" else 2.0
    calls_idle = [{**row, "ticker": "B", "volume_contracts": 0.0 if row["kind"] == "call" else 5.0} for row in rows]
    np.testing.assert_array_equal(at(options.put_call_volume, built(rows + calls_idle, tickers=("A", "B")), 10), [1.5, NAN])


def test_two_tickers_and_an_own_order_of_rows_do_not_mix():
    rows = [*chain_rows("B", DAYS[10], 0.2), *chain_rows("A", DAYS[10], 0.5)]
    shuffled = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]
    found = at(options.implied_volatility_60d, built(shuffled, tickers=("A", "B")), 10)
    np.testing.assert_allclose(found, [0.5, 0.2], rtol=1e-3)


def test_what_is_implied_less_what_was_realised():
    wave = np.exp(np.cumsum(np.tile([0.01, -0.01], 15)))
    tables = markets.core(
        markets.bars(["A"], DAYS, close=100 * wave),
        option_quotes=markets.quotes(chain_rows("A", DAYS[25], 0.35)),
        series=markets.macro("DGS3MO", DAYS, np.full(30, YIELD)),
    )
    # 21 log returns of +-1 %: 11 of one sign, 10 of the other, standard deviation sqrt(440 / 420) / 100 = 0.0102353
    found = options.implied_less_realised_volatility.compute(markets.market(tables, DAYS))[0, 25]
    assert found == pytest.approx(0.35 - np.sqrt(252) * 0.01023533, abs=4e-4)


def test_a_chain_of_a_ticker_without_bars_is_left_out():
    market = built([*chain_rows("Z", DAYS[10], 0.35), *chain_rows("A", DAYS[12], 0.2)])
    assert options.implied_volatility_30d.compute(market).shape == (1, 30)
    assert np.isnan(at(options.implied_volatility_30d, market, 10)).all()
