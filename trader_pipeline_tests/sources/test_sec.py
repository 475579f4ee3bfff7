"""SEC EDGAR: what is asked for, what the refusals mean, and from when a filing may be used."""

import datetime as dt
import json

import pyarrow as pa
import pytest

from trader_pipeline.schema import core
from trader_pipeline.schema.metrics import METRIC_OF
from trader_pipeline.schema.raw_sec import SEC_FACTS, SEC_FILINGS
from trader_pipeline.settings import SecSettings, Settings
from trader_pipeline.sources.rest import Body
from trader_pipeline.sources.sec import SEC
from trader_pipeline.sources.sec_concepts import CONCEPTS
from trader_pipeline.sources.sec_core import accepted_at, months_of
from trader_pipeline.sources.sec_wire import facts_of
from trader_pipeline.sources.source import FetchRequest
from trader_pipeline_tests.fake_sec import APPLE, TICKERS, FakeSec, companyfacts, submissions
from trader_pipeline_tests.fake_server import Reply
from trader_pipeline_tests.fast import FAST
from trader_pipeline_tests.feeds import fetched

NOW = dt.datetime(2026, 11, 20, 22, 0, tzinfo=dt.UTC)
CONTACT = "Jane Doe jane@example.com"


@pytest.fixture
def sec():
    with FakeSec() as server:
        yield server


@pytest.fixture
def settings(tmp_path, sec):
    return settings_for(tmp_path, sec.url)


def settings_for(home, url, **changes):
    fast = FAST | {
        "timeout_seconds": 5,
        "contact": CONTACT,
    }
    return Settings(home=home, _env_file=None, sec=SecSettings(base_url=url, **(fast | changes)))


def ask(settings, *tickers, **changes):
    result = fetched(SEC, FetchRequest(**({"as_of": NOW, "fetched_at": NOW, "tickers": tickers} | changes)), settings)
    return {attempt.ticker: attempt for attempt in result.attempts}, result.tables


def fundamentals(tables):
    rows = SEC.to_core({table.full_name: tables.get(table, table.empty()) for table in SEC.raw_tables})[core.FUNDAMENTALS]
    return rows.sort_by([(name, "ascending") for name in ("ticker", "metric", "period_end", "months", "filed_on")]).to_pylist()


def of(rows, metric, period_end, months=12):
    wanted = (metric, dt.date.fromisoformat(period_end), months)
    return [row for row in rows if (row["metric"], row["period_end"], row["months"]) == wanted]


def test_real_figures_come_with_the_filing_that_they_are_from(settings):
    attempts, tables = ask(settings, "AAPL")
    assert (attempts["AAPL"].outcome, attempts["AAPL"].requests) == ("ok", 3)
    rows = fundamentals(tables)
    (newest,) = of(rows, "total_revenue", "2020-09-26")
    assert (newest["value"], newest["unit"], newest["form"], newest["accession"]) == (274_515e6, "USD", "10-K", "0000320193-20-000096")
    assert newest["accepted_at"] == dt.datetime(2020, 10, 29, 22, 6, 25, tzinfo=dt.UTC)
    assert [(r["value"], r["accession"][-9:]) for r in of(rows, "total_revenue", "2018-09-29")] == [
        (265_595e6, "18-000145"),  # us-gaap:Revenues
        (265_595e6, "19-000119"),  # by the concept that came after it
    ]


def test_a_restated_figure_is_another_row_as_filed_and_frame_is_not_read(settings):
    rows = fundamentals(ask(settings, "AAPL")[1])
    per_share = of(rows, "earnings_per_share", "2019-09-28")
    assert [(r["value"], str(r["filed_on"])) for r in per_share] == [(11.89, "2019-10-31"), (2.97, "2020-10-30")]  # 4:1 in August 2020
    shares = of(rows, "shares_outstanding", "2019-09-28", months=0)
    assert [r["value"] for r in shares] == [4_443_236_000.0] * 4 + [17_772_945_000.0]


def test_a_reader_on_the_day_of_filing_ignores_a_filing_not_yet_known(settings):
    (row,) = of(fundamentals(ask(settings, "AAPL")[1]), "net_income", "2020-09-26")
    assert row["filed_on"] == dt.date(2020, 10, 30)
    assert row["known_at"] == dt.datetime(2020, 10, 31, 4, 0, tzinfo=dt.UTC)  # the midnight of New York that ends the day
    assert row["known_at"] > dt.datetime(2020, 10, 30, 20, 30, tzinfo=dt.UTC)  # that day's close + 30 min


