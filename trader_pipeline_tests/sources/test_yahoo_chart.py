"""Our reading of Yahoo's chart: the same rows as yfinance's own, and what happens to values that are none."""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest

from trader_pipeline.sources.http import NoDataError, SchemaChangeError
from trader_pipeline.sources.yahoo_chart import NUMBERS, read_chart
from trader_pipeline_tests.fake_world import World, moment
from trader_pipeline_tests.fake_yahoo import CHART, FakeYahoo
from trader_pipeline_tests.plain_yfinance import history, plain_yfinance
from trader_pipeline_tests.sources.asking_yahoo import fetch, settings_for

WIRE = json.loads((Path(__file__).parents[1] / "resources" / "yahoo_wire.json").read_text())
MONDAY = dt.date(2025, 3, 3)


def assert_agree(chart, frame):
    """Compare with yfinance's frame; it writes 0 shares where Yahoo has null."""
    assert [day.date() for day in frame.index] == chart.days.tolist()
    for name in NUMBERS:
        ours = chart.columns[name]
        np.testing.assert_array_equal(np.nan_to_num(ours) if name == "Volume" else ours, frame[name].to_numpy(np.float64), err_msg=name)


@pytest.mark.parametrize("symbol", WIRE["charts"])
def test_recorded_charts_read_as_yfinance_reads_them(yahoo, symbol):
    yahoo.canned[CHART + symbol] = WIRE["charts"][symbol]
    with plain_yfinance(yahoo.url) as session:
        frame, client = history(symbol, session, start="1990-01-01")
        facts = client.get_history_metadata()
    chart = read_chart(WIRE["charts"][symbol]["chart"]["result"][0])
    assert_agree(chart, frame)
    assert (chart.currency, chart.exchange, chart.name, chart.unread) == (
        facts["currency"],
        facts["exchangeName"],
        facts["longName"],
        (),
    )


@pytest.mark.parametrize("fault", [None, "nulls"])
def test_a_fake_chart_with_splits_and_dividends_reads_as_yfinance_reads_it(yahoo, fault):
    yahoo.world.splits["ACME"] += [(dt.date(2025, 3, 10), 4, 1), (dt.date(2023, 8, 1), 1, 10)]
    yahoo.world.dividends["ACME"] += [(dt.date(2025, 2, 14), 0.4), (dt.date(2025, 5, 15), 0.1)]
    if fault:
        yahoo.forever["ACME"] = fault
    with plain_yfinance(yahoo.url) as session:
        frame, _ = history("ACME", session, start="2023-01-03")
        body = session.get(f"{yahoo.url}{CHART}ACME?period1={moment(dt.date(2023, 1, 3))}&period2=1893456000").json()
    assert len(frame) > 500
    assert_agree(read_chart(body["chart"]["result"][0]), frame)


def test_capital_gains_of_a_fund_are_told(yahoo, settings):
    chart = json.loads(json.dumps(WIRE["charts"]["AAPL"]))
    gains = {str(day): {"amount": 0.1, "date": day} for day in range(3)}
    chart["chart"]["result"][0].setdefault("events", {})["capitalGains"] = gains
    yahoo.canned[CHART + "AAPL"] = chart
    attempts, _ = fetch(settings, "AAPL")
    assert (attempts["AAPL"].outcome, attempts["AAPL"].detail) == ("ok", "3 capital gains not stored")


def test_recorded_figures():
    """Apple's 4:1 on 2020-08-31 and its dividend of 0.205; Microsoft's of 0.56; a quote of Frankfurt in euros."""
    apple, microsoft, washtec = (read_chart(WIRE["charts"][symbol]["chart"]["result"][0]) for symbol in ("AAPL", "MSFT", "WSU.DE"))
    assert dict(zip(apple.days.astype(str), apple.columns["Stock Splits"], strict=True)) == {
        "2020-08-31": 4.0,
        "2020-09-01": 0.0,
        "2020-11-05": 0.0,
        "2020-11-06": 0.0,
    }
    assert apple.columns["Dividends"].tolist() == [0.0, 0.0, 0.0, 0.205]
    assert apple.columns["Close"].tolist() == pytest.approx([129.04, 134.18, 119.03, 118.69], abs=1e-5)
    assert microsoft.columns["Dividends"].tolist() == [0.0, 0.56, 0.0]
    assert microsoft.columns["Volume"].tolist() == [26728500, 21653500, 16925600]
    assert (washtec.days.astype(str).tolist(), washtec.columns["Close"].tolist()) == (
        ["2023-08-04", "2023-08-07", "2023-08-08"],
        pytest.approx([34.45, 34.0, 33.2], abs=1e-5),
    )
    assert (washtec.currency, washtec.exchange) == ("EUR", "GER")


