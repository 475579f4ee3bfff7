import datetime as dt

import pyarrow as pa

from trader_pipeline.schema.core import CORPORATE_ACTIONS, DAILY_BARS
from trader_pipeline.standardize.first_known import with_first_known
from trader_pipeline.standardize.point_in_time import loaded_spans, with_clocks

LOADED = dt.datetime(2024, 3, 1, 12, 0, tzinfo=dt.UTC)
LATER = dt.datetime(2024, 3, 4, 12, 0, tzinfo=dt.UTC)
LAST = dt.datetime(2024, 3, 5, 12, 0, tzinfo=dt.UTC)
CLOSE_OF_WINTER = dt.time(21, 30)  # 16:00 New York + 30 minutes
CLOSE_OF_SUMMER = dt.time(20, 30)


def bar(session, fetched_at=LOADED, *, close=10.0, ticker="A", volume=100.0, source="yahoo"):
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    day = dt.date.fromisoformat(session)
    return {"ticker": ticker, "session": day, "source": source, "fetched_at": fetched_at, **prices, "volume_shares": volume} | {
        "currency": "USD",
        "price_unit": "USD",
    }


def clocked(*bars, exchange="XNYS"):
    types = {"fetched_at": pa.timestamp("us", tz="UTC"), "session": pa.date32()}
    names = list(bar("2024-01-02"))
    schema = pa.schema(
        [(n, types.get(n, pa.string() if n in {"ticker", "source", "currency", "price_unit"} else pa.float64())) for n in names]
    )
    every = pa.Table.from_pylist(list(bars), schema=schema)
    dated = with_first_known(DAILY_BARS, every, {"A": exchange, "B": exchange})
    rows = with_clocks(DAILY_BARS, dated, loaded=loaded_spans(DAILY_BARS, dated), stored=DAILY_BARS.empty())
    return [
        (r["session"].isoformat(), r["close"], r["known_at"].astimezone(dt.UTC), r["known_at_basis"])
        for r in DAILY_BARS.sorted(rows).to_pylist()
    ]


def at_close(session, time=CLOSE_OF_WINTER):
    return dt.datetime.combine(dt.date.fromisoformat(session), time, dt.UTC)


def test_a_first_load_is_dated_at_its_sessions_close_and_says_that_this_is_assumed():
    assert clocked(bar("2024-01-02"), bar("2023-07-05")) == [
        ("2023-07-05", 10.0, at_close("2023-07-05", CLOSE_OF_SUMMER), "assumed"),
        ("2024-01-02", 10.0, at_close("2024-01-02"), "assumed"),
    ]


def test_a_half_day_is_known_earlier():
    assert clocked(bar("2023-11-24"))[0][2] == dt.datetime(2023, 11, 24, 18, 30, tzinfo=dt.UTC)


def test_london_closes_before_new_york():
    assert clocked(bar("2024-01-02"), exchange="XLON")[0][2] == dt.datetime(2024, 1, 2, 17, 0, tzinfo=dt.UTC)


def test_an_equal_refetch_adds_nothing():
    assert len(clocked(bar("2024-01-02"), bar("2024-01-02", LATER), bar("2024-01-02", LAST))) == 1


def test_noise_of_float32_is_no_correction():
    assert len(clocked(bar("2024-01-02", close=10.0), bar("2024-01-02", LATER, close=10.0 * (1 + 1e-7)))) == 1


def test_a_later_value_that_differs_was_known_when_it_was_fetched():
    assert clocked(bar("2024-01-02"), bar("2024-01-02", LATER, close=10.5)) == [
        ("2024-01-02", 10.0, at_close("2024-01-02"), "assumed"),
        ("2024-01-02", 10.5, LATER, "observed"),
    ]


def test_a_value_that_comes_back_is_a_third_version():
    versions = clocked(bar("2024-01-02"), bar("2024-01-02", LATER, close=10.5), bar("2024-01-02", LAST))
    assert [(close, known) for _, close, known, _ in versions] == [(10.0, at_close("2024-01-02")), (10.5, LATER), (10.0, LAST)]


def test_a_close_that_appears_is_a_correction():
    assert [close for _, close, _, _ in clocked(bar("2024-01-02", close=None), bar("2024-01-02", LATER, close=10.0))] == [None, 10.0]


def test_a_close_that_vanishes_supersedes_nothing():
    assert [close for _, close, _, _ in clocked(bar("2024-01-02"), bar("2024-01-02", LATER, close=None), bar("2024-01-02", LAST))] == [10.0]


def test_a_volume_that_vanishes_is_a_correction():
    assert len(clocked(bar("2024-01-02"), bar("2024-01-02", LATER, volume=None))) == 2


def test_small_steps_in_one_direction_add_up_to_a_correction():
    steps = [10.0 * (1 + 0.7e-6 * k) for k in range(3)]
    rows = clocked(*(bar("2024-01-02", at, close=close) for at, close in zip((LOADED, LATER, LAST), steps, strict=True)))
    assert [close for _, close, _, _ in rows] == [steps[0], steps[2]]


