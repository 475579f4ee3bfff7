import datetime as dt

import pytest

from trader_pipeline import calendar
from trader_pipeline.checks.overrides import Override
from trader_pipeline.errors import InputError
from trader_pipeline.flows.check_files import check_files, core_of_files
from trader_pipeline.settings import CheckSettings
from trader_pipeline.sources.listings import BY_SUFFIX, listing_of
from trader_pipeline.sources.own_files import read_folder
from trader_pipeline_tests.checks.vendor import series

NOW = dt.datetime(2024, 7, 1, 12, 0, tzinfo=dt.UTC)
HEADER = "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits\n"


def days(exchange="XNYS", first="2024-01-02", last="2024-06-28"):
    return calendar.sessions(exchange, dt.date.fromisoformat(first), dt.date.fromisoformat(last)).tolist()


def line(day, **prices):
    values = {"open": 10, "high": 11, "low": 9, "close": 10.5, "volume": 1000} | prices
    return "{day},{open},{high},{low},{close},{close},{volume},0,0\n".format(day=day, **values)


def write(folder, name, sessions, **faults):
    """Write one file; `faults` maps a date as `d2024_03_01` to the values that are wrong on it."""
    rows = [line(day, **{"close": 10.5 + day.day % 3 / 100} | faults.get(f"d{day:%Y_%m_%d}", {})) for day in sessions]
    (folder / f"{name}.csv").write_text(HEADER + "".join(rows))


def check(folder, *, as_of=None, **options):
    return check_files(folder, CheckSettings(), as_of=as_of, now=NOW, **options)


def found(report):
    return {(f["ticker"], f["rule"]) for r in report.results for f in r.findings.to_pylist()}


def test_clean_files_have_no_finding(tmp_path):
    write(tmp_path, "AAPL", days())
    write(tmp_path, "BRK-B", days())
    write(tmp_path, "VOD.L", days("XLON"))
    write(tmp_path, "IBE-MC-1d", days("XMAD"))
    assert found(check(tmp_path)) == set()


def test_the_name_of_a_file_says_the_exchange_where_the_days_fit_several(tmp_path):
    write(tmp_path, "KEN-TA-1d", days("XTAE"))
    write(tmp_path, "TRA-DE-1d-some", days("XETR", "2024-06-03", "2024-06-07"))  # New York was open on the same days
    listed = _exchanges(tmp_path)
    assert listed == {"KEN-TA-1d": "XTAE", "TRA-DE-1d-some": "XETR"}
    assert found(check(tmp_path)) <= {("TRA-DE-1d-some", "staleness")}


def _exchanges(folder):
    rows, _ = read_folder(folder, NOW)
    return {r["ticker"]: r["exchange"] for r in core_of_files(rows)[2].to_pylist()}


def test_a_single_missing_session_of_a_short_file_is_no_error(tmp_path):
    write(tmp_path, "SHORT", [d for d in days(first="2024-06-20") if d != dt.date(2024, 6, 25)])
    (finding,) = next(r for r in check(tmp_path).results if r.rule == "missing_dates").findings.to_pylist()
    assert finding["severity"] == "warning"


def test_faults_of_a_vendor_s_adjustment_are_found(tmp_path):
    sessions = days()
    lines = [line(day) for day in sessions]
    lines[60] = lines[60].replace(",0,0\n", ",0.7,0\n")
    (tmp_path / "AAPL.csv").write_text(HEADER + "".join(lines))
    (finding,) = next(r for r in check(tmp_path).results if r.rule == "dividend_adjustment").findings.to_pylist()
    assert (finding["first_session"], finding["severity"]) == (sessions[60], "error")
    assert "Adj Close" in finding["message"]


def test_each_fault_is_found_in_its_file(tmp_path):
    sessions = days()
    write(tmp_path, "GOOD", sessions)
    write(tmp_path, "HOLE", [d for d in sessions if d.month != 3])
    write(tmp_path, "NULL", sessions, d2024_03_01={"close": ""})
    write(tmp_path, "SWAP", sessions, d2024_03_01={"high": 9, "low": 11})
    write(tmp_path, "TWICE", [*sessions, sessions[5]])
    write(tmp_path, "OLD", sessions[:-10])
    write(tmp_path, "SUNDAY", [*sessions, dt.date(2024, 3, 3)])
    write(tmp_path, "AHEAD", [*sessions, dt.date(2024, 7, 5)])
    report = check(tmp_path)
    assert found(report) == {
        ("HOLE", "missing_dates"),
        ("NULL", "nan_ratio"),
        ("SWAP", "ohlc_order"),
        ("TWICE", "duplicates"),
        ("OLD", "staleness"),
        ("SUNDAY", "off_calendar"),
        ("AHEAD", "off_calendar"),
    }
    assert report.blocked_by == []


