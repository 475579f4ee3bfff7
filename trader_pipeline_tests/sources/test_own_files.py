import datetime as dt
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trader_pipeline.errors import InputError
from trader_pipeline.schema import core, raw
from trader_pipeline.settings import Settings
from trader_pipeline.sources.own_files import OWN, read_folder
from trader_pipeline.sources.source import FetchRequest
from trader_pipeline_tests.feeds import fetched

NOW = dt.datetime(2024, 1, 10, 22, 0, tzinfo=dt.UTC)
ROWS = "2024-01-02,10,11,9,10.5,1000\n2024-01-03,10.5,12,10,11,1100\n"
HEADER = "Date,Open,High,Low,Close,Volume\n"


def settings(path, **changes):
    return Settings(**{"dataset": "own", "own_path": path, "_env_file": None, **changes})


def request(**changes):
    return FetchRequest(**{"as_of": NOW, "fetched_at": NOW, **changes})


def core_of(rows):
    return OWN.to_core({raw.OWN_BARS.full_name: rows})


def test_one_file_a_ticker_takes_the_ticker_from_the_name(tmp_path):
    (tmp_path / "aapl.csv").write_text(HEADER + ROWS)
    (tmp_path / "BRK.B.csv").write_text(HEADER + ROWS)
    (tmp_path / "notes.txt").write_text("not read")
    rows, attempts = read_folder(tmp_path, NOW)
    assert [a.ticker for a in attempts] == ["AAPL", "BRK.B"]
    assert rows.num_rows == 4
    assert (attempts[0].rows, attempts[0].first_session, attempts[0].last_session) == (2, dt.date(2024, 1, 2), dt.date(2024, 1, 3))
    assert attempts[0].detail is None


@pytest.mark.parametrize(
    "header",
    [
        "date,open,high,low,close,volume,symbol",
        "Date,Open,High,Low,Close,Vol,Ticker",
        "timestamp,1. open,2. high,3. low,4. close,5. volume,code",
        "trade_date,o,h,l,c,v,SYM",
        "Datetime,Open,High,Low,Close/Last,Volume,Symbol",
    ],
)
def test_usual_spellings_mean_the_same(tmp_path, header):
    (tmp_path / "all.csv").write_text(f"{header}\n2024-01-02,10,11,9,10.5,1000,MSFT\n")
    rows, _ = read_folder(tmp_path, NOW)
    (row,) = rows.to_pylist()
    assert [row[name] for name in ("ticker", "open", "high", "low", "close", "volume")] == ["MSFT", 10, 11, 9, 10.5, 1000]


@pytest.mark.parametrize(
    "text", ["2024-01-02", "2024-01-02 00:00:00-05:00", "2024-01-02T00:00:00+09:00", "20240102", "01/02/2024", "1/2/2024"]
)
def test_usual_dates_mean_the_local_day(tmp_path, text):
    (tmp_path / "A.csv").write_text(HEADER + f"{text},10,11,9,10.5,1000\n")
    rows, _ = read_folder(tmp_path, NOW)
    assert rows["date"].to_pylist() == [dt.date(2024, 1, 2)]


def test_parquet_with_a_zoned_timestamp_keeps_the_local_day(tmp_path):
    stamp = pa.array([dt.datetime(2024, 1, 2, 5, 0, tzinfo=dt.UTC)], pa.timestamp("us", tz="America/New_York"))
    one = {name: [value] for name, value in {"Open": 10.0, "High": 11.0, "Low": 9.0, "Close": 10.5, "Volume": 1000}.items()}
    pq.write_table(pa.table({"Date": stamp, **one}), tmp_path / "A.parquet")
    rows, _ = read_folder(tmp_path, NOW)
    assert rows["date"].to_pylist() == [dt.date(2024, 1, 2)]
    assert rows["volume"].to_pylist() == [1000.0]


def test_adjusted_closes_are_ignored(tmp_path):
    (tmp_path / "A.csv").write_text("Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-02,10,11,9,10.5,5.25,1000\n")
    rows, _ = read_folder(tmp_path, NOW)
    assert rows["close"].to_pylist() == [10.5]


