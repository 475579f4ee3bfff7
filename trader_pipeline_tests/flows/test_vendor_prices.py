"""Adjusted prices around payouts, as the lake's raw rows hold them: which answer counts, on which basis."""

import datetime as dt

import pyarrow as pa
import pytest

from trader_pipeline import calendar
from trader_pipeline.flows.check import check
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.flows.vendor_prices import vendor_prices
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.raw import YAHOO_BARS
from trader_pipeline.settings import CheckSettings
from trader_pipeline.sources.yahoo import YAHOO
from trader_pipeline_tests.checks.vendor import adjusted_before, put, series

EX = (40, 100, 160)
DAYS = calendar.sessions("XNYS", dt.date(2023, 1, 3), dt.date(2023, 12, 29)).tolist()
FIRST_ANSWER = dt.datetime(2023, 12, 30, tzinfo=dt.UTC)
AS_OF = calendar.known_at("XNYS", DAYS[249])


def rows_of(rows, *, at=FIRST_ANSWER, sha="a", splits_after=1.0):
    named = {"open": "Open", "high": "High", "low": "Low", "close": "Close", "adj_close": "Adj Close", "volume": "Volume"}
    table = [
        {
            "ticker": r["ticker"],
            "Date": r["session"],
            **{theirs: r[ours] for ours, theirs in named.items()},
            "Dividends": r["dividend"],
            "Stock Splits": r["split_ratio"],
            "splits_after": splits_after,
            "currency": "USD",
            "role": "stock",
            "fetched_at": at,
            "request_sha256": sha,
        }
        for r in rows
    ]
    return YAHOO_BARS.conform(pa.Table.from_pylist(table))


def sound(**options):
    return series(250, dividends=dict.fromkeys(EX, 2.0), days=DAYS, **options)


def lake_of(tmp_path, *answers):
    lake = Lake(tmp_path / "lake", "live")
    for answer in answers:
        lake.publish(Change.append(YAHOO_BARS, answer))
    return lake


def seen(lake, as_of=AS_OF):
    return {r["session"]: r for r in vendor_prices(lake.snapshot(), as_of).to_pylist()}


def test_only_weeks_near_a_payout_are_held(tmp_path):
    days = set(seen(lake_of(tmp_path, rows_of(sound()))))
    assert {DAYS[i + k] for i in EX for k in (-5, -1, 0, 1, 5)} <= days
    assert {DAYS[70], DAYS[130], DAYS[0], DAYS[249]}.isdisjoint(days)


def test_a_row_that_came_with_another_answer_has_no_adjusted_close(tmp_path):
    rows = sound()
    later = rows_of(rows[100:], at=FIRST_ANSWER + dt.timedelta(days=1), sha="b")
    held = seen(lake_of(tmp_path, rows_of(rows[:100]), later), FIRST_ANSWER + dt.timedelta(days=2))
    assert held[DAYS[100]]["adj_close"] is None
    assert held[DAYS[101]]["adj_close"] == pytest.approx(rows[101]["adj_close"])
    assert held[DAYS[99]]["adj_close"] == pytest.approx(rows[99]["adj_close"])


def test_the_newest_answer_known_counts_and_a_first_load_counts_as_known(tmp_path):
    corrected = [r | {"close": r["close"] * 1.01} for r in sound()[100:101]]
    lake = lake_of(tmp_path, rows_of(sound()), rows_of(corrected, at=FIRST_ANSWER + dt.timedelta(days=5), sha="b"))
    before, after = (seen(lake, FIRST_ANSWER + dt.timedelta(days=d))[DAYS[100]]["close"] for d in (1, 6))
    assert (before, after) == (pytest.approx(sound()[100]["close"]), pytest.approx(corrected[0]["close"]))
    assert seen(lake, calendar.known_at("XNYS", DAYS[120]))[DAYS[100]]["close"] == pytest.approx(sound()[100]["close"])
    assert DAYS[160] not in seen(lake, calendar.known_at("XNYS", DAYS[120]))