def test_staleness_is_judged_at_the_day_that_was_asked_for(tmp_path):
    write(tmp_path, "AAPL", days(last="2024-06-14"))
    assert check(tmp_path).blocked_by == []
    # 17, 18, 20 and 21 June closed since: the 19th is a holiday
    assert check(tmp_path, as_of=dt.date(2024, 6, 21)).blocked_by == []
    assert check(tmp_path, as_of=dt.date(2024, 6, 24)).blocked_by == ["staleness"]
    assert found(check(tmp_path, as_of=dt.date(2024, 5, 31))) == set()


def test_what_a_person_decided_holds_for_files_too(tmp_path):
    sessions = days()
    write(tmp_path, "SWAP", sessions, d2024_03_01={"high": 9, "low": 11})
    span = {"ticker": "SWAP", "table": "*", "source": "*", "reason": "looked up", "expires": dt.date(2099, 1, 1)}
    accepted = Override(kind="accept", rule="ohlc_order", first=dt.date(2024, 3, 1), last=dt.date(2024, 3, 1), **span)
    assert [r["rule"] for r in check(tmp_path).quarantine.to_pylist()] == ["ohlc_order"]
    assert check(tmp_path, overrides=[accepted]).quarantine.num_rows == 0


def test_a_cell_that_is_no_number_is_told(tmp_path):
    write(tmp_path, "AAPL", days(), d2024_03_01={"volume": "n.v."})
    (finding,) = next(r for r in check(tmp_path).results if r.rule == "file_format").findings.to_pylist()
    assert finding["ticker"] == "AAPL"
    assert "'n.v.'" in finding["message"]


@pytest.mark.parametrize("place", [60, 59], ids=["the ex-date", "the session before"])
def test_a_repeated_session_is_no_fault_of_its_dividend(tmp_path, place):
    lines = [
        "{session},{open},{high},{low},{close},{adj_close},{volume},{dividend},0\n".format(**row)
        for row in series(len(days()), dividends={20: 0.6, 60: 0.7, 100: 0.6}, days=days())
    ]
    (tmp_path / "AAPL.csv").write_text(HEADER + "".join([*lines[: place + 1], *lines[place:]]))
    assert found(check(tmp_path)) == {("AAPL", "duplicates")}


@pytest.mark.parametrize(("column", "value"), [("close", "inf"), ("high", "Infinity"), ("low", "-inf"), ("volume", "1e999")])
def test_what_is_infinite_is_an_error_and_kept_out(tmp_path, column, value):
    write(tmp_path, "AAPL", days(), d2024_03_01={column: value})
    report = check(tmp_path)
    findings = [f for r in report.results if r.rule != "file_format" for f in r.findings.to_pylist()]
    assert [(f["rule"], f["severity"], f["first_session"]) for f in findings] == [("ohlc_order", "error", dt.date(2024, 3, 1))]
    assert [(r["rule"], r["session"]) for r in report.quarantine.to_pylist()] == [("ohlc_order", dt.date(2024, 3, 1))]


def test_weekly_and_hourly_files_are_told_and_not_judged_by_the_calendar(tmp_path):
    write(tmp_path, "WEEKLY", [d for d in days() if d.weekday() == 0])
    hours = [line(f"{day} {hour:02d}:30:00", close=10.1 + hour / 100) for day in days() for hour in range(10, 16)]
    (tmp_path / "HOURLY.csv").write_text(HEADER + "".join(hours))
    assert found(check(tmp_path)) == {("WEEKLY", "file_format"), ("HOURLY", "file_format")}


def test_a_folder_that_cannot_be_read_says_why(tmp_path):
    with pytest.raises(InputError, match=r"no \.csv or \.parquet file"):
        check(tmp_path)
    (tmp_path / "A.csv").write_text("")
    with pytest.raises(InputError, match=r"A\.csv: the file is empty"):
        check(tmp_path)


@pytest.mark.parametrize("exchange", sorted({listing.exchange for listing in BY_SUFFIX.values()}))
def test_every_listing_s_calendar_can_be_opened(exchange):
    assert 230 < len(calendar.sessions(exchange, dt.date(2024, 1, 1), dt.date(2024, 12, 31))) < 260


def test_calendars_know_the_days_of_their_own_exchange():
    assert calendar.sessions(listing_of("4063.T").exchange, dt.date(1990, 1, 1), dt.date(1997, 1, 31))[0].item() == dt.date(1997, 1, 6)
    # San Isidro is no holiday of the exchange, Good Friday is
    madrid = calendar.sessions(listing_of("IBE.MC").exchange, dt.date(2024, 3, 28), dt.date(2024, 4, 2)).tolist()
    assert madrid == [dt.date(2024, 3, 28), dt.date(2024, 4, 2)]