def test_a_filing_whose_acceptance_is_not_known_counts_from_the_session_after(sec, settings):
    (old,) = of(fundamentals(ask(settings, "AAPL")[1]), "total_revenue", "2019-09-28")
    assert (old["accepted_at"], old["filed_on"]) == (None, dt.date(2019, 10, 31))
    assert old["known_at"] == dt.datetime(2019, 11, 1, 20, 30, tzinfo=dt.UTC)
    cik = sec.company("FRI", 6)
    sec.file(cik, "0-1", "2024-03-28", [("Assets", "USD", None, "2023-12-31", 1.0)])  # a Thursday; Good Friday is none
    (row,) = fundamentals(ask(settings, "FRI")[1])
    assert row["known_at"] == dt.datetime(2024, 4, 1, 20, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("stamp", "filed", "accepted"),
    [
        ("2020-10-29T22:06:25.000Z", "2020-10-30", "2020-10-29T22:06:25"),  # Apple: 18:06 New York, filed on the next day
        ("2025-05-01T16:21:59.000Z", "2025-05-01", "2025-05-01T20:21:59"),  # U.S. Steel: the header says 16:21:59 New York
        ("2025-04-30T07:30:32.000Z", "2025-04-30", "2025-04-30T11:30:32"),  # Hess: 7:30:32 New York
        ("2024-08-01T20:31:00.000Z", "2024-08-01", "2024-08-01T20:31:00"),  # 20:31 New York would be filed on the next day
        ("2024-08-01T02:15:00.000Z", "2024-08-01", "2024-08-01T02:15:00"),  # EDGAR is closed at 2:15 New York
        ("2024-08-01T14:00:00.000Z", "2024-08-01", "2024-08-01T18:00:00"),  # either may be: the later
        ("", "2024-08-01", None),
        ("20180201160101x", "2018-02-01", None),
    ],
)
def test_a_stamp_is_read_by_the_clock_that_edgars_hours_allow(stamp, filed, accepted):
    expected = dt.datetime.fromisoformat(accepted).replace(tzinfo=dt.UTC) if accepted else None
    assert accepted_at(stamp, dt.date.fromisoformat(filed)) == expected


@pytest.mark.parametrize(
    ("first", "last", "months"),
    [
        ("2024-01-01", "2024-03-31", 3),
        ("2023-10-01", "2023-12-30", 3),  # 13 weeks
        ("2016-09-25", "2016-12-31", 3),  # 14 weeks
        ("2023-09-04", "2023-11-26", 3),  # 12 weeks
        ("2024-01-01", "2024-06-30", 6),
        ("2024-01-01", "2024-09-30", 9),
        ("2016-09-25", "2017-09-30", 12),  # 53 weeks
        ("2024-01-01", "2024-12-31", 12),
        ("2024-01-01", "2024-01-31", None),
        ("2024-05-13", "2024-09-01", None),  # 16 weeks
        ("2022-01-01", "2023-12-31", None),
    ],
)
def test_months_of_a_period(first, last, months):
    assert months_of(dt.date.fromisoformat(first), dt.date.fromisoformat(last)) == months


def test_periods_of_other_lengths_stay_in_raw_and_are_told(sec, settings):
    cik = sec.company("ODD", 7)
    sec.file(cik, "0-1", "2024-10-10", [("NetIncomeLoss", "USD", "2024-05-13", "2024-09-01", 5.0)], accepted="2024-10-10T15:00:00.000Z")
    attempts, tables = ask(settings, "ODD")
    assert tables[SEC_FACTS].num_rows == 1
    assert fundamentals(tables) == []
    assert attempts["ODD"].detail == "1 figures of periods that are not 3, 6, 9 or 12 months long"


def test_of_several_concepts_in_one_filing_the_first_declared_counts(sec, settings):
    cik = sec.company("TWO", 8)
    quarter = ("USD", "2024-01-01", "2024-03-31")
    figures = [("RevenueFromContractWithCustomerExcludingAssessedTax", *quarter, 90.0), ("Revenues", *quarter, 100.0)]
    sec.file(cik, "0-1", "2024-05-01", figures, accepted="2024-05-01T15:00:00.000Z")
    (row,) = fundamentals(ask(settings, "TWO")[1])
    assert (row["metric"], row["months"], row["value"]) == ("total_revenue", 3, 100.0)


