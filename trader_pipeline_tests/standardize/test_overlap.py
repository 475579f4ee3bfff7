import datetime as dt

import pyarrow as pa
import pytest

from trader_pipeline import calendar
from trader_pipeline.schema.core import CORPORATE_ACTIONS, DAILY_BARS
from trader_pipeline.standardize.overlap import compare

DAYS = calendar.sessions("XNYS", dt.date(2025, 2, 18), dt.date(2025, 3, 10)).tolist()  # 15 sessions, three weeks
CLOSES = [100.0 + k * k % 7 for k in range(15)]
AT = dt.datetime(2025, 3, 11, tzinfo=dt.UTC)


def bars(closes, ticker="A", days=DAYS, **columns):
    rows = [
        {"ticker": ticker, "session": day, "source": "v", "known_at": AT, "known_at_basis": "-", "close": close}
        | {"volume_shares": 1e6, "currency": "USD", "price_unit": "USD"}
        | columns
        for day, close in zip(days, closes, strict=True)
    ]
    rows = [{name: row[name] for name in row} | dict.fromkeys(("open", "high", "low"), row["close"]) for row in rows]
    return pa.Table.from_pylist(rows, schema=DAILY_BARS.arrow_schema)


def actions(*facts, ticker="A"):
    rows = [
        {"ticker": ticker, "session": day, "kind": kind, "value": value, "known_at": AT, "known_at_basis": "-", "source": "v"}
        for day, kind, value in facts
    ]
    return pa.Table.from_pylist(rows, schema=CORPORATE_ACTIONS.arrow_schema)


def compared(fresh, stored=None, *, now=(), before=()):
    stored = bars(CLOSES) if stored is None else stored
    return compare({DAILY_BARS: fresh, CORPORATE_ACTIONS: actions(*now)}, {DAILY_BARS: stored, CORPORATE_ACTIONS: actions(*before)})


def verdict(*args, **kwargs):
    judged = compared(*args, **kwargs).verdicts["A"]
    return judged.verdict, judged.detail


def news(found):
    return sorted(row["session"] for row in found.news.to_pylist())


def test_the_same_answer_in_float32_is_the_same():
    found = compared(bars([close * (1 + 5e-8) for close in CLOSES]))
    assert found.verdicts["A"].verdict == "same"
    assert news(found) == []


def test_scattered_differences_are_corrections_and_only_they_are_news():
    closes = list(CLOSES)
    closes[3] += 0.05
    closes[11] -= 0.02
    found = compared(bars(closes))
    assert found.verdicts["A"].verdict == "corrections"
    assert news(found) == [DAYS[3], DAYS[11]]


def test_a_changed_volume_alone_is_a_correction():
    assert verdict(bars(CLOSES, volume_shares=1.1e6)) == ("corrections", None)


def test_one_ratio_over_all_sessions_restates():
    assert verdict(bars([close / 4 for close in CLOSES])) == ("restated", "ratio 0.2500 over 15 sessions")


def test_a_ratio_of_prices_rounded_to_cents_is_one_ratio():
    assert verdict(bars([round(close / 7, 2) for close in CLOSES]))[0] == "restated"


def test_a_ratio_up_to_a_session_restates_what_lies_before_it():
    closes = [close / 4 if k < 6 else close for k, close in enumerate(CLOSES)]
    assert verdict(bars(closes)) == ("restated", "ratio 0.2500 over 6 sessions")


def test_a_ratio_in_the_middle_is_corrections():
    closes = [close / 4 if 4 <= k < 8 else close for k, close in enumerate(CLOSES)]
    assert verdict(bars(closes))[0] == "corrections"


def test_two_sessions_alone_show_no_ratio():
    two = bars(CLOSES[:2], days=DAYS[:2])
    assert verdict(bars([close / 4 for close in CLOSES[:2]], days=DAYS[:2]), two)[0] == "corrections"


def test_other_prices_without_a_ratio_are_another_company():
    closes = [30 + 11 * (k % 3) + k for k in range(15)]
    assert verdict(bars(closes)) == ("replaced", "15 of 15 closes differ from the stored ones without a common ratio")


