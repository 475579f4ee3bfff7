import pytest

from trader_pipeline_tests.checks.build import DAYS, quarantined, report, verdict
from trader_pipeline_tests.checks.moving import bars_of, market


def repeated(n, *, whole=True, **values):
    """Return the market in which T01 repeats its bar of the 50th session on the `n` after it: whole, or only the close."""
    rows = market()
    bar = rows["T01"][50]
    for i in range(51, 51 + n):
        own = rows["T01"][i]
        kept = (
            {name: bar[name] for name in ("open", "high", "low", "close")} if whole else {"close": bar["close"], "low": 1.0, "high": 99.0}
        )
        rows["T01"][i] = own | kept | values
    return bars_of(rows)


def told(rows, rule="stuck_prices"):
    return [(f["ticker"], f["severity"], f["first_session"], f["sessions"]) for f in verdict(rows, rule).findings.to_pylist()]


def test_a_market_that_moves_is_not_stuck():
    assert verdict(bars_of(market()), "stuck_prices").passed
    assert verdict(bars_of(market()), "zero_volume").passed


@pytest.mark.parametrize(("n", "days"), [(3, []), (4, DAYS[51:55]), (9, DAYS[51:60])])
def test_five_bars_of_the_same_prices_quarantine_all_but_the_first(n, days):
    assert quarantined(repeated(n), "stuck_prices") == [("T01", day) for day in days]


def test_a_price_carried_forward_is_stuck_too():
    rows = market()
    close = rows["T01"][50]["close"]
    for i in range(51, 56):
        rows["T01"][i] |= dict.fromkeys(("open", "high", "low", "close"), close)
    assert quarantined(bars_of(rows), "stuck_prices") == [("T01", day) for day in DAYS[51:56]]


def test_a_close_that_stands_still_within_moving_bars_is_a_warning():
    rows = repeated(5, whole=False)
    assert quarantined(rows, "stuck_prices") == []
    assert told(rows) == [("T01", "warning", DAYS[51], 5)]


def test_without_shares_traded_nothing_is_stuck():
    assert told(repeated(6, volume_shares=0.0)) == []


def test_what_stands_still_by_habit_is_a_warning():
    rows = market()
    for i in range(1, 120):
        if i % 12 > 5:
            rows["T01"][i] |= {name: rows["T01"][i - 1][name] for name in ("open", "high", "low", "close")}
    assert quarantined(bars_of(rows), "stuck_prices") == []
    assert [f[:2] for f in told(bars_of(rows))] == [("T01", "warning")]


def test_one_price_the_whole_day_with_a_usual_volume_is_a_warning():
    rows = market()
    rows["T01"][50] |= dict.fromkeys(("open", "high", "low", "close"), 51.0)
    rows["T02"][50] |= dict.fromkeys(("open", "high", "low", "close"), 51.0) | {"volume_shares": 100.0}  # one trade makes one price
    assert told(bars_of(rows)) == [("T01", "warning", DAYS[50], 1)]


def test_the_finding_names_the_fact_and_the_mend():
    (finding,) = verdict(repeated(5), "stuck_prices").findings.to_pylist()
    assert finding["message"] == (
        "T01: the whole bar repeats the one before while shares trade on 5 sessions, first 2018-03-16, 2018-03-19, 2018-03-20 and 2 more; "
        "quarantined: fetch them again"
    )


def test_a_price_without_volume_is_told_where_the_ticker_usually_trades():
    rows = market()
    rows["T01"][50]["volume_shares"] = 0.0
    for i in range(0, 120, 5):
        rows["T02"][i]["volume_shares"] = 0.0
    assert told(bars_of(rows), "zero_volume") == [("T01", "warning", DAYS[50], 1)]
    assert quarantined(bars_of(rows), "zero_volume") == []


def test_a_row_that_another_rule_keeps_out_is_not_said_to_be_used():
    rows = market()
    for ticker in ("T01", "T02"):
        rows[ticker][50]["volume_shares"] = 0.0
    rows["T01"][50]["high"] = 0.01
    found = {r.rule: r.findings["ticker"].to_pylist() for r in report(bars_of(rows)).results}
    assert (found["ohlc_order"], found["zero_volume"]) == (["T01"], ["T02"])


@pytest.mark.parametrize(("moves", "expected"), [(True, ["warning"]), (False, [])])
def test_a_ticker_without_any_volume_is_told_where_its_price_moves_within_the_day(moves, expected):
    rows = market()
    for bar in rows["T01"]:
        bar["volume_shares"] = 0.0
        if not moves:  # a fund: one price a day
            bar.update(dict.fromkeys(("open", "high", "low"), bar["close"]))
    found = verdict(bars_of(rows), "zero_volume").findings.to_pylist()
    assert [f["severity"] for f in found] == expected
    assert [(f["scope"], f["sessions"]) for f in found] == [("ticker", 120)] * len(expected)
