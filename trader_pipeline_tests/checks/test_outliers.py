import datetime as dt

import pyarrow as pa
import pytest

from trader_pipeline.schema.core import CORPORATE_ACTIONS, SECTORS
from trader_pipeline_tests.checks.build import DAYS, quarantined, row, verdict
from trader_pipeline_tests.checks.moving import TICKERS, bars_of, market, scaled


def moved(factor, first, last, ticker="T01", sessions=120):
    rows = market(sessions)
    for i in range(first, last + 1):
        rows[ticker][i] = scaled(rows[ticker][i], factor)
    return bars_of(rows)


def told(rows, **options):
    found = verdict(rows, "outlier_returns", **options).findings.to_pylist()
    return [(f["ticker"], f["severity"], f["first_session"]) for f in found]


@pytest.mark.parametrize("factor", [0.6, 0.75, 1.3, 1.6])
def test_a_bar_that_stands_apart_for_one_session_is_quarantined(factor):
    rows = moved(factor, 50, 50)
    assert told(rows) == [("T01", "error", DAYS[50])]
    assert quarantined(rows, "outlier_returns") == [("T01", DAYS[50])]


def test_a_close_alone_that_comes_back_is_a_warning():
    rows = market()
    bar = rows["T01"][50]
    rows["T01"][50] = bar | {"close": bar["close"] * 1.4, "high": bar["close"] * 1.4}
    assert told(bars_of(rows)) == [("T01", "warning", DAYS[50])]
    assert quarantined(bars_of(rows), "outlier_returns") == []


@pytest.mark.parametrize("last", [51, 119])
def test_a_move_that_stays_is_news(last):
    found = verdict(moved(1.4, 50, last), "outlier_returns")
    assert (found.findings.num_rows, found.metrics["outliers"]) == (0, 1 + (last < 119))


def test_nobody_can_tell_yet_on_the_newest_session():
    rows = moved(1.4, 119, 119)
    assert told(rows) == [("T01", "warning", DAYS[119])]
    assert quarantined(rows, "outlier_returns") == []


def test_a_bar_apart_on_a_burst_of_volume_may_be_real():
    rows = market()
    rows["T01"][50] = scaled(rows["T01"][50], 1.4) | {"volume_shares": 8e6}
    assert told(bars_of(rows)) == [("T01", "warning", DAYS[50])]
    rows["T01"][50] = scaled(rows["T01"][50], 10)
    assert told(bars_of(rows)) == [("T01", "error", DAYS[50])]  # fourteen times, whatever was traded


@pytest.mark.parametrize("factor", [1.16, 0.86])
def test_a_smaller_spike_of_a_quiet_ticker_is_quarantined(factor):
    assert told(moved(factor, 50, 50)) == [("T01", "error", DAYS[50])]


def test_a_restless_ticker_is_given_room():
    rows = market()
    for i in range(120):
        rows["T01"][i] = scaled(rows["T01"][i], 1.08 if i % 2 else 0.92)
    rows["T01"][50] = scaled(rows["T01"][50], 1.3)
    assert quarantined(bars_of(rows), "outlier_returns") == []


def test_what_all_do_is_no_outlier():
    rows = market()
    for ticker in TICKERS:
        rows[ticker][50] = scaled(rows[ticker][50], 1.4)
    assert told(bars_of(rows)) == []


def test_the_peers_are_the_sector_where_it_has_eight_others():
    rows = market(tickers=[f"T{i:02d}" for i in range(1, 31)])
    names = list(rows)
    for ticker in names[:9]:
        rows[ticker][50] = scaled(rows[ticker][50], 1.4)
    known = {"valid_from": DAYS[0], "valid_to": None}
    sectors = [known | {"ticker": t, "sector": "energy" if i < 9 else "banks"} for i, t in enumerate(names)]
    of_nine = {SECTORS: pa.Table.from_pylist(sectors, schema=SECTORS.arrow_schema)}
    of_eight = {SECTORS: pa.Table.from_pylist(sectors[1:], schema=SECTORS.arrow_schema)}
    assert told(bars_of(rows), beside=of_nine) == []
    assert len(told(bars_of(rows), beside=of_eight)) == 9  # measured against the exchange, which did not move


def test_a_lone_ticker_is_measured_against_itself():
    rows = {"T01": market()["T01"]}
    rows["T01"][50] = scaled(rows["T01"][50], 1.4)
    assert told(bars_of(rows)) == [("T01", "error", DAYS[50])]
    (finding,) = verdict(bars_of(rows), "outlier_returns").findings.to_pylist()
    assert "peers" not in finding["message"]


@pytest.mark.parametrize(("ticks", "severity"), [(1, None), (2, None), (12, "error")])
def test_a_tick_of_a_penny_stock_is_no_outlier(ticks, severity):
    cents = [12 + (i % 9 == 0) for i in range(120)]  # it mostly stands still, and moves by a cent
    cents[50] = cents[49] + ticks
    prices = [dict.fromkeys(("open", "high", "low", "close"), c / 100) for c in cents]
    rows = {"T01": [row("T01", day, **values) for day, values in zip(DAYS, prices, strict=False)]}
    assert told(bars_of(rows)) == ([("T01", severity, DAYS[50])] if severity else [])


def test_a_known_split_is_no_move():
    rows = market()
    for i in range(50, 120):
        rows["T01"][i] = scaled(rows["T01"][i], 0.25)
    split = {"ticker": "T01", "session": DAYS[50], "kind": "split", "value": 4.0, "source": "own", "known_at_basis": "assumed"}
    actions = pa.Table.from_pylist([split | {"known_at": dt.datetime(2018, 1, 1, tzinfo=dt.UTC)}], schema=CORPORATE_ACTIONS.arrow_schema)
    known = verdict(bars_of(rows), "outlier_returns", beside={CORPORATE_ACTIONS: actions})
    assert known.metrics["outliers"] == 0
    assert verdict(bars_of(rows), "outlier_returns").metrics["outliers"] == 1


def test_quiet_days_do_not_make_small_moves_outliers():
    rows = market()
    for ticker in TICKERS:
        for i in range(1, 120):
            rows[ticker][i] = scaled(rows[ticker][0], 1 + 0.0001 * (i % 2)) | {"session": DAYS[i], "known_at": rows[ticker][i]["known_at"]}
    rows["T01"][50] = scaled(rows["T01"][50], 1.04)  # 20 times a MAD of at least 0.2 %
    assert told(bars_of(rows)) == []
    rows["T01"][50] = scaled(rows["T01"][50], 1.02)  # 6 %: 29 of them
    assert quarantined(bars_of(rows), "outlier_returns") == [("T01", DAYS[50])]


def test_the_finding_names_the_fact_and_the_mend():
    (finding,) = verdict(moved(1.4, 50, 50), "outlier_returns").findings.to_pylist()
    assert finding["message"].startswith("T01: 2018-03-15 moves +3")
    assert finding["message"].endswith(
        " MAD; the whole bar stands apart and the price is back the next session; quarantined: fetch it again"
    )
    assert finding["value"] == pytest.approx(0.4, abs=0.05)