def test_quarter_and_year_to_date_of_one_filing_are_two_rows(sec, settings):
    cik = sec.company("YTD", 9)
    figures = [("NetIncomeLoss", "USD", "2024-04-01", "2024-06-30", 3.0), ("NetIncomeLoss", "USD", "2024-01-01", "2024-06-30", 5.0)]
    sec.file(cik, "0-1", "2024-08-01", figures, accepted="2024-08-01T15:00:00.000Z")
    assert [(r["months"], r["value"]) for r in fundamentals(ask(settings, "YTD")[1])] == [(3, 3.0), (6, 5.0)]


def test_a_companys_own_currency_counts_before_a_translation_into_dollars(sec, settings):
    cik = sec.company("ZAR", 10)
    figures = [
        ("Assets", "USD", None, "2024-03-31", 1.0),
        ("Assets", "ZAR", None, "2024-03-31", 18.0),
        ("Assets", "pure", None, "2024-03-31", 9.0),
    ]
    sec.file(cik, "0-1", "2024-05-01", figures, accepted="2024-05-01T15:00:00.000Z")
    assert [(r["unit"], r["value"]) for r in fundamentals(ask(settings, "ZAR")[1])] == [("ZAR", 18.0)]


def test_of_two_filings_on_one_day_the_last_accepted_counts(sec, settings):
    cik = sec.company("DAY", 11)
    for accession, hour, value in (("0-2", "16", 6.0), ("0-1", "15", 5.0)):
        figures = [("Assets", "USD", None, "2024-03-31", value)]
        sec.file(cik, accession, "2024-05-01", figures, accepted=f"2024-05-01T{hour}:00:00.000Z")
    assert [r["value"] for r in fundamentals(ask(settings, "DAY")[1])] == [6.0]


def test_asked_again_without_a_new_filing_no_figures_are_asked_for(sec, settings):
    attempts, tables = ask(settings, "AAPL", since={"AAPL": dt.date(2020, 10, 31)})
    assert (attempts["AAPL"].outcome, attempts["AAPL"].rows, tables) == ("ok", 0, {})
    assert attempts["AAPL"].detail == "nothing filed since 2020-10-31"
    assert sec.hits[companyfacts(APPLE)] == 0


def test_asked_again_after_a_filing_only_its_figures_come(settings):
    attempts, tables = ask(settings, "AAPL", since={"AAPL": dt.date(2020, 10, 27)})
    assert set(tables[SEC_FACTS]["accn"].to_pylist()) == {"0000320193-20-000096"}
    assert tables[SEC_FILINGS]["accessionNumber"].to_pylist() == ["0000320193-20-000096"]
    assert attempts["AAPL"].first_session == dt.date(2020, 10, 30)


def test_to_core_of_two_fetches_is_the_sum_of_both(settings):
    first = ask(settings, "AAPL")[1]
    later = NOW + dt.timedelta(days=1)
    second = ask(settings, "AAPL", fetched_at=later, since={"AAPL": dt.date(2020, 10, 27)})[1]
    together = {table: pa.concat_tables([first[table], second[table]]) for table in SEC.raw_tables}
    assert sorted(map(str, fundamentals(together))) == sorted(map(str, fundamentals(first) + fundamentals(second)))


def test_raw_keeps_the_concepts_that_are_mapped_and_a_repeated_figure_once(sec, settings):
    cik = sec.company("MANY", 12)
    figures = [
        ("Assets", "USD", None, "2024-03-31", 1.0),
        ("Assets", "USD", None, "2024-03-31", 1.0),
        ("Land", "USD", None, "2024-03-31", 2.0),
    ]
    sec.file(cik, "0-1", "2024-05-01", figures, accepted="2024-05-01T15:00:00.000Z")
    attempts, tables = ask(settings, "MANY")
    assert tables[SEC_FACTS]["concept"].to_pylist() == ["Assets"]
    assert attempts["MANY"].detail == "1 repeated figures"
    SEC_FACTS.sorted(tables[SEC_FACTS])


def test_the_list_of_tickers_is_asked_for_once_and_knows_share_classes(sec, settings):
    for number, ticker in enumerate(("BRK-B", "AAA", "BBB", "CCC"), start=20):
        sec.file(
            sec.company(ticker, number),
            "0-1",
            "2024-05-01",
            [("Assets", "USD", None, "2024-03-31", 1.0)],
            accepted="2024-05-01T15:00:00.000Z",
        )
    attempts, _ = ask(settings, "BRK.B", "AAA", "BBB", "CCC", "NOSUCH")
    assert {t: a.outcome for t, a in attempts.items()} == {"BRK.B": "ok", "AAA": "ok", "BBB": "ok", "CCC": "ok", "NOSUCH": "unknown_symbol"}
    assert sec.hits[TICKERS] == 1


