"""CBOE, Ken French and the S&P 500's members: the files as they are written, what the rows mean, and files that are not whole."""

import datetime as dt
import io
import zipfile

import pyarrow as pa
import pytest

from trader_pipeline.schema import core
from trader_pipeline.schema.raw_public import CBOE_INDICES, FRENCH_FIVE_FACTORS, FRENCH_MOMENTUM, SP500_MEMBERS
from trader_pipeline.sources import french
from trader_pipeline.sources.cboe import CBOE
from trader_pipeline.sources.french import FRENCH
from trader_pipeline.sources.source import FetchRequest
from trader_pipeline.sources.sp500 import SP500
from trader_pipeline_tests.fake_public import FIVE_FACTORS, MEMBERS, MOMENTUM, RECORDED, VIX, FakePublic, zipped
from trader_pipeline_tests.feeds import fetched
from trader_pipeline_tests.sources.vendors import PUBLIC_AS_OF as NOW
from trader_pipeline_tests.sources.vendors import public_settings


@pytest.fixture
def public():
    with FakePublic() as server:
        yield server


@pytest.fixture
def settings(tmp_path, public):
    return public_settings(tmp_path, public.url, attempts=2)


def ask(feed, settings, **changes):
    result = fetched(feed, FetchRequest(**({"as_of": NOW, "fetched_at": NOW} | changes)), settings)
    return {attempt.ticker: attempt for attempt in result.attempts}, result.tables


def core_of(feed, tables):
    (rows,) = feed.to_core({table.full_name: tables.get(table, table.empty()) for table in feed.raw_tables}).values()
    return rows


def utc(*parts):
    return dt.datetime(*parts, tzinfo=dt.UTC)


def test_each_is_asked_for_by_its_own_names_and_pace(settings):
    assert [feed.subjects(settings) for feed in (CBOE, FRENCH, SP500)] == [("vix",), ("five_factors", "momentum"), ("sp500",)]
    assert [feed.every_sessions for feed in (CBOE, FRENCH, SP500)] == [1, 5, 5]


@pytest.mark.parametrize("feed", [CBOE, FRENCH, SP500], ids=lambda feed: feed.source)
def test_a_name_that_is_not_in_the_list_is_an_unknown_symbol(feed, settings):
    attempts, tables = ask(feed, settings, tickers=("nosuch",))
    assert (attempts["nosuch"].outcome, attempts["nosuch"].requests, tables) == ("unknown_symbol", 0, {})


def test_the_vix_is_percent_and_known_at_the_close_and_half_an_hour(settings):
    attempts, tables = ask(CBOE, settings)
    assert (attempts["vix"].outcome, attempts["vix"].rows, attempts["vix"].last_session) == ("ok", 5, dt.date(2026, 9, 22))
    rows = {row["observed_on"]: row for row in core_of(CBOE, tables).to_pylist()}
    assert {row["series"] for row in rows.values()} == {"vix_close"}
    march = rows[dt.date(2020, 3, 16)]
    assert (march["value"], march["vintage"], march["source"]) == (82.690002, "final", "cboe")
    assert march["known_at"] == utc(2020, 3, 16, 20, 30)  # 16:30 in summer
    assert rows[dt.date(1990, 1, 2)]["known_at"] == utc(1990, 1, 2, 21, 30)  # 16:30 in winter


def test_todays_vix_is_left_out_until_it_is_final(settings):
    early = NOW - dt.timedelta(minutes=1)
    attempts, _ = ask(CBOE, settings, as_of=early)
    assert attempts["vix"].last_session == dt.date(2026, 9, 4)
    attempts, _ = ask(CBOE, settings, as_of=early, since={"vix": dt.date(2026, 9, 22)})
    assert (attempts["vix"].outcome, attempts["vix"].rows) == ("no_data", 0)


def test_asked_again_only_the_newest_rows_of_the_vix_are_stored(settings):
    _, tables = ask(CBOE, settings, since={"vix": dt.date(2026, 9, 4)}, first_session=dt.date(2010, 1, 4))
    assert tables[CBOE_INDICES]["DATE"].to_pylist() == [dt.date(2026, 9, 4), dt.date(2026, 9, 22)]
    _, tables = ask(CBOE, settings, first_session=dt.date(2010, 1, 4))
    assert tables[CBOE_INDICES].num_rows == 3


def test_a_vix_file_that_ends_long_ago_was_cut(public, settings):
    public.files[VIX] = RECORDED["vix"][: RECORDED["vix"].index("09/04/2026")]
    attempts, _ = ask(CBOE, settings)
    assert (attempts["vix"].outcome, attempts["vix"].retries) == ("transient_exhausted", 1)
    assert "ends on 2020-03-16" in attempts["vix"].detail


