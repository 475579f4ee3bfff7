from trader_pipeline_tests.checks.build import DAYS, bars, quarantined, row, table, verdict

CLEAN = bars({"A": DAYS[:20], "B": DAYS[:20]}).to_pylist()


def test_a_row_given_twice_is_quarantined():
    rows = table([*CLEAN, row("A", DAYS[3])])
    assert quarantined(rows, "duplicates") == [("A", DAYS[3])]
    (finding,) = verdict(rows, "duplicates").findings.to_pylist()
    assert finding["message"].startswith("A: 1 session given up to 2 times with identical values, first 2018-01-05; ")


def test_differing_rows_say_so():
    rows = table([*CLEAN, row("B", DAYS[3], close=10.6), row("B", DAYS[5])])
    (finding,) = verdict(rows, "duplicates").findings.to_pylist()
    assert finding["sessions"] == 2
    assert "different values" in finding["message"]


def test_two_sources_are_not_duplicates():
    assert verdict(table([*CLEAN, row("A", DAYS[3], source="yahoo")]), "duplicates").passed


def test_intraday_rows_are_not_duplicates():
    hours = [row("A", day, close=10.1 + hour / 10) for day in DAYS[:20] for hour in range(7)]
    assert verdict(table(hours), "duplicates").passed
    assert verdict(table(hours), "missing_dates").passed
    whole_file_three_times = [row("A", day) for day in DAYS[:20] for _ in range(3)]
    assert verdict(table(whole_file_three_times), "duplicates").metrics["repeated_sessions"] == 20
