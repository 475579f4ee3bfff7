import pyarrow as pa
import pytest

from trader_pipeline import calendar
from trader_pipeline.checks import cross_source
from trader_pipeline.checks.context import open_context
from trader_pipeline.checks.report import run_rules
from trader_pipeline.schema.core import TICKER_MAP
from trader_pipeline.settings import CheckSettings
from trader_pipeline_tests.checks.build import DAYS, bars, changed

YAHOO = bars({"A": DAYS[:100], "B": DAYS[:100]}, source="yahoo", close=10.0)
FMP = bars({"A": DAYS[:100], "B": DAYS[:100]}, source="fmp", close=10.0)


def judged(*rows, order=("yahoo", "fmp")):
    as_of = calendar.known_at("XNYS", DAYS[99])
    context = open_context(pa.concat_tables(rows), TICKER_MAP.empty(), as_of=as_of, settings=CheckSettings(), order=order)
    return run_rules(cross_source.RULES, context, run_id="run-1")


def told(*rows, **options):
    found = judged(*rows, **options).results[0].findings.to_pylist()
    return [(f["ticker"], f["source"], f["severity"], f["first_session"], f["sessions"]) for f in found]


@pytest.mark.parametrize(("close", "apart"), [(10.04, False), (9.96, False), (10.06, True), (9.94, True)])
def test_half_a_percent_apart_is_a_warning_of_the_day(close, apart):
    report = judged(YAHOO, changed(FMP, "A", DAYS[50], close=close))
    found = [(f["ticker"], f["source"], f["severity"], f["first_session"], f["sessions"]) for f in report.results[0].findings.to_pylist()]
    assert found == ([("A", "fmp", "warning", DAYS[50], 1)] if apart else [])
    assert report.quarantine.num_rows == 0


@pytest.mark.parametrize(("days", "severity"), [(50, "warning"), (51, "error")])
def test_disagreement_on_most_of_what_both_have_is_an_error_of_the_ticker(days, severity):
    assert told(YAHOO, changed(FMP, "A", *DAYS[:days], close=11.0)) == [("A", "fmp", severity, DAYS[0], days)]


def test_four_common_sessions_are_days_and_no_series():
    few = bars({"A": DAYS[:4]}, source="fmp", close=11.0)
    assert told(YAHOO, few) == [("A", "fmp", "warning", DAYS[0], 4)]


def test_without_an_order_nothing_is_compared():
    assert told(YAHOO, changed(FMP, "A", DAYS[50], close=11.0), order=()) == []


def test_the_finding_names_the_fact_and_the_mend():
    (finding,) = judged(YAHOO, changed(FMP, "A", DAYS[50], close=10.1)).results[0].findings.to_pylist()
    assert finding["message"] == (
        "A: fmp and yahoo differ by more than 0.50% on 1 session of 100 in common, typically by 1.00%, first 2018-03-15; "
        "look at both, fetch the wrong one again"
    )
