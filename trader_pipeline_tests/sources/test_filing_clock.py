"""The one rule by which figures of every source become usable."""

import datetime as dt

import pytest

from trader_pipeline.sources.filing_clock import usable_at

FILED = dt.date(2024, 3, 8)  # a Friday; New York's clocks change on the Sunday after
MIDNIGHT = dt.datetime(2024, 3, 9, 5, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("accepted", "usable"),
    [
        (dt.datetime(2024, 3, 8, 11, 0, tzinfo=dt.UTC), MIDNIGHT),
        (dt.datetime(2024, 3, 7, 22, 45, tzinfo=dt.UTC), MIDNIGHT),  # accepted in the evening, filed on the next day
        (dt.datetime(2024, 3, 9, 13, 0, tzinfo=dt.UTC), dt.datetime(2024, 3, 9, 13, 0, tzinfo=dt.UTC)),
        (None, dt.datetime(2024, 3, 11, 20, 30, tzinfo=dt.UTC)),
    ],
)
def test_a_filing_is_usable_after_its_day_and_its_acceptance(accepted, usable):
    assert usable_at(accepted, FILED, "XNYS") == usable


def test_without_an_acceptance_the_listings_own_next_session_counts():
    assert usable_at(None, dt.date(2024, 3, 28), "XNYS") == dt.datetime(2024, 4, 1, 20, 30, tzinfo=dt.UTC)
    assert usable_at(None, dt.date(2024, 3, 28), "XLON") == dt.datetime(2024, 4, 2, 16, 0, tzinfo=dt.UTC)  # Easter Monday is none there
