"""Answers about a symbol after its security left it: of that security still, or of another; and what the user says ended."""

import datetime as dt
import itertools

import pytest

from trader_pipeline import calendar, sources
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.standardize import is_due, standardize
from trader_pipeline.lake import Lake
from trader_pipeline.schema.core import DAILY_BARS
from trader_pipeline.schema.raw_fmp import FMP_SYMBOL_CHANGES
from trader_pipeline.settings import Settings
from trader_pipeline.sources.fmp_symbols import FMP_SYMBOLS_FEED
from trader_pipeline_tests.flows.raw_fetches import DAYS, FEEDS, after, bar, brought_up, fresh, publish, tables
from trader_pipeline_tests.paper_vendor import FIRST, PaperVendor

RENAMED = DAYS[10]
ASKED = 20
"""Both symbols are asked for on this day, long after the rename."""

ALL = DAYS[: ASKED + 1]
UNTIL, SINCE = DAYS[:10], DAYS[10 : ASKED + 1]


def prices(symbol, days, at=10.0):
    """Bars whose closes differ by the day."""
    return [bar(symbol, day, at + DAYS.index(day) / 4) for day in days]


def rename(old="FB", new="META", on=RENAMED):
    return f'[[rename]]\nfrom = "{old}"\nto = "{new}"\non = {on}\n'


def end(symbol="FB", on=RENAMED):
    return f'[[end]]\nsymbol = "{symbol}"\non = {on}\n'


@pytest.fixture
def lake(tmp_path):
    return fresh(tmp_path)


@pytest.fixture
def told(tmp_path):
    """Write symbols.toml and return it."""

    def told(text=""):
        file = tmp_path / "symbols.toml"
        file.write_text(text)
        return file

    return told


def spans(lake):
    """Return bars by security: how many, from when to when."""
    rows = lake.snapshot().sql("select ticker, count(*) as n, min(session) as a, max(session) as b from core.daily_bars group by ticker")
    return {row["ticker"]: (row["n"], row["a"], row["b"]) for row in rows.to_pylist()}


def mapped(lake):
    rows = lake.snapshot().sql("select ticker, symbol, valid_from, valid_to from core.ticker_map order by symbol, valid_from").to_pylist()
    return [tuple(row.values()) for row in rows]


def overlapping(rows):
    """Return the pairs of intervals of one symbol, or of one ticker, that share a day."""
    return [
        (a, b)
        for a, b in itertools.combinations(rows, 2)
        if (a[0] == b[0] or a[1] == b[1]) and (b[3] is None or a[2] <= b[3]) and (a[3] is None or b[2] <= a[3])
    ]


ONE = [("META", "FB", DAYS[0], UNTIL[-1]), ("META", "META", RENAMED, None)]


ANSWERS = {
    "with the new one's bars": ALL,
    "with what it had until then": UNTIL,
}


