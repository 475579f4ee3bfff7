"""Rows of JSON as raw tables: what is read, what is told, what is refused."""

import datetime as dt

import pytest

from trader_pipeline.schema.raw_fmp import FMP_SPLITS
from trader_pipeline.sources.http import SchemaChangeError
from trader_pipeline.sources.json_rows import date_of, number_of, numbered, read_rows

NOW = dt.datetime(2025, 6, 2, 20, 30, tzinfo=dt.UTC)
ROW = {"date": "2020-08-31", "entry": 0, "numerator": 4, "denominator": 1, "label": "not in the table"}


def read(*rows, **changes):
    return read_rows(FMP_SPLITS, rows, **({"fetched_at": NOW, "sha256": "ab", "ours": {"ticker": "AAPL"}} | changes))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (4, 4.0),
        ("4", 4.0),
        ("1,234.5", 1234.5),
        ("-2e3", -2000.0),
        (True, None),
        ("n/a", None),
        ("inf", None),
        (float("nan"), None),
        ([4], None),
        (10**400, None),
    ],
)
def test_numbers(value, number):
    assert number_of(value) == number


@pytest.mark.parametrize(("value", "day"), [("2020-08-31", dt.date(2020, 8, 31)), ("2020-08-31 16:05:00", dt.date(2020, 8, 31))])
def test_days(value, day):
    assert date_of(value) == day
    assert date_of("31/08/2020") is date_of(None) is date_of("") is None


def test_rows_keep_the_vendors_columns_and_carry_ours():
    (row,) = read(ROW).rows.to_pylist()
    assert row == {
        "ticker": "AAPL",
        "date": dt.date(2020, 8, 31),
        "entry": 0,
        "numerator": 4.0,
        "denominator": 1.0,
        "splitType": None,
        "fetched_at": NOW,
        "request_sha256": "ab",
    }


def test_what_is_unreadable_is_null_and_told_and_what_is_empty_is_only_null():
    found = read(
        ROW, {**ROW, "numerator": "four", "denominator": ""}, {**ROW, "date": "soon"}, {**ROW, "entry": 0.5}, {**ROW, "entry": 1e30}
    )
    assert [(row["numerator"], row["denominator"]) for row in found.rows.to_pylist()] == [(4.0, 1.0), (None, None)]
    assert found.unread == ("1 unreadable date", "2 unreadable entry", "1 unreadable numerator", "3 rows without date, entry")


def test_a_column_that_is_in_no_row_is_a_change_of_schema():
    renamed = {"day": "2020-08-31", "entry": 0, "numerator": 4}
    with pytest.raises(SchemaChangeError, match=r"raw.fmp_splits: no row has date, denominator, only day, entry, numerator"):
        read(renamed, needed=("numerator", "denominator"))
    assert read(needed=("numerator",)).rows.num_rows == 0


def test_rows_of_a_day_are_numbered_and_a_repeat_counts_once():
    other = {**ROW, "numerator": 2}
    later = {**ROW, "date": "2021-01-04"}
    assert [(row["date"], row["numerator"], row["entry"]) for row in numbered([ROW, other, dict(ROW), later], "date")] == [
        ("2020-08-31", 4, 0),
        ("2020-08-31", 2, 1),
        ("2021-01-04", 4, 0),
    ]
