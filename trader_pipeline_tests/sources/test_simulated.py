import datetime as dt

import duckdb
import numpy as np
import pytest

from trader_pipeline import calendar
from trader_pipeline.errors import UsageError
from trader_pipeline.schema import core
from trader_pipeline.settings import Settings
from trader_pipeline.sources.simulated import BENCHMARK, SIMULATED, market_sha256
from trader_pipeline.sources.simulated_filings import simulate_filings
from trader_pipeline.sources.simulation import MarketSize, simulate
from trader_pipeline.sources.source import FetchRequest
from trader_pipeline_tests.feeds import fetched

NOW = dt.datetime(2026, 1, 5, 22, 0, tzinfo=dt.UTC)
SIZE = MarketSize(tickers=60, sessions=600, seed=1, null=False)


def settings(**changes):
    return Settings(**{"dataset": "simulated", "simulated_tickers": 12, "simulated_days": 80, "_env_file": None, **changes})


def request(**changes):
    return FetchRequest(**{"as_of": NOW, "fetched_at": NOW, **changes})


@pytest.fixture(scope="module")
def market():
    return simulate(SIZE)


@pytest.fixture(scope="module")
def tables():
    result = fetched(SIMULATED, request(), settings())
    found = SIMULATED.to_core({table.full_name: table.conform(rows) for table, rows in result.tables.items()})
    return {table.full_name: rows for table, rows in found.items()}


def test_the_same_seed_gives_the_same_market_and_another_seed_another(market):
    assert (simulate(SIZE).close_TN == market.close_TN).all()
    other = simulate(MarketSize(tickers=60, sessions=600, seed=2, null=False))
    assert not (other.close_TN == market.close_TN).any()


def test_bars_are_plausible(market):
    assert (market.low_TN <= np.minimum(market.open_TN, market.close_TN)).all()
    assert (market.high_TN >= np.maximum(market.open_TN, market.close_TN)).all()
    assert (market.low_TN > 0).all()
    assert (market.volume_TN > 0).all()


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_the_oracle_is_an_unbiased_expectation_of_the_label_from_the_next_open(market, horizon):
    """Regress the label, less its session's mean, on the oracle, less its session's mean: the slope of an expectation is 1."""
    label = np.log(market.close_TN[horizon:] / market.open_TN[1 : len(market.open_TN) - horizon + 1])
    oracle = market.oracle_TN[horizon][:-horizon]
    label = label - label.mean(axis=1, keepdims=True)
    oracle = oracle - oracle.mean(axis=1, keepdims=True)
    slope = (label * oracle).sum() / (oracle**2).sum()
    blocks = np.array([(a * b).sum() for a, b in zip(np.array_split(label, 20), np.array_split(oracle, 20), strict=True)])
    error = blocks.std(ddof=1) * np.sqrt(20) / (oracle**2).sum()
    assert abs(slope - 1) < 3 * error
    assert slope > 3 * error  # and it is not nothing


def test_the_overnight_gap_says_nothing_of_the_expectation(market):
    gap = np.log(market.open_TN[1:] / market.close_TN[:-1])
    assert abs(np.corrcoef(gap.ravel(), market.oracle_TN[1][:-1].ravel())[0, 1]) < 0.02  # 3.8 standard errors of 36,000


def test_a_null_market_has_an_oracle_of_zero_and_other_prices(market):
    null = simulate(MarketSize(tickers=60, sessions=600, seed=1, null=True))
    assert all((values == 0).all() for values in null.oracle_TN.values())
    assert not (null.close_TN == market.close_TN).any()
    assert (null.z_TN == market.z_TN).all()


def test_sessions_are_real_ones_that_end_on_2020_02_07(tables):
    with duckdb.connect() as con:
        con.register("bars", tables["core.daily_bars"])
        days = [row[0] for row in con.sql("select distinct session from bars order by 1").fetchall()]
    assert days == calendar.sessions("XNYS", days[0], dt.date(2020, 2, 7)).tolist()
    assert len(days) == 80


def test_every_table_is_filled(tables):
    assert {name: rows.num_rows for name, rows in tables.items()} == {
        "core.daily_bars": 13 * 80,
        "core.ticker_map": 13,
        "core.sectors": 12,
        "core.characteristics": 2 * 12 * 80,
        "core.macro": 80 + 7 * 79 + sum(row["series"] == "CPIAUCSL" for row in tables["core.macro"].to_pylist()),
        "core.news": tables["core.news"].num_rows,
        "core.option_quotes": 12 * 63 * 4 * 7 * 2,
        "core.oracle": 4 * 12 * 80,
        "core.fundamentals": 3966,
        "core.earnings": 199,
    }
    for table in (core.TICKER_MAP, core.SECTORS, core.CHARACTERISTICS, core.MACRO, core.NEWS, core.OPTION_QUOTES, core.ORACLE):
        table.sorted(table.conform(tables[table.full_name]))


def test_filings_are_what_quarterly_and_yearly_reports_hold(tables):
    """Every quarter but a year's last has three months; longer periods are year to date, and a year comes without its last quarter."""
    with duckdb.connect() as con:
        con.register("filed", tables["core.fundamentals"])
        lags = con.sql("select min(filed_on - period_end), max(filed_on - period_end) from filed where metric = 'total_assets'").fetchall()
        assert lags == [(25, 75)]
        lengths = con.sql("""
            select list_sort(list(distinct months)) m, count(*) n from (
                select ticker, period_end, months from filed where metric = 'total_revenue'
            ) group by ticker, period_end""").fetchall()
        assert {tuple(months) for months, _ in lengths} == {(3,), (3, 6), (3, 9), (12,)}
        restated = con.sql("select count(*) from filed where metric = 'net_income' and filed_on - period_end > 100").fetchall()[0][0]
        assert restated > 0
        beyond = con.sql("select count(*) from filed where filed_on > date '2020-02-07'").fetchall()[0][0]
        assert beyond == 0


