import pyarrow as pa
import pytest

from trader_pipeline_tests.checks.build import DAYS, bars, changed, quarantined, verdict


def with_nulls(n, column, ticker="A", rows=None):
    rows = bars({"A": DAYS[:100], "B": DAYS[:100]}) if rows is None else rows
    return changed(rows, ticker, *DAYS[:n], **{column: None})


@pytest.mark.parametrize(("n", "severity"), [(1, None), (2, "warning"), (5, "warning"), (6, "error")])
def test_an_open_over_one_percent_null_warns_and_over_five_is_an_error(n, severity):
    found = verdict(with_nulls(n, "open"), "nan_ratio").findings.to_pylist()
    assert [f["severity"] for f in found if f["ticker"] == "A"] == ([severity] if severity else [])
    assert not [f for f in found if f["ticker"] == "B"]


def test_a_day_without_a_close_is_quarantined_however_rare():
    rows = with_nulls(1, "close")
    assert quarantined(rows, "nan_ratio") == [("A", DAYS[0])]
    (finding,) = verdict(rows, "nan_ratio").findings.to_pylist()
    assert finding["severity"] == "warning"
    assert finding["message"] == "A: null in 1 of 100 rows (close 1.0%); 1 day without a close quarantined: fetch again"


def test_a_null_open_is_kept_until_the_column_fails():
    assert quarantined(with_nulls(5, "open"), "nan_ratio") == []
    assert quarantined(with_nulls(6, "open"), "nan_ratio") == [("A", day) for day in DAYS[:100]]


def test_null_volume_is_an_error_that_leaves_the_prices():
    rows = with_nulls(100, "volume_shares")
    result = verdict(rows, "nan_ratio")
    errors = {(f["ticker"], f["scope"]): f for f in result.findings.to_pylist()}
    assert errors["A", "ticker"]["severity"] == "error"
    assert errors["*", "table"]["value"] == pytest.approx(0.5)
    assert result.metrics["null_ratio_volume_shares"] == pytest.approx(0.5)
    assert quarantined(rows, "nan_ratio") == []
    assert result.severity == "warning"


def test_every_column_null_leaves_nothing_and_blocks():
    rows = with_nulls(100, "close", "B", rows=with_nulls(100, "close"))
    assert verdict(rows, "quarantined_tickers").severity == "error"


@pytest.mark.parametrize(("source", "fault"), [("sample", False), ("yahoo", True)])
def test_only_a_source_of_closes_alone_may_bring_no_opens(source, fault):
    rows = bars({"A": DAYS[:100], "B": DAYS[:100]})
    for ticker in ("A", "B"):
        rows = changed(rows, ticker, *DAYS[:100], open=None, high=None, low=None, volume_shares=None)
    rows = rows.set_column(rows.column_names.index("source"), "source", pa.array([source] * rows.num_rows))
    result = verdict(rows, "nan_ratio")
    assert bool(quarantined(rows, "nan_ratio")) == fault
    said = [f["message"] for f in result.findings.to_pylist() if f["scope"] == "table"]
    assert ("the source brings no open, high, low, volume_shares" in said[0]) != fault


def test_a_sample_that_lost_some_opens_is_still_at_fault():
    assert quarantined(with_nulls(6, "open"), "nan_ratio") == [("A", day) for day in DAYS[:100]]