def test_a_fund_without_figures_has_no_data(sec, settings):
    sec.company("SPY", 30)
    attempts, tables = ask(settings, "SPY")
    assert (attempts["SPY"].outcome, tables) == ("no_data", {})


def test_too_fast_is_throttled_and_the_others_are_not_even_asked_for(sec, settings):
    ask(settings, "AAPL")
    sec.barred = True
    before = sum(sec.hits.values())
    attempts, _ = ask(settings, "AAPL", "AAPL2", "AAPL3")
    assert {a.outcome for a in attempts.values()} == {"throttled"}
    assert sum(sec.hits.values()) == before + 1


def test_a_contact_that_the_sec_does_not_take_names_the_setting(sec, tmp_path):
    attempts, _ = ask(settings_for(tmp_path, sec.url, contact="nobody"), "AAPL")
    assert attempts["AAPL"].outcome == "schema_change"
    assert "TRADER_SEC__CONTACT" in attempts["AAPL"].detail


def test_the_contact_is_the_user_agent(sec, settings):
    ask(settings, "AAPL")
    assert {asked.headers["User-Agent"] for asked in sec.log} == {CONTACT}


@pytest.mark.parametrize("contact", [None, "Jane Doe", "Jäne jane@example.com"])
def test_without_a_contact_it_says_what_to_set(tmp_path, contact):
    assert "TRADER_SEC__CONTACT" in SEC.unready(settings_for(tmp_path, "http://127.0.0.1:9", contact=contact))
    assert SEC.unready(settings_for(tmp_path, "http://127.0.0.1:9")) is None


@pytest.mark.parametrize(
    ("path", "broken"),
    [
        (TICKERS, {"0": {"cik": 320193, "ticker": "AAPL"}}),
        (submissions(APPLE), {"filings": {"recent": {"form": ["10-K"]}}}),
        (
            submissions(APPLE),
            {"filings": {"recent": {"accessionNumber": [], "form": []}}},
        ),
        (companyfacts(APPLE), {"facts": {"us-gaap": {"Assets": {"units": {"USD": [{"end": "2024-03-31", "val": 1, "accn": "0-1"}]}}}}}),
        (companyfacts(APPLE), []),
    ],
)
def test_another_shape_is_a_schema_change(sec, settings, monkeypatch, path, broken):
    sound = sec.route
    monkeypatch.setattr(sec, "route", lambda asked, *rest: Reply(body=broken) if asked == path else sound(asked, *rest))
    attempts, tables = ask(settings, "AAPL")
    assert (attempts["AAPL"].outcome, tables) == ("schema_change", {})


def test_every_concept_is_a_canonical_metric_and_none_is_named_twice_for_it():
    assert {concept.metric for concept in CONCEPTS} <= set(METRIC_OF)
    assert len({(c.taxonomy, c.name, c.metric) for c in CONCEPTS}) == len(CONCEPTS)
    assert set(METRIC_OF) - {concept.metric for concept in CONCEPTS} == {"free_cash_flow"}  # no concept: it is derived


@pytest.mark.parametrize(
    ("of_balance_sheet", "of_statement"),
    [
        ("CashAndCashEquivalentsAtCarryingValue", "CashCashEquivalentsRestrictedCashAndRestrictedCashEquivalents"),
        ("StockholdersEquity", "StockholdersEquityIncludingPortionAttributableToNoncontrollingInterest"),
    ],
)
def test_an_opening_balance_two_years_later_restates_nothing(of_balance_sheet, of_statement):
    """The annual report of 2022 opens its flows at the end of 2020, restricted cash and minorities included."""
    filed = {
        of_balance_sheet: [{"end": "2020-12-31", "val": 100, "accn": "1", "filed": "2021-02-20", "form": "10-K"}],
        of_statement: [{"end": "2020-12-31", "val": 130, "accn": "2", "filed": "2023-02-20", "form": "10-K"}],
    }
    concepts = {name: {"units": {"USD": figures}} for name, figures in filed.items()}
    content = json.dumps({"facts": {"us-gaap": concepts}}).encode()
    found = facts_of(Body(status=200, content=content, content_type="application/json", path="/companyfacts"))
    assert [(fact["concept"], fact["val"]) for fact in found] == [(of_balance_sheet, 100)]