def test_the_same_seed_files_the_same_and_another_files_something_else(market):
    days = calendar.sessions("XNYS", dt.date(2015, 1, 2), dt.date(2020, 2, 7))[-600:]
    names = [f"S{i}" for i in range(60)]
    first, second, other = (simulate_filings(market, names, days, seed) for seed in (1, 1, 2))
    assert first.filings.equals(second.filings)
    assert first.reports.equals(second.reports)
    assert not first.reports["eps_actual"].equals(other.reports["eps_actual"])


def test_rows_carry_their_own_tickers_values(tables):
    """Long rows are the [session, ticker] arrays, not their transpose."""
    made = simulate(MarketSize(tickers=12, sessions=80, seed=0, null=False))
    with duckdb.connect() as con:
        con.register("bars", tables["core.daily_bars"])
        con.register("oracle", tables["core.oracle"])
        closes = con.sql("select close from bars where ticker = 'SIM0003' order by session").fetchall()
        expected = con.sql(
            "select expected_log_return from oracle where ticker = 'SIM0003' and horizon_sessions = 20 order by session"
        ).fetchall()
    assert [row[0] for row in closes] == made.close_TN[:, 3].tolist()
    assert [row[0] for row in expected] == made.oracle_TN[20][:, 3].tolist()


def test_the_benchmark_is_no_stock(tables):
    roles = dict(zip(tables["core.ticker_map"]["ticker"].to_pylist(), tables["core.ticker_map"]["role"].to_pylist(), strict=True))
    assert [ticker for ticker, role in roles.items() if role == "benchmark"] == [BENCHMARK]


def test_a_second_fetch_makes_nothing():
    result = fetched(SIMULATED, request(seen=frozenset({market_sha256(settings())})), settings())
    assert result.tables == {}


def test_another_seed_in_the_same_home_is_refused():
    with pytest.raises(UsageError, match="another seed or size"):
        fetched(SIMULATED, request(seen=frozenset({market_sha256(settings())})), settings(seed=1))


def test_more_sessions_than_the_calendar_has_are_refused():
    with pytest.raises(UsageError, match="lower TRADER_SIMULATED_DAYS"):
        fetched(SIMULATED, request(), settings(simulated_days=9000, simulated_tickers=2))


def test_prices_are_those_of_the_generator_before_it_published_headlines_chains_and_macro_series(market):
    expected = [[142.96010765711944, 48.08738627850202], [122.95154240173164, 74.0217584692291]]
    np.testing.assert_allclose(market.close_TN[[0, -1]][:, [0, 59]], expected, rtol=1e-9)
    assert market.market_close_T[-1] == pytest.approx(82.93130469956665, rel=1e-9)


def test_a_headline_is_known_at_the_session_that_it_is_of(tables):
    rows = tables["core.news"]
    days = calendar.sessions("XNYS", dt.date(2019, 10, 1), dt.date(2020, 2, 7))[-80:]
    column = np.searchsorted(calendar.known_at_array("XNYS", days), rows["known_at"].cast("int64").to_numpy().view("datetime64[us]"))
    ticker = np.array([int(name.removeprefix("SIM")) for name in rows["ticker"].to_pylist()])
    assert len(set(zip(ticker.tolist(), column.tolist(), strict=True))) == rows.num_rows
    good = np.array(["great" in t or "strong" in t or "success" in t for t in rows["title"].to_pylist()])
    z_TN = simulate(MarketSize(tickers=12, sessions=80, seed=0, null=False)).z_TN
    assert z_TN[column[good], ticker[good]].mean() > 0.3
    assert z_TN[column[~good], ticker[~good]].mean() < -0.3


def test_macro_series_come_out_after_their_day_and_the_price_index_is_revised_once(tables):
    rows = [row for row in tables["core.macro"].to_pylist() if row["series"] != "regime"]
    assert all(row["known_at"].date() > row["observed_on"] for row in rows)
    index = [row for row in rows if row["series"] == "CPIAUCSL"]
    assert {(row["known_at"].date() - row["observed_on"]).days for row in index} == {43, 73}
    assert {row["vintage"] for row in index} == {"released"}
    assert {row["vintage"] for row in rows if row["series"] != "CPIAUCSL"} == {"final"}


def test_an_option_chain_keeps_parity_and_a_spread(tables):
    with duckdb.connect() as con:
        con.register("quotes", tables["core.option_quotes"])
        worst, crossed = con.sql("""
            select max(abs(c.bid + c.ask - p.bid - p.ask - 2 * (c.underlying - c.strike * exp(-0.02 * (c.expiry - c.session) / 365.0)))),
              count(*) filter (c.bid > c.ask or p.bid > p.ask)
            from quotes c join quotes p using (ticker, session, expiry, strike)
            where c.kind = 'call' and p.kind = 'put' and c.bid > 0 and p.bid > 0
        """).fetchall()[0]
    assert worst < 1e-9
    assert crossed == 0