def test_a_cell_that_is_no_number_becomes_null_and_is_told_a_blank_one_is_not(tmp_path):
    (tmp_path / "A.csv").write_text(HEADER + "2024-01-02,10,11,9,oops,1000\n2024-01-03,,11,9,10,n/a\n2024-01-04,1,inf,1,1,1\n")
    rows, (attempt,) = read_folder(tmp_path, NOW)
    assert rows["close"].to_pylist() == [None, 10, 1]
    assert rows["open"].to_pylist() == [10, None, 1]
    assert rows["volume"].to_pylist() == [1000, None, 1]
    assert rows["high"].to_pylist() == [11, 11, math.inf]  # the rules judge what is infinite
    assert attempt.detail == ("close: not a number in 1 rows (first 'oops'), taken as missing")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "A.csv: the file is empty"),
        (HEADER, "A.csv: no rows"),
        (HEADER + "2024-01-02,10,11\n", "A.csv: .*Expected 6 columns, got 3"),
        ("Date,Open,High,Low,Close\n2024-01-02,1,1,1,1\n", r"A.csv: no column for \['volume'\]"),
        ("Date,Open,High,Low,Close,Volume,Vol\n2024-01-02,1,1,1,1,1,1\n", "'Volume' and 'Vol' both mean volume"),
        (HEADER + "2024-01-02,10,11,9,10,1\nyesterday,10,11,9,10,1\n", "A.csv: row 2 has the date 'yesterday'; write YYYY-MM-DD"),
        (HEADER + "2024-02-30,10,11,9,10,1\n", "row 1 has the date '2024-02-30'"),
        (HEADER + "2099-01-02,10,11,9,10,1\n", "row 1 is dated 2099-01-02, after 2024-01-10"),
        ("ticker," + HEADER + ",2024-01-02,10,11,9,10,1\n", "rows without a ticker"),
    ],
)
def test_what_cannot_be_read_names_the_fact(tmp_path, content, message):
    (tmp_path / "A.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        read_folder(tmp_path, NOW)


def test_bytes_that_are_no_text_and_a_broken_parquet_are_named(tmp_path):
    (tmp_path / "A.parquet").write_bytes(b"PAR1 no parquet")
    with pytest.raises(InputError, match=r"A.parquet: .*no readable Parquet file"):
        read_folder(tmp_path, NOW)
    (tmp_path / "A.parquet").unlink()
    (tmp_path / "B.csv").write_bytes(HEADER.encode() + b"\xff\xfe\x00,1\n")
    with pytest.raises(InputError, match=r"B.csv: "):
        read_folder(tmp_path, NOW)


def test_a_folder_with_two_schemas_is_refused(tmp_path):
    (tmp_path / "A.csv").write_text(HEADER + ROWS)
    (tmp_path / "all.csv").write_text("ticker," + HEADER + "B,2024-01-02,10,11,9,10.5,1000\n")
    with pytest.raises(InputError, match=r"two schemas in one folder: all.csv has a ticker column, A.csv has none"):
        read_folder(tmp_path, NOW)


def test_no_folder_and_a_folder_without_files_are_named(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_folder(tmp_path / "none", NOW)
    with pytest.raises(InputError, match=r"holds no \.csv or \.parquet file"):
        read_folder(tmp_path, NOW)
    with pytest.raises(InputError, match="pass --path"):
        fetched(OWN, request(), settings(None))


def test_weekly_and_intraday_bars_are_told_and_not_run_on(tmp_path):
    weeks = [dt.date(2023, 1, 2) + dt.timedelta(weeks=k) for k in range(10)]
    (tmp_path / "W.csv").write_text(HEADER + "".join(f"{day},10,11,9,10,1\n" for day in weeks))
    hours = "".join(f"2024-01-0{d} {h}:30:00-05:00,10,11,9,10,1\n" for d in (2, 3) for h in (10, 11, 12))
    (tmp_path / "H.csv").write_text(HEADER + hours)
    rows, attempts = read_folder(tmp_path, NOW)
    assert rows.num_rows == 16
    assert {a.ticker: a.detail for a in attempts} == {
        "W": "weekly bars: calendar rules do not apply",
        "H": "intraday bars: calendar rules do not apply",
    }
    with pytest.raises(InputError, match="H, W: not daily bars"):
        fetched(OWN, request(), settings(tmp_path))


def test_a_few_rows_far_apart_say_nothing_of_the_spacing(tmp_path):
    (tmp_path / "A.csv").write_text(HEADER + "".join(f"{day},10,11,9,10,1\n" for day in ("2023-12-01", "2023-12-15", "2024-01-02")))
    assert read_folder(tmp_path, NOW)[1][0].detail is None


def test_holidays_and_holes_do_not_make_a_daily_file_weekly(tmp_path):
    days = ["2023-12-22", "2023-12-26", "2024-01-02", "2024-01-03", "2024-01-04"]
    (tmp_path / "A.csv").write_text(HEADER + "".join(f"{day},10,11,9,10,1\n" for day in days))
    assert read_folder(tmp_path, NOW)[1][0].detail is None


SPLIT = "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits\n"


def test_prices_adjusted_for_their_own_splits_are_taken_back_to_as_traded(tmp_path):
    """A 4:1 split: the file shows 25.0, 25.5, 26.0 where 100, 102 and then 26 were traded; dividends likewise."""
    rows = "2024-01-02,25,25,25,25,4000,0.5,0\n2024-01-03,25.5,25.5,25.5,25.5,4000,0,0\n2024-01-04,26,26,26,26,4100,0.25,4\n"
    (tmp_path / "A.csv").write_text(SPLIT + rows)
    found = fetched(OWN, request(), settings(tmp_path))
    tables = core_of(found.tables[raw.OWN_BARS])
    bars = sorted(tables[core.DAILY_BARS].to_pylist(), key=lambda row: row["session"])
    assert [row["close"] for row in bars] == [100, 102, 26]
    assert [row["volume_shares"] for row in bars] == [1000, 1000, 4100]
    actions = {(row["kind"], row["session"].day): row["value"] for row in tables[core.CORPORATE_ACTIONS].to_pylist()}
    assert actions == {("split", 4): 4, ("dividend", 2): 2.0, ("dividend", 4): 0.25}
    assert found.attempts[0].detail == "prices are adjusted for its splits: taken back to as traded"


def test_prices_that_jump_at_their_split_are_as_traded_already(tmp_path):
    (tmp_path / "A.csv").write_text(SPLIT + "2024-01-02,100,100,100,100,1000,0,0\n2024-01-03,25.5,25.5,25.5,25.5,4000,0,4\n")
    found = fetched(OWN, request(), settings(tmp_path))
    assert found.tables[raw.OWN_BARS]["splits_after"].to_pylist() == [1, 1]
    assert found.attempts[0].detail is None


def test_equal_repeats_are_kept_once_and_conflicting_ones_left_out_and_told(tmp_path):
    (tmp_path / "all.csv").write_text(
        "ticker,"
        + HEADER
        + "A,2024-01-02,10,11,9,10,1\nA,2024-01-02,10,11,9,10,1\nA,2024-01-03,10,11,9,10,1\nA,2024-01-03,10,11,9,10.1,1\n"
    )
    found = fetched(OWN, request(), settings(tmp_path))
    assert found.tables[raw.OWN_BARS]["date"].to_pylist() == [dt.date(2024, 1, 2)]
    assert found.attempts[0].detail == "1 days with differing rows left out, first 2024-01-03 (all.csv)"
    assert read_folder(tmp_path, NOW)[0].num_rows == 4  # the checks see them all


def test_only_files_with_new_bytes_are_read_again(tmp_path):
    (tmp_path / "A.csv").write_text(HEADER + ROWS)
    (tmp_path / "B.csv").write_text(HEADER + ROWS.replace("10.5", "20.5"))
    first = fetched(OWN, request(), settings(tmp_path))
    seen = frozenset(first.tables[raw.OWN_BARS]["request_sha256"].to_pylist())
    assert OWN.request_hashes(settings(tmp_path)) == seen
    assert fetched(OWN, request(seen=seen), settings(tmp_path)).tables == {}
    (tmp_path / "B.csv").write_text(HEADER + ROWS + "2024-01-04,11,12,10,11,900\n")
    second = fetched(OWN, request(seen=seen), settings(tmp_path))
    assert set(second.tables[raw.OWN_BARS]["ticker"].to_pylist()) == {"B"}
    assert [a.ticker for a in second.attempts] == ["B"]


def test_a_ticker_that_no_file_holds_is_told(tmp_path):
    (tmp_path / "A.csv").write_text(HEADER + ROWS)
    found = fetched(OWN, request(tickers=("A", "NOSUCH")), settings(tmp_path))
    assert {a.ticker: a.outcome for a in found.attempts} == {"A": "ok", "NOSUCH": "unknown_symbol"}


def test_the_benchmark_is_told_by_its_name_and_london_quotes_pence(tmp_path):
    (tmp_path / "SPY.csv").write_text(HEADER + ROWS)
    (tmp_path / "VOD.L.csv").write_text(HEADER + ROWS.replace("10.5", "70.5"))
    (tmp_path / "TEM-L.csv").write_text(HEADER + ROWS)
    (tmp_path / "BRK-B.csv").write_text(HEADER + ROWS)
    tables = core_of(fetched(OWN, request(), settings(tmp_path)).tables[raw.OWN_BARS])
    roles = {row["ticker"]: (row["role"], row["exchange"]) for row in tables[core.TICKER_MAP].to_pylist()}
    london = {"VOD.L": ("stock", "XLON"), "TEM-L": ("stock", "XLON")}
    assert roles == {"SPY": ("benchmark", "XNYS"), "BRK-B": ("stock", "XNYS"), **london}
    assert {row["price_unit"] for row in tables[core.DAILY_BARS].to_pylist() if row["ticker"] in london} == {"GBp"}