def result(days=(MONDAY,), close=None, events=None, **quote):
    """A chart of a few days, close 10, 11, ..."""
    count = len(days)
    prices = close or [10.0 + n for n in range(count)]
    columns = {name: list(prices) for name in ("open", "high", "low", "close")} | {"volume": [100] * count} | quote
    return {
        "meta": {"currency": "USD", "exchangeName": "NMS", "exchangeTimezoneName": "America/New_York"},
        "timestamp": [day if isinstance(day, int) else moment(day) for day in days],
        "indicators": {"quote": [columns], "adjclose": [{"adjclose": list(columns["close"])}]},
        "events": events or {},
    }


def test_what_is_no_number_becomes_null_and_is_told():
    chart = read_chart(
        result(days=(MONDAY, dt.date(2025, 3, 4), dt.date(2025, 3, 5)), open=["n/a", 1.0, None], high=[float("inf"), 2.0, "3"])
    )
    np.testing.assert_array_equal(chart.columns["Open"], [np.nan, 1.0, np.nan])
    np.testing.assert_array_equal(chart.columns["High"], [np.nan, 2.0, 3.0])
    assert chart.unread == ("Open 'n/a'", "High inf")


def test_unreadable_values_are_in_the_attempt(yahoo, settings):
    yahoo.canned[CHART + "AAA"] = {"chart": {"result": [result(open=["n/a"])], "error": None}}
    attempts, rows = fetch(settings, "AAA")
    assert (attempts["AAA"].outcome, attempts["AAA"].detail) == ("ok", "1 unreadable values are null: Open 'n/a'")
    assert rows["Open"].to_pylist() == [None]


def test_an_event_without_a_bar_stands_on_its_own_date():
    tuesday, wednesday = dt.date(2025, 3, 4), dt.date(2025, 3, 5)
    split = {"date": moment(tuesday), "numerator": 2, "denominator": 1, "splitRatio": "2:1"}
    chart = read_chart(result(days=(MONDAY, wednesday), events={"splits": {"x": split}}))
    assert chart.days.tolist() == [MONDAY, tuesday, wednesday]
    np.testing.assert_array_equal(chart.columns["Close"], [10.0, np.nan, 11.0])
    assert chart.columns["Stock Splits"].tolist() == [0.0, 2.0, 0.0]


def test_a_dividend_in_another_currency_is_left_out_and_told():
    paid = {"date": moment(MONDAY), "amount": 1500.0, "currency": "VND"}
    chart = read_chart(result(events={"dividends": {"x": paid}}))
    assert (chart.columns["Dividends"].tolist(), chart.unread) == ([0.0], ("dividend in VND",))


def test_the_live_row_of_a_day_replaces_its_earlier_one():
    chart = read_chart(result(days=(MONDAY, dt.date(2025, 3, 4), moment(dt.date(2025, 3, 4), 15, 7))))
    assert (chart.days.tolist(), chart.columns["Close"].tolist()) == ([MONDAY, dt.date(2025, 3, 4)], [10.0, 12.0])


@pytest.mark.parametrize("part", ["meta", "indicators"])
def test_a_chart_of_another_shape_is_named(part):
    changed = result()
    del changed[part]
    with pytest.raises(SchemaChangeError, match=part):
        read_chart(changed)


def test_prices_without_a_currency_are_no_data():
    changed = result()
    changed["meta"]["currency"] = None
    with pytest.raises(NoDataError, match="currency"):
        read_chart(changed)


def test_a_chart_without_rows_is_no_data():
    with pytest.raises(NoDataError):
        read_chart({"meta": {}, "indicators": {"quote": [{}]}})


def test_we_ask_what_yfinance_asks(tmp_path):
    """The same path and query as Ticker.history, crumb included; only the last second differs."""
    with FakeYahoo(World()) as yahoo:
        fetch(settings_for(tmp_path, yahoo.url), "AAA", first_session=MONDAY)
        with plain_yfinance(yahoo.url) as session:
            history("AAA", session, start=MONDAY.isoformat())
        asked = [target for target in yahoo.targets if target.startswith(CHART)]
    ours, theirs = ([part for part in target.replace("?", "&").split("&") if not part.startswith("period2")] for target in asked)
    assert ours == theirs
    assert "crumb=fakeCrumb1" in ours