def test_rows_from_before_a_split_stand_on_its_basis(tmp_path):
    rows = sound()
    early = [r | {c: r[c] * 4 for c in ("open", "high", "low", "close", "adj_close", "dividend")} for r in rows[:150]]
    late = put(rows, 150, split_ratio=4.0)[150:]
    held = seen(lake_of(tmp_path, rows_of(early), rows_of(late, sha="b")))
    assert held[DAYS[100]]["close"] == pytest.approx(rows[100]["close"])
    assert held[DAYS[100]]["dividend"] == pytest.approx(2.0)
    assert held[DAYS[161]]["close"] == pytest.approx(rows[161]["close"])


def test_a_split_that_was_corrected_later_does_not_change_what_was_known(tmp_path):
    rows = put(sound(), 150, split_ratio=2.0)
    lake = lake_of(tmp_path, rows_of(rows[:150], splits_after=2.0), rows_of(rows[150:], sha="b"))
    then = seen(lake, FIRST_ANSWER + dt.timedelta(days=1))
    corrected = put(rows, 150, split_ratio=4.0)[150:151]
    lake.publish(Change.append(YAHOO_BARS, rows_of(corrected, at=FIRST_ANSWER + dt.timedelta(days=5), sha="c")))
    assert seen(lake, FIRST_ANSWER + dt.timedelta(days=1)) == then
    assert seen(lake, FIRST_ANSWER + dt.timedelta(days=6))[DAYS[100]]["close"] == pytest.approx(then[DAYS[100]]["close"] / 2)
    taken_back = put(rows, 150, split_ratio=0.0)[150:151]
    lake.publish(Change.append(YAHOO_BARS, rows_of(taken_back, at=FIRST_ANSWER + dt.timedelta(days=7), sha="d")))
    assert seen(lake, FIRST_ANSWER + dt.timedelta(days=8))[DAYS[100]]["close"] == pytest.approx(then[DAYS[100]]["close"] * 2)


def test_rows_under_both_symbols_of_a_security_are_one_series(tmp_path):
    rows = put(sound(), 100, dividend=200.0)
    old, new = ([r | {"ticker": symbol} for r in some] for symbol, some in (("FB", rows[:110]), ("META", rows[110:])))
    lake = lake_of(tmp_path, rows_of(old, at=calendar.known_at("XNYS", DAYS[109])), rows_of(new, sha="b"))
    renames = tmp_path / "symbols.toml"
    renames.write_text(f'[[rename]]\nfrom = "FB"\nto = "META"\non = {DAYS[110]}\n')
    standardize(lake, (YAHOO,), as_of=AS_OF, run_id="run-1", symbols_file=renames)
    assert set(vendor_prices(lake.snapshot(), AS_OF)["ticker"].to_pylist()) == {"META"}
    check(lake, as_of=AS_OF, settings=CheckSettings(), run_id="run-1")
    held = lake.snapshot().sql("select ticker, session from quality.quarantine where rule = 'dividend_adjustment'").to_pylist()
    assert held == [{"ticker": "META", "session": DAYS[100]}]
    assert DAYS[100] not in lake.snapshot().actions()["session"].to_pylist()


@pytest.mark.parametrize("fault", [False, True])
def test_a_missing_adjustment_is_found_in_the_lake(tmp_path, fault):
    rows = sound()
    if fault:
        rows = adjusted_before(rows, 160, 1 / (1 - 2.0 / rows[159]["close"]))
    lake = lake_of(tmp_path, rows_of(rows))
    standardize(lake, (YAHOO,), as_of=AS_OF, run_id="run-1")
    report = check(lake, as_of=AS_OF, settings=CheckSettings(), run_id="run-1")
    found = next(r for r in report.results if r.rule == "dividend_adjustment").findings.to_pylist()
    assert [f["first_session"] for f in found] == ([DAYS[160]] if fault else [])
    assert "dividend_adjustment" not in report.quarantine["rule"].to_pylist(), "bar and cash are right"