@pytest.mark.parametrize("days", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("known", ["before the fetch", "after it"])
@pytest.mark.parametrize("teller", ["user", "fmp"])
def test_a_vendor_that_answers_the_old_symbol_brings_one_security(lake, told, days, known, teller):
    feeds = (*FEEDS, FMP_SYMBOLS_FEED)
    change = (FMP_SYMBOL_CHANGES, {"oldSymbol": "FB", "newSymbol": "META", "date": RENAMED, "companyName": "Meta"})
    fetches = [prices("FB", days) + prices("META", ALL)]
    if teller == "fmp":
        fetches.insert(0 if known == "before the fetch" else 1, [change])
    for k, rows in enumerate(fetches):
        publish(lake, after(DAYS[ASKED], minutes=k), *rows)
        brought_up(lake, told(rename() if teller == "user" and known == "before the fetch" else ""), feeds)
    brought_up(lake, told(rename() if teller == "user" else ""), feeds)
    assert spans(lake) == {"META": (len(ALL), ALL[0], ALL[-1])}
    assert lake.snapshot().rows(DAILY_BARS) == len(ALL)
    assert mapped(lake) == ONE


def test_a_history_that_the_vendor_keeps_under_both_symbols_is_joined(lake, told):
    publish(lake, after(DAYS[ASKED]), *prices("FB", UNTIL), *prices("META", SINCE))
    brought_up(lake, told(rename()))
    assert spans(lake) == {"META": (len(ALL), ALL[0], ALL[-1])}
    assert mapped(lake) == ONE


OTHERS = {"that began later": SINCE[2:], "that brought its history": ALL}


@pytest.mark.parametrize("days", OTHERS.values(), ids=OTHERS)
def test_another_company_under_the_old_symbol_is_its_own_security(lake, told, days):
    publish(lake, after(DAYS[ASKED]), *prices("FB", days, at=50.0), *prices("META", ALL))
    brought_up(lake, told(rename()))
    assert spans(lake) == {"FB": (len(days), days[0], days[-1]), "META": (len(ALL), ALL[0], ALL[-1])}
    assert ("FB", "FB", max(days[0], RENAMED), None) in mapped(lake)
    assert overlapping(mapped(lake)) == []


def test_a_chain_of_renames_listed_whole_is_one_security(lake, told):
    publish(lake, after(DAYS[ASKED]), *(one for symbol in "ABC" for one in prices(symbol, ALL)))
    brought_up(lake, told(rename("A", "B", DAYS[5]) + rename("B", "C", DAYS[10])))
    assert spans(lake) == {"C": (len(ALL), ALL[0], ALL[-1])}
    assert mapped(lake) == [("C", "A", DAYS[0], DAYS[4]), ("C", "B", DAYS[5], UNTIL[-1]), ("C", "C", RENAMED, None)]


def test_what_the_user_ended_ends_though_the_vendor_goes_on(lake, told):
    publish(lake, after(DAYS[5]), *prices("FB", DAYS[:6]))
    publish(lake, after(DAYS[ASKED]), *prices("FB", ALL))
    brought_up(lake, told(end()))
    old = f"FB-{UNTIL[-1]:%Y%m}"
    assert spans(lake) == {old: (len(UNTIL), UNTIL[0], UNTIL[-1]), "FB": (len(SINCE), SINCE[0], SINCE[-1])}
    assert mapped(lake) == [(old, "FB", UNTIL[0], UNTIL[-1]), ("FB", "FB", RENAMED, None)]


def test_what_is_asked_only_after_its_end_is_the_security_that_ended(lake, told):
    publish(lake, after(DAYS[ASKED]), *prices("FB", UNTIL))
    brought_up(lake, told(end()))
    old = f"FB-{UNTIL[-1]:%Y%m}"
    assert spans(lake) == {old: (len(UNTIL), UNTIL[0], UNTIL[-1])}
    assert mapped(lake) == [(old, "FB", UNTIL[0], UNTIL[-1])]


def test_who_took_an_ended_symbol_over_keeps_the_history_that_it_brought(lake, told):
    publish(lake, after(UNTIL[-1]), *prices("FB", UNTIL))
    publish(lake, after(DAYS[ASKED]), *prices("FB", ALL, at=50.0))
    brought_up(lake, told(end()))
    old = f"FB-{UNTIL[-1]:%Y%m}"
    assert spans(lake) == {old: (len(UNTIL), UNTIL[0], UNTIL[-1]), "FB": (len(ALL), ALL[0], ALL[-1])}
    assert mapped(lake) == [(old, "FB", UNTIL[0], UNTIL[-1]), ("FB", "FB", RENAMED, None)]


FETCHES = {
    "both, then the rename": ("", [prices("FB", ALL) + prices("META", ALL)], rename()),
    "the old symbol, then the new one": (rename(), [prices("FB", ALL), prices("META", ALL)], rename()),
    "the new symbol, then the old one": (rename(), [prices("META", ALL), prices("FB", ALL)], rename()),
    "another company, as the new symbol shows": (rename(), [prices("FB", UNTIL, at=50.0), prices("META", ALL)], rename()),
    "what ended, then another company": (end(), [prices("FB", UNTIL), prices("FB", SINCE, at=50.0)], end()),
    "what the user says ended later": ("", [prices("FB", ALL), prices("FB", ALL[5:])], end()),
}


@pytest.mark.parametrize(("first", "fetches", "then"), FETCHES.values(), ids=FETCHES)
def test_one_fetch_at_a_time_ends_as_all_at_once(tmp_path, told, first, fetches, then):
    grown, whole = fresh(tmp_path / "grown"), fresh(tmp_path / "whole")
    for k, rows in enumerate(fetches):
        for lake in (grown, whole):
            publish(lake, after(DAYS[ASKED + k]), *rows)
        brought_up(grown, told(first))
    symbols = told(then)
    for lake in (grown, whole):
        brought_up(lake, symbols)
    assert tables(grown) == tables(whole)
    assert overlapping(mapped(grown)) == []
    assert not is_due(grown, FEEDS, symbols_file=symbols)


@pytest.mark.parametrize("named", [True, False])
def test_both_names_of_one_security_are_asked_for_as_one_when_the_bars_showed_it(tmp_path, monkeypatch, named):
    vendor, days = PaperVendor(), calendar.sessions("XNYS", FIRST, dt.date(2024, 9, 30)).tolist()
    monkeypatch.setattr(sources, "FEEDS", (vendor.feed,))
    settings = Settings(home=tmp_path, dataset="live", live_first_session=FIRST.isoformat(), _env_file=None)
    settings.symbols_file.write_text(rename(on=days[10]))
    settings.universe_file.write_text('[default]\nmembers = [{ticker = "FB"}, {ticker = "META"}]\n')
    vendor.closes = {name: {day: 10 + k / 4 for k, day in enumerate(days)} for name in ("FB", "META")}
    lake = Lake(settings.dataset_home / "lake", "live")
    for moment in map(after, days[40:42]):
        tickers = ("FB", "META") if named else None
        ingest(lake, vendor.feed, settings, as_of=moment, fetched_at=moment, run_id="run", tickers=tickers)
        standardize(lake, (vendor.feed,), as_of=moment, run_id="run", symbols_file=settings.symbols_file)
    assert vendor.asked == [("FB", "META", "SPY"), ("META", "SPY")]
    assert spans(lake).keys() == {"META", "SPY"}
