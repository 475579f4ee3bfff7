import datetime as dt

import pyarrow as pa
import pytest

from trader_pipeline.schema.core import UNIVERSE
from trader_pipeline_tests.checks.build import DAYS, bars, verdict

BARS = bars({"A": DAYS[:60], "B": DAYS[:60]})


def mapped(ticker, symbol=None, first=DAYS[0], last=None, **others):
    return {"ticker": ticker, "symbol": symbol or ticker, "valid_from": first, "valid_to": last, **others}


def told(*rows, rule="ticker_map", **options):
    found = verdict(BARS, rule, mapped=rows, **options).findings.to_pylist()
    return [(f["ticker"], f["severity"], f["first_session"], f["message"].split(": ")[1]) for f in found]


def test_a_sound_map_is_not_told():
    renamed = [mapped("A", "OLD", last=DAYS[29]), mapped("A", first=DAYS[30]), mapped("B", last=DAYS[59])]
    assert told(*renamed) == []
    assert told(mapped("A")) == []  # a ticker without a row is judged by the default


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            [mapped("A", last=DAYS[0] - dt.timedelta(days=1))],
            ("A", "error", DAYS[0], "bars of own after the last row; ends before it begins"),
        ),
        ([mapped("A", "OLD", last=DAYS[30]), mapped("A", first=DAYS[30])], ("A", "error", DAYS[30], "two rows of the ticker hold at once")),
        ([mapped("A", "X"), mapped("B", "X", first=DAYS[0])], ("B", "error", DAYS[0], "the symbol X means two securities at once")),
        ([mapped("A", exchange="XXXX")], ("A", "error", DAYS[0], "no calendar is known for the exchange XXXX")),
        ([mapped("A", exchange="NYSE")], ("A", "warning", DAYS[0], "the exchange NYSE is not written as its MIC")),
        ([mapped("A", first=DAYS[5])], ("A", "warning", DAYS[0], "bars of own before the first row")),
        ([mapped("A", last=DAYS[50])], ("A", "warning", DAYS[59], "bars of own after the last row")),
    ],
)
def test_a_map_that_contradicts_itself_or_the_bars(rows, expected):
    assert told(*rows) == [expected]


def test_suffixes_without_a_calendar_are_told_once():
    (finding,) = verdict(BARS, "ticker_map", mapped=[mapped("A", "VIC.VN"), mapped("B", "COMI.CA")]).findings.to_pylist()
    assert (finding["ticker"], finding["severity"], finding["value"]) == ("*", "warning", 2.0)
    assert finding["message"].startswith("A, B: no calendar is known for the suffix, they are judged by XNYS; ")
    assert told(mapped("A", "BRK.B"), mapped("B", "OTE.AT", exchange="ASEX")) == []


def test_a_symbol_that_went_to_another_company_is_sound():
    assert told(mapped("A-201802", "X", last=DAYS[20]), mapped("B", "X", first=DAYS[21]), mapped("B", "Y", last=DAYS[20])) == []


def members(*rows):
    stays = [{"universe": u, "ticker": t, "valid_from": f, "valid_to": u2} for u, t, f, u2 in rows]
    return {"beside": {UNIVERSE: pa.Table.from_pylist(stays, schema=UNIVERSE.arrow_schema)}}


def test_memberships_that_overlap_or_end_before_they_begin_are_errors():
    twice = members(("u", "A", DAYS[0], DAYS[9]), ("u", "A", DAYS[9], None), ("other", "A", DAYS[3], None))
    assert told(mapped("A"), rule="universe", **twice) == [("A", "error", DAYS[9], "a member of u twice at once")]
    backwards = members(("u", "A", DAYS[9], DAYS[0]))
    assert told(mapped("A"), rule="universe", **backwards) == [("A", "error", DAYS[9], "u ends before it begins")]


@pytest.mark.parametrize(("tickers", "n_told"), [("AB", 0), ("ABC", 1), ("ABCD", 1), ("ABCDE", 0)])
def test_members_without_a_row_in_the_map_are_told_of_a_universe_that_is_followed(tickers, n_told):
    found = told(mapped("A"), mapped("B"), rule="universe", **members(*(("u", t, DAYS[0], None) for t in tickers)))
    assert [f[:3] for f in found] == [("*", "warning", DAYS[0])] * n_told