def test_a_vix_without_a_close_is_stored_and_told_and_no_macro_value(public, settings):
    public.files[VIX] = RECORDED["vix"].replace("14.530000", "n/a").replace("14.950000", "")
    attempts, tables = ask(CBOE, settings, since={"vix": dt.date(2026, 9, 1)})
    assert attempts["vix"].detail == "CLOSE: no number, taken as missing: 1 (first 'n/a')"
    assert tables[CBOE_INDICES]["CLOSE"].to_pylist() == [None, 14.21]
    assert tables[CBOE_INDICES]["HIGH"].to_pylist() == [14.58, None]
    assert core_of(CBOE, tables)["value"].to_pylist() == [14.21]


@pytest.mark.parametrize(
    ("old", "new"),
    [("CLOSE", "LAST"), ("01/03/1990", "1990-01-03"), ("01/03/1990", "01/02/1990")],
    ids=["column", "date", "contradiction"],
)
def test_another_shape_of_the_vix_file_is_a_schema_change(public, settings, old, new):
    public.files[VIX] = RECORDED["vix"].replace(old, new, 1)
    attempts, tables = ask(CBOE, settings)
    assert (attempts["vix"].outcome, tables) == ("schema_change", {})


def test_factors_are_fractions_and_a_missing_one_is_null_and_told(settings):
    attempts, tables = ask(FRENCH, settings)
    assert {name: (a.outcome, a.rows) for name, a in attempts.items()} == {"five_factors": ("ok", 3), "momentum": ("ok", 2)}
    assert attempts["five_factors"].detail == "RMW: marked as missing: 1 (first '-99.99'); CMA: marked as missing: 1 (first '-999')"
    assert tables[FRENCH_FIVE_FACTORS]["CMA"].to_pylist() == [0.16, -0.20, None]
    assert tables[FRENCH_MOMENTUM]["Mom"].to_pylist() == [0.35, -0.61]
    rows = {(row["factor"], row["session"]): row["value"] for row in core_of(FRENCH, tables).to_pylist()}
    july = dt.date(1963, 7, 1)
    names = ("market_excess", "size", "value", "profitability", "investment", "risk_free")
    assert [rows[name, july] for name in names] == pytest.approx([-0.0067, 0.0, -0.0034, -0.0001, 0.0016, 0.0001], abs=1e-15)
    assert rows["momentum", dt.date(1926, 11, 4)] == pytest.approx(-0.0061, abs=1e-15)
    assert len(rows) == 3 * 6 - 2 + 2


def test_a_factor_is_known_after_its_lag_and_never_later_than_we_had_it(public, settings):
    public.files[FIVE_FACTORS] = zipped(x_csv=RECORDED["five_factors"].replace("19630701", "20260302").replace("19630703", "20260831"))
    _, tables = ask(FRENCH, settings, tickers=("five_factors",))
    known = {row["session"]: row["known_at"] for row in core_of(FRENCH, tables).to_pylist() if row["factor"] == "size"}
    assert known[dt.date(2026, 3, 2)] == utc(2026, 6, 10, 20, 30)  # 100 days later, at the close + 30 min
    assert known[dt.date(2026, 8, 31)] == NOW


def test_factors_before_the_first_session_are_not_stored(settings):
    attempts, tables = ask(FRENCH, settings, first_session=dt.date(1963, 7, 3))
    assert tables[FRENCH_FIVE_FACTORS]["date"].to_pylist() == [dt.date(1963, 7, 3)]
    assert attempts["momentum"].outcome == "no_data"


def test_an_annual_table_after_the_daily_one_is_not_read(public, settings):
    public.files[MOMENTUM] = zipped(
        x_csv=RECORDED["momentum"].replace("\r\nCopyright", "\r\n Annual Factors:,,\r\n,Mom,\r\n1927,5.20,\r\n\r\nCopyright")
    )
    assert ask(FRENCH, settings)[0]["momentum"].rows == 2


@pytest.fixture
def small_zips(monkeypatch):
    monkeypatch.setattr(french, "MOST_BYTES", 1_000_000)


def encrypted():
    """Return a zip whose file says that it is encrypted (bit 0 of its flags, in the local and the central header)."""
    packed = bytearray(zipped(x_csv=RECORDED["momentum"]))
    packed[6] |= 1
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    return bytes(packed)


def stored_with_a_flipped_byte():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("x.csv", RECORDED["momentum"])
    return packed.getvalue().replace(b"19261104,-0.61", b"19261104,-0.16")