def test_a_null_that_stays_null_is_none():
    assert len(clocked(bar("2024-01-02", volume=None), bar("2024-01-02", LATER, volume=None))) == 1


def test_a_hole_that_is_filled_later_was_not_known_before():
    rows = clocked(bar("2024-01-02"), bar("2024-01-04"), bar("2024-01-03", LATER))
    assert rows[1] == ("2024-01-03", 10.0, LATER, "observed")


def test_new_sessions_and_older_history_are_first_loads():
    rows = clocked(bar("2024-01-02"), bar("2024-01-04"), bar("2024-03-01", LATER), bar("2023-01-03", LATER))
    assert {basis for *_, basis in rows} == {"assumed"}


def test_one_tickers_history_says_nothing_of_anothers():
    rows = clocked(bar("2024-01-02"), bar("2024-01-04"), bar("2024-01-03", LATER, ticker="B"))
    assert [basis for *_, basis in rows] == ["assumed"] * 3


def test_sources_are_kept_apart():
    assert len(clocked(bar("2024-01-02"), bar("2024-01-02", LATER, close=11, source="own"))) == 2


def test_a_bar_fetched_before_its_session_was_over_is_left_out():
    during = dt.datetime(2024, 1, 2, 20, 0, tzinfo=dt.UTC)
    assert clocked(bar("2024-01-02", during, close=9), bar("2024-01-02")) == [("2024-01-02", 10.0, at_close("2024-01-02"), "assumed")]


def test_nothing_gives_nothing():
    assert clocked() == []


def actions(*rows, loaded):
    """Return (kind, session's day, value, basis) of (kind, session, value, fetched_at) rows beside bars of (session, fetched_at)."""
    types = {"session": pa.date32(), "value": pa.float64(), "fetched_at": pa.timestamp("us", tz="UTC")}
    found = [
        {"ticker": "A", "session": dt.date.fromisoformat(day), "kind": kind, "source": "yahoo", "value": value, "fetched_at": at}
        for kind, day, value, at in rows
    ]
    schema = pa.schema([(name, types.get(name, pa.string())) for name in found[0]])
    bars = [{"ticker": "A", "source": "yahoo", "session": dt.date.fromisoformat(day), "fetched_at": at} for day, at in loaded]
    bar_rows = pa.Table.from_pylist(bars, schema=pa.schema([(name, types.get(name, pa.string())) for name in bars[0]]))
    dated = with_first_known(CORPORATE_ACTIONS, pa.Table.from_pylist(found, schema=schema), {"A": "XNYS"})
    spans = loaded_spans(DAILY_BARS, with_first_known(DAILY_BARS, bar_rows, {"A": "XNYS"}))
    ordered = CORPORATE_ACTIONS.sorted(with_clocks(CORPORATE_ACTIONS, dated, loaded=spans, stored=CORPORATE_ACTIONS.empty()))
    return [(r["kind"], r["session"].day, r["value"], r["known_at_basis"]) for r in ordered.to_pylist()]


def test_actions_have_the_same_clocks():
    rows = [("split", 4.0, LOADED), ("dividend", 0.5, LOADED), ("dividend", 0.5, LATER), ("dividend", 0.6, LAST)]
    assert actions(*((kind, "2024-01-02", value, at) for kind, value, at in rows), loaded=[("2024-01-02", LOADED)]) == [
        ("dividend", 2, 0.5, "assumed"),
        ("dividend", 2, 0.6, "observed"),
        ("split", 2, 4.0, "assumed"),
    ]


def test_a_dividend_that_turns_up_after_the_bars_of_its_session_was_not_known_before():
    loaded = [("2024-01-02", LOADED), ("2024-02-28", LOADED), ("2024-03-01", LATER)]
    late = [("dividend", "2024-02-28", 0.5, LATER), ("dividend", "2024-03-01", 0.6, LATER)]
    assert actions(*late, loaded=loaded) == [("dividend", 28, 0.5, "observed"), ("dividend", 1, 0.6, "assumed")]


def test_what_a_second_source_says_of_loaded_sessions_was_not_known_before():
    first = [bar("2024-01-02"), bar("2024-01-05")]
    second = [bar(day, LATER, source="fmp") for day in ("2023-12-29", "2024-01-03", "2024-01-08")]
    assert clocked(*first, *second) == [
        ("2023-12-29", 10.0, at_close("2023-12-29"), "assumed"),
        ("2024-01-02", 10.0, at_close("2024-01-02"), "assumed"),
        ("2024-01-03", 10.0, LATER, "observed"),
        ("2024-01-05", 10.0, at_close("2024-01-05"), "assumed"),
        ("2024-01-08", 10.0, at_close("2024-01-08"), "assumed"),
    ]