def test_prices_that_all_move_a_little_are_corrections():
    assert verdict(bars([close + 0.01 * (k % 3) for k, close in enumerate(CLOSES)]))[0] == "corrections"


def test_an_answer_without_any_stored_session_is_another_company():
    days = calendar.sessions("XNYS", dt.date(2025, 3, 11), dt.date(2025, 3, 20)).tolist()
    assert verdict(bars([20.0] * len(days), days=days)) == ("replaced", "none of 15 stored sessions is in the answer")


@pytest.mark.parametrize(
    ("now", "before", "detail"),
    [
        ([(DAYS[5], "split", 4.0)], [], f"split 4 on {DAYS[5]} was not known"),
        ([], [(DAYS[5], "dividend", 0.4)], f"dividend 0.4 on {DAYS[5]} vanished"),
        ([(DAYS[5], "dividend", 0.5)], [(DAYS[5], "dividend", 0.4)], f"dividend 0.4 on {DAYS[5]} is 0.5 now"),
    ],
)
def test_an_action_inside_the_stored_span_that_changed_restates(now, before, detail):
    found = compared(bars(CLOSES), now=now, before=before)
    assert (found.verdicts["A"].verdict, found.verdicts["A"].detail) == ("restated", detail)
    beside = [DAYS[3], DAYS[4]] if now and now[0][1] == "dividend" else []
    assert news(found) == [*beside, DAYS[5]]


def test_the_rows_before_a_new_dividend_are_stored_again_once():
    new = dt.date(2025, 3, 11)
    said = bars([*CLOSES, 100.0], days=[*DAYS, new])
    paid = [(new, "dividend", 0.4)]
    assert news(compared(said, now=paid)) == [*DAYS[-2:], new]
    assert news(compared(said, now=[(new, "dividend", 0.0)])) == [new]
    assert news(compared(said, said, now=paid, before=paid)) == []


def test_a_row_that_lost_its_close_is_not_stored_for_a_dividend():
    new = dt.date(2025, 3, 11)
    said = bars([*CLOSES[:-1], None, 100.0], days=[*DAYS, new])
    assert news(compared(said, now=[(new, "dividend", 0.4)])) == [*DAYS[-3:-1], new]


@pytest.mark.parametrize("neutral", [(DAYS[5], "split", 1.0), (DAYS[5], "dividend", 0.0)])
def test_a_split_of_one_and_a_dividend_of_nothing_are_none(neutral):
    assert verdict(bars(CLOSES), now=[neutral])[0] == "same"


def test_a_split_in_a_new_session_restates_nothing():
    new = dt.date(2025, 3, 11)
    found = compared(bars([*CLOSES, 25.0], days=[*DAYS, new]), now=[(new, "split", 4.0)])
    assert found.verdicts["A"].verdict == "same"
    assert news(found) == [new]


def test_an_action_older_than_what_was_asked_for_is_not_judged():
    assert verdict(bars(CLOSES), now=[(dt.date(2020, 8, 31), "split", 4.0)])[0] == "same"


def test_a_row_without_a_close_is_no_difference_and_takes_nothing_back():
    closes = [None if k % 2 else close for k, close in enumerate(CLOSES)]
    found = compared(bars(closes, volume_shares=0.0))
    assert news(found) == [day for k, day in enumerate(DAYS) if k % 2 == 0]  # their volume differs
    assert compared(bars(closes)).verdicts["A"].verdict == "same"
    assert news(compared(bars(closes))) == []


def test_a_hole_that_is_filled_is_news():
    closes = list(CLOSES)
    closes[2] = None
    found = compared(bars(CLOSES), bars(closes))
    assert (found.verdicts["A"].verdict, news(found)) == ("corrections", [DAYS[2]])


def test_every_ticker_is_judged_for_itself():
    fresh = pa.concat_tables([bars(CLOSES), bars([close * 2 for close in CLOSES], "B"), bars([9.0], "C", DAYS[-1:])])
    stored = pa.concat_tables([bars(CLOSES), bars(CLOSES, "B")])
    found = compared(fresh, stored)
    assert {ticker: judged.verdict for ticker, judged in found.verdicts.items()} == {"A": "same", "B": "restated", "C": "same"}
    assert {row["ticker"] for row in found.news.to_pylist()} == {"B", "C"}