@pytest.mark.parametrize(
    ("content", "outcome", "words"),
    [
        (b"<html>busy</html>", "transient_exhausted", "no whole zip"),
        (zipped(x_csv=RECORDED["momentum"])[:-30], "transient_exhausted", "no whole zip"),
        (stored_with_a_flipped_byte(), "transient_exhausted", "no whole zip"),
        (zipped(x_csv="0" * 3_000_000), "schema_change", "more than 1000000 bytes"),
        (zipped(x_csv="", y_csv=""), "schema_change", "not with one"),
        (encrypted(), "schema_change", "cannot be unpacked"),
        (zipped(x_csv=",Mkt-RF,SMB,HML,RF\r\n19630701,1,2,3,4\r\n"), "schema_change", "no header Mom"),
        (zipped(x_csv=",Mom,\r\n\r\nCopyright"), "schema_change", "no row after the header"),
        (zipped(x_csv=",Mom,\r\n19261103,0.35,0.36\r\n"), "schema_change", "has not 2 cells"),
        (zipped(x_csv=",Mom,\r\n19261103,0.35,\r\n19261103,0.36,\r\n"), "schema_change", "two rows of 1926-11-03"),
    ],
    ids=["html", "cut", "checksum", "bomb", "two files", "encrypted", "header", "no rows", "cells", "twice"],
)
@pytest.mark.usefixtures("small_zips")
def test_a_zip_that_is_not_what_it_was_is_named(public, settings, content, outcome, words):
    public.files[MOMENTUM] = content
    attempts, tables = ask(FRENCH, settings, tickers=("momentum",))
    assert (attempts["momentum"].outcome, tables) == (outcome, {})
    assert words in attempts["momentum"].detail


def test_members_are_in_until_the_day_before_they_are_out(settings):
    attempts, tables = ask(SP500, settings)
    assert (attempts["sp500"].outcome, attempts["sp500"].rows) == ("ok", 7)
    universe = core.UNIVERSE.conform(core_of(SP500, tables))
    assert {row["universe"] for row in universe.to_pylist()} == {"sp500"}
    stays = {(row["ticker"], row["valid_from"]): row["valid_to"] for row in universe.to_pylist()}
    assert stays == {
        ("AAPL", dt.date(1996, 1, 2)): None,
        ("AMD", dt.date(1996, 1, 2)): dt.date(2013, 9, 22),
        ("AMD", dt.date(2017, 3, 20)): None,
        ("BRK-B", dt.date(2010, 2, 16)): None,
        ("FB", dt.date(2013, 12, 23)): dt.date(2022, 6, 8),
        ("LEHMQ", dt.date(1998, 1, 12)): dt.date(2008, 9, 16),
        ("META", dt.date(2022, 6, 9)): None,
    }
    june = [t for (t, start), end in stays.items() if start <= dt.date(2022, 6, 9) and (end is None or end >= dt.date(2022, 6, 9))]
    assert "META" in june
    assert "FB" not in june


def test_the_newest_list_of_members_counts(public, settings):
    _, first = ask(SP500, settings)
    public.files[MEMBERS] = "ticker,start_date,end_date\nAAPL,1996-01-02,\nAMD,2017-03-20,2026-09-21\n"
    _, second = ask(SP500, settings, fetched_at=NOW + dt.timedelta(hours=1))
    both = {SP500_MEMBERS: pa.concat_tables([first[SP500_MEMBERS], second[SP500_MEMBERS]])}
    assert core_of(SP500, both) == core_of(SP500, second)
    assert core_of(SP500, second)["valid_to"].to_pylist() == [None, dt.date(2026, 9, 20)]


@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        (RECORDED["members"][:-1], "transient_exhausted"),
        (RECORDED["members"][:60], "transient_exhausted"),
        ("ticker,start_date,end_date\n", "schema_change"),
        (RECORDED["members"].replace("end_date", "last_date"), "schema_change"),
        (RECORDED["members"].replace("2013-09-23", "1996-01-02"), "schema_change"),
        (RECORDED["members"].replace("2013-09-23", "23.09.2013"), "schema_change"),
        (RECORDED["members"].replace("BRK.B", "Berkshire Hathaway"), "schema_change"),
        (RECORDED["members"] + "META,2022-06-09,2026-01-02\n", "schema_change"),
    ],
    ids=["no end", "cut", "empty", "column", "backwards", "date", "symbol", "contradiction"],
)
def test_a_list_of_members_that_is_not_what_it_was_is_named(public, settings, content, outcome):
    public.files[MEMBERS] = content
    attempts, tables = ask(SP500, settings)
    assert (attempts["sp500"].outcome, tables) == (outcome, {})
