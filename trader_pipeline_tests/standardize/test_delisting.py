import datetime as dt

import pytest

from trader_pipeline.standardize.delisting import Answer, ended


def said(outcome, days, source="yahoo", ticker="A"):
    return [Answer(ticker, source, dt.date(2024, 1, day), outcome) for day in days]


OK = said("ok", [2])


@pytest.mark.parametrize(
    ("yahoo", "fmp", "verdict"),
    [([3, 4, 5], [3, 4, 5], "delisted"), ([3, 4, 5], [3, 4], None), ([3, 4], [3, 4], None), ([3, 4, 5, 8, 9, 10], [], None)],
)
def test_delisted_needs_three_separate_days_at_two_sources(yahoo, fmp, verdict):
    answers = [*OK, *said("unknown_symbol", yahoo), *said("unknown_symbol", fmp, "fmp")]
    assert ended(answers, configured=2).get("A") == verdict


def test_the_same_day_counts_once():
    answers = [*OK, *said("unknown_symbol", [3, 3, 3]), *said("unknown_symbol", [3, 4, 5], "fmp")]
    assert ended(answers, configured=2) == {}


@pytest.mark.parametrize(("days", "verdict"), [([3, 4, 5, 8], None), ([3, 4, 5, 8, 9], "presumed")])
def test_one_source_alone_presumes_after_five_days(days, verdict):
    assert ended([*OK, *said("unknown_symbol", days)], configured=1).get("A") == verdict


def test_an_answer_since_opens_it_again():
    unknown = [*said("unknown_symbol", [3, 4, 5]), *said("unknown_symbol", [3, 4, 5], "fmp")]
    assert ended([*OK, *unknown, *said("ok", [8], "fmp")], configured=2) == {}


def test_what_was_never_known_did_not_end():
    assert ended(said("unknown_symbol", range(2, 20)), configured=1) == {}


def test_other_outcomes_say_nothing():
    assert ended([*OK, *said("throttled", range(3, 20)), *said("no_data", range(3, 20))], configured=1) == {}
