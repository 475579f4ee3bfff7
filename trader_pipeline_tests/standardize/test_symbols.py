"""Dates: Time Warner's investor relations (merger of 2001-01-11), NYSE notices of 2003-10-16 and 2009-12-10, Verizon's
purchase of AOL Inc. on 2015-06-23, the FDIC's seizure of Washington Mutual on 2008-09-25, Waste Management's release of
1998-07-16 (WMI from the 17th), Meta's of 2022-06-09, Roundhill's of 2022-01-31. WMI became WM in spring 2009."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader_pipeline.errors import InputError
from trader_pipeline.flows.symbols import read_symbols
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.core import SYMBOL_CHANGES
from trader_pipeline.settings import Settings
from trader_pipeline.standardize.symbol_changes import OWN, SymbolChange, read_own
from trader_pipeline.standardize.symbols import Interval, Symbols

TODAY = dt.date(2026, 11, 20)


def day(text):
    return dt.date.fromisoformat(text)


def renamed(symbol, new_symbol, on, source="fmp"):
    return SymbolChange(symbol=symbol, new_symbol=new_symbol, changed_on=day(on), source=source)


HISTORY = (
    renamed("TWX", None, "2001-01-12"),
    renamed("AOL", "TWX", "2003-10-16"),
    renamed("AOL", None, "2015-06-24"),
    renamed("TWX", None, "2018-06-15"),
    renamed("UW", "WMI", "1998-07-17"),
    renamed("WM", None, "2008-09-26"),
    renamed("WMI", "WM", "2009-04-06"),
    renamed("META", "METV", "2022-01-31"),
    renamed("FB", "META", "2022-06-09"),
)
SYMBOLS = Symbols(HISTORY)


@pytest.mark.parametrize(
    ("symbol", "on", "ticker"),
    [
        ("TWX", "2000-06-01", "TWX-200101"),  # old Time Warner Inc.
        ("AOL", "2000-06-01", "TWX-201806"),  # America Online, which became AOL Time Warner, then Time Warner
        ("AOL", "2002-06-03", "TWX-201806"),
        ("AOL", "2003-10-15", "TWX-201806"),
        ("TWX", "2003-10-16", "TWX-201806"),
        ("AOL", "2012-06-01", "AOL-201506"),  # AOL Inc., spun off in 2009
        ("UW", "1998-07-16", "WM"),
        ("WMI", "2005-01-03", "WM"),
        ("WM", "2005-01-03", "WM-200809"),  # Washington Mutual
        ("WM", "2010-01-04", "WM"),
        ("FB", "2022-06-08", "META"),
        ("FB", "2022-06-09", "FB"),
        ("META", "2022-06-09", "META"),
        ("META", "2021-12-01", "METV"),  # Roundhill's fund
        ("IBM", "2005-01-03", "IBM"),
    ],
)
def test_a_symbol_means_the_security_that_had_it_on_the_day(symbol, on, ticker):
    assert SYMBOLS.security(symbol, day(on)) == ticker


@pytest.mark.parametrize(
    ("ticker", "on", "symbol"),
    [
        ("META", "2020-01-02", "FB"),
        ("META", "2026-01-02", "META"),
        ("WM", "1997-01-02", "UW"),
        ("WM", "2008-09-26", "WMI"),
        ("WM", "2026-01-02", "WM"),
        ("WM-200809", "2005-01-03", "WM"),
        ("WM-200809", "2026-01-02", None),
        ("TWX-201806", "2002-06-03", "AOL"),
        ("TWX-201806", "2018-06-15", None),
        ("IBM", "2026-01-02", "IBM"),
    ],
)
def test_a_vendor_knows_a_security_by_its_symbol_of_the_day_of_asking(ticker, on, symbol):
    assert SYMBOLS.asked_as(ticker, day(on)) == symbol


def test_intervals_follow_the_renames():
    assert SYMBOLS.intervals("WM") == (
        Interval(symbol="UW", first=None, last=day("1998-07-16"), renamed=True),
        Interval(symbol="WMI", first=day("1998-07-17"), last=day("2009-04-05"), renamed=True),
        Interval(symbol="WM", first=day("2009-04-06"), last=None, renamed=False),
    )
    assert SYMBOLS.intervals("IBM") == (Interval(symbol="IBM", first=None, last=None, renamed=False),)


def test_a_symbol_that_was_taken_over_without_a_known_end_ended_when_it_was():
    assert Symbols([renamed("AOL", "TWX", "2003-10-16")]).security("TWX", day("2000-06-01")) == "TWX-200310"


def test_a_security_that_took_its_old_symbol_back_is_one():
    back = Symbols([renamed("A", "B", "2010-01-04"), renamed("B", "A", "2012-01-03")])
    assert {back.security("A", day("2009-01-02")), back.security("B", day("2011-01-03")), back.security("A", TODAY)} == {"A"}
    assert back.security("A", day("2011-01-03")) == "A-201201"


def test_two_tellings_of_one_rename_are_one_and_the_users_word_counts():
    told = [renamed("FB", "META", "2022-06-09"), renamed("FB", "META", "2022-06-13", "tiingo")]
    assert [c.changed_on for c in Symbols(told).changes] == [day("2022-06-09")]
    own = Symbols([*told, renamed("FB", "META", "2022-06-10", OWN)])
    assert own.security("FB", day("2022-06-09")) == "META"


def test_a_merger_is_no_rename_unless_the_user_says_which_it_is():
    told = [renamed("A", "C", "2020-01-02"), renamed("B", "C", "2020-01-02")]
    assert [Symbols(told).security(s, day("2019-01-02")) for s in "ABC"] == ["A-202001", "B-202001", "C"]
    settled = Symbols([*told, renamed("A", "C", "2020-01-02", OWN)])
    assert [settled.security(s, day("2019-01-02")) for s in "AB"] == ["C", "B-202001"]


DAYS = st.dates(dt.date(2000, 1, 3), dt.date(2003, 1, 3))
CHANGES = st.builds(
    SymbolChange,
    symbol=st.sampled_from("ABCD"),
    new_symbol=st.sampled_from(["A", "B", "C", "D", None]),
    changed_on=DAYS,
    source=st.just("fmp"),
)


@given(st.lists(CHANGES, max_size=8), st.sampled_from("ABCD"), DAYS)
def test_every_security_is_asked_as_the_symbol_that_meant_it(changes, symbol, on):
    symbols = Symbols(changes)
    assert symbols.asked_as(symbols.security(symbol, on), on) == symbol


@given(st.lists(CHANGES, max_size=8), DAYS)
def test_no_two_symbols_of_a_day_are_one_security(changes, on):
    symbols = Symbols(changes)
    assert len({symbols.security(s, on) for s in "ABCD"}) == 4


@given(st.lists(CHANGES, max_size=6))
def test_the_order_of_the_rows_is_of_no_account(changes):
    assert Symbols(changes).version("ABCD") == Symbols(reversed(changes)).version("ABCD")


@given(st.lists(CHANGES, max_size=6), st.lists(CHANGES, max_size=3), st.sampled_from("ABCD"), DAYS)
def test_an_answer_that_changes_changes_the_version(before, more, symbol, on):
    one, other = Symbols(before), Symbols([*before, *more])
    assert one.security(symbol, on) == other.security(symbol, on) or one.version([symbol]) != other.version([symbol])


def test_a_rename_of_what_nobody_follows_changes_no_version():
    told = SymbolChange(symbol="A", new_symbol="B", changed_on=day("2001-01-02"), source="fmp")
    other = SymbolChange(symbol="C", new_symbol="D", changed_on=day("2001-01-02"), source="fmp")
    assert Symbols([told]).version(["B"]) == Symbols([told, other]).version(["B"]) != Symbols([told, other]).version(["B", "D"])


def test_the_users_file_is_read_with_the_vendors_rows(tmp_path):
    settings = Settings(home=tmp_path, _env_file=None)
    lake = Lake(tmp_path / "lake", "own")
    row = {"symbol": "FB", "changed_on": day("2022-06-09"), "new_symbol": "META", "source": "fmp", "name": "Meta"}
    lake.publish(Change.replace(SYMBOL_CHANGES, SYMBOL_CHANGES.empty().from_pylist([row], schema=SYMBOL_CHANGES.arrow_schema)))
    settings.symbols_file.write_text(
        '[[rename]]\nfrom = "AOL"\nto = "TWX"\non = 2003-10-16\nname = "Time Warner"\n[[end]]\nsymbol = "WM"\non = 2008-09-26\n'
    )
    symbols = read_symbols(lake.snapshot(), settings)
    assert [symbols.security(s, day("2003-01-02")) for s in ("FB", "AOL", "WM")] == ["META", "TWX", "WM-200809"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[rename]", "mend the file"),
        ("[[renamed]]\nfrom = 'A'", r"unknown \['renamed'\]; write"),
        ("[[rename]]\nfrom = 'A'\non = 2003-10-16", r"\['to'\] missing or of the wrong type"),
        ("[[end]]\nsymbol = 'A'\non = '2003-10-16'", r"\['on'\] missing or of the wrong type"),
        ("[[end]]\nsymbol = 'A'\non = 2003-10-16\ndate = 1", r"unknown \['date'\]"),
        ("[[rename]]\nfrom = 'A'\nto = 'A'\non = 2003-10-16", "rename to itself"),
        ("end = 3", "no list of tables"),
    ],
)
def test_a_bad_file_names_the_fact_and_the_mend(tmp_path, text, message):
    file = tmp_path / "symbols.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        read_own(file)
