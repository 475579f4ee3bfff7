"""What Yahoo's rows mean: as-traded prices whatever splits come, currencies, calendars, roles."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from trader_pipeline.errors import UsageError
from trader_pipeline.schema import core, raw
from trader_pipeline.sources.yahoo import YAHOO, splits_after
from trader_pipeline_tests.fake_world import World
from trader_pipeline_tests.fake_yahoo import FakeYahoo
from trader_pipeline_tests.feeds import fetched
from trader_pipeline_tests.sources.asking_yahoo import AFTER_CLOSE, FIRST, SESSIONS, TODAY, bars_of, fetch, request, settings_for


def test_prices_are_those_that_traded(yahoo, settings):
    _, rows = fetch(settings, "AAA")
    bars = bars_of(rows)
    days, columns, _ = yahoo.world.view("AAA", FIRST, TODAY + dt.timedelta(days=1))
    assert bars["session"].to_pylist() == days.tolist()
    for name in ("open", "high", "low", "close"):
        np.testing.assert_array_equal(bars[name].to_numpy(), columns[name])
    np.testing.assert_array_equal(bars["volume_shares"].to_numpy(), columns["volume"])
    assert set(bars["currency"].to_pylist()) == set(bars["price_unit"].to_pylist()) == {"USD"}


def test_a_symbol_of_an_exchange_without_a_known_calendar_is_refused_by_name(yahoo, settings):
    yahoo.world.meta["COMI.CA"]["exchangeName"] = "CAI"
    attempts, rows = fetch(settings, "COMI.CA")
    assert attempts["COMI.CA"].outcome == "unknown_symbol"
    assert "listings.py" in attempts["COMI.CA"].detail
    assert rows is None


def test_a_null_session_is_kept_and_has_no_volume(yahoo, settings):
    yahoo.forever["NUL"] = "nulls"
    _, rows = fetch(settings, "NUL")
    bars = bars_of(rows)
    assert bars.num_rows == SESSIONS
    assert [bars[name].null_count for name in ("open", "high", "low", "close", "volume_shares")] == [1, 1, 1, 1, 1]


@pytest.mark.parametrize(("minute", "last"), [(29, dt.date(2025, 5, 30)), (30, TODAY)])
def test_todays_bar_is_refused_before_close_and_half_an_hour(settings, minute, last):
    attempts, _ = fetch(settings, "AAA", as_of=AFTER_CLOSE.replace(minute=minute))
    assert attempts["AAA"].last_session == last


def test_an_incremental_fetch_starts_where_it_is_told_and_reaches_now(settings):
    attempts, _ = fetch(settings, "AAA", since={"AAA": dt.date(2025, 5, 1)}, as_of=AFTER_CLOSE)
    assert attempts["AAA"].first_session == dt.date(2025, 5, 1)
    assert attempts["AAA"].last_session == TODAY


def splitting_world():
    world = World()
    world.splits["ACME"] += [(dt.date(2025, 3, 10), 4, 1), (dt.date(2023, 8, 1), 1, 10)]
    world.dividends["ACME"] += [(dt.date(2025, 2, 14), 0.4), (dt.date(2025, 5, 15), 0.1)]
    return world


def test_as_traded_values_do_not_change_when_a_split_comes(tmp_path):
    """Fetched before and after a 4:1, with an older reverse split inside both answers."""
    world = splitting_world()
    truth = dict(zip(world.days.tolist(), world.traded("ACME")["close"].tolist(), strict=True))
    volumes = dict(zip(world.days.tolist(), world.traded("ACME")["volume"].tolist(), strict=True))
    with FakeYahoo(world) as yahoo:
        settings = settings_for(tmp_path, yahoo.url)
        world.today = dt.date(2025, 2, 28)
        before_split = dt.datetime(2025, 2, 28, 21, 30, tzinfo=dt.UTC)
        _, old = fetch(settings, "ACME", as_of=before_split, first_session=dt.date(2023, 1, 3))
        world.today = TODAY
        _, new = fetch(settings, "ACME", since={"ACME": dt.date(2025, 2, 6)})
    vendor = {(r["Date"], r["fetched_at"]): r["Close"] for r in [*old.to_pylist(), *new.to_pylist()]}
    overlap = dt.date(2025, 2, 14)
    assert vendor[overlap, before_split] / vendor[overlap, AFTER_CLOSE] == pytest.approx(4, rel=1e-6)
    for table in (old, new):
        for row in bars_of(table).to_pylist():
            assert row["close"] == pytest.approx(truth[row["session"]], rel=1e-6)
            assert row["volume_shares"] == pytest.approx(volumes[row["session"]], rel=1e-4)  # Yahoo rounds to whole adjusted shares
    actions = YAHOO.to_core({raw.YAHOO_BARS.full_name: new})[core.CORPORATE_ACTIONS].sort_by("session").to_pylist()
    assert [(a["session"], a["kind"], pytest.approx(a["value"])) for a in actions] == [
        (dt.date(2025, 2, 14), "dividend", 0.4),
        (dt.date(2025, 3, 10), "split", 4.0),
        (dt.date(2025, 5, 15), "dividend", 0.1),
    ]


def test_a_split_of_this_morning_unadjusts_yesterday_though_its_own_bar_is_not_final(tmp_path):
    world = splitting_world()
    world.today = dt.date(2025, 3, 10)
    with FakeYahoo(world) as yahoo:
        _, rows = fetch(settings_for(tmp_path, yahoo.url), "ACME", as_of=dt.datetime(2025, 3, 10, 15, 0, tzinfo=dt.UTC))
    bars = bars_of(rows).to_pylist()
    assert [bar["session"] for bar in bars] == [dt.date(2025, 3, day) for day in (3, 4, 5, 6, 7)]
    truth = dict(zip(world.days.tolist(), world.traded("ACME")["close"].tolist(), strict=True))
    assert [bar["close"] for bar in bars] == pytest.approx([truth[bar["session"]] for bar in bars], rel=1e-6)


def test_splits_after_by_hand():
    assert splits_after(np.array([0.0, 4.0, np.nan, 0.1, 0.0])).tolist() == pytest.approx([0.4, 0.1, 0.1, 1.0, 1.0])


def test_a_real_answer_of_apples_split_day_is_unadjusted():
    """Close of 2020-08-28, the session before AAPL's 4:1 of 2020-08-31: 499.23 as traded, 124.8075 in Yahoo's history."""
    split = np.array([0.0, 4.0])
    assert splits_after(split)[0] * 124.8075 == pytest.approx(499.23)


def test_pence_stay_pence_and_london_keeps_londons_calendar(yahoo, settings):
    yahoo.world.meta["VOD.L"] |= {"currency": "GBp", "exchangeName": "LSE"}
    _, rows = fetch(settings, "VOD.L")
    tables = YAHOO.to_core({raw.YAHOO_BARS.full_name: rows})
    assert set(zip(tables[core.DAILY_BARS]["currency"].to_pylist(), tables[core.DAILY_BARS]["price_unit"].to_pylist(), strict=True)) == {
        ("GBP", "GBp")
    }
    assert tables[core.LISTINGS]["exchange"].to_pylist() == ["XLON"]


def test_listings_say_calendar_name_role_and_the_sessions_with_a_bar(yahoo, settings):
    yahoo.plan("GOOG", "nulls")
    _, rows = fetch(settings, "GOOG", "SPY")
    listings = YAHOO.to_core({raw.YAHOO_BARS.full_name: rows})[core.LISTINGS]
    listings = core.LISTINGS.conform(listings).sort_by("symbol").to_pylist()
    assert [tuple(row.values()) for row in listings] == [
        ("yahoo", "GOOG", FIRST, TODAY, "XNYS", "GOOG Incorporated", None, "stock"),
        ("yahoo", "SPY", FIRST, TODAY, "XNYS", "SPY Incorporated", None, "benchmark"),
    ]


def test_to_core_is_row_local(tmp_path):
    """New rows are standardized alone: what they mean does not depend on the rows beside them."""
    with FakeYahoo(splitting_world()) as yahoo:
        _, rows = fetch(settings_for(tmp_path, yahoo.url), "ACME", "AAA")
    parts = [YAHOO.to_core({raw.YAHOO_BARS.full_name: part}) for part in (rows.slice(0, 50), rows.slice(50))]
    whole = YAHOO.to_core({raw.YAHOO_BARS.full_name: rows})
    for table in (core.DAILY_BARS, core.CORPORATE_ACTIONS):
        order = [(name, "ascending") for name in ("ticker", "session", "fetched_at")]
        assert whole[table].num_rows
        assert pa.concat_tables([part[table] for part in parts]).sort_by(order).equals(whole[table].sort_by(order))


def test_to_core_of_nothing_is_empty():
    empty = YAHOO.to_core({raw.YAHOO_BARS.full_name: raw.YAHOO_BARS.empty()})
    assert {table.full_name: rows.num_rows for table, rows in empty.items()} == {
        "core.daily_bars": 0,
        "core.corporate_actions": 0,
        "core.listings": 0,
    }


def test_yahoo_is_not_asked_for_everything(settings):
    with pytest.raises(UsageError, match="name tickers"):
        fetched(YAHOO, request(tickers=None), settings)
