import pyarrow as pa
import pytest

from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.context import open_context
from trader_pipeline.checks.report import run_rules
from trader_pipeline.schema.core import TICKER_MAP
from trader_pipeline.settings import CheckSettings
from trader_pipeline_tests.checks.build import DAYS, bars, changed

from trader_pipeline import calendar  # isort: skip

ORDER = ("yahoo", "fmp", "tiingo")
AS_OF = calendar.known_at("XNYS", DAYS[99])


def judged(*rows, order=ORDER):
    context = open_context(pa.concat_tables(rows), TICKER_MAP.empty(), as_of=AS_OF, settings=CheckSettings(), order=order)
    return run_rules(CHECKS, context, run_id="run-1")


def refused(*rows, **options):
    report = judged(*rows, **options)
    kept_out = [(q["source"], q["session"]) for q in report.quarantine.to_pylist() if q["rule"] == "stand_in_agrees"]
    return sorted(kept_out), next(r.findings.to_pylist() for r in report.results if r.rule == "stand_in_agrees")


def without(days):
    return bars({"A": [day for day in DAYS[:100] if day not in days]}, source="yahoo")


HOLE = DAYS[50:52]


@pytest.mark.parametrize(("close", "is_refused"), [(10.5, False), (10.55, False), (10.56, True), (10.4, True)])
def test_a_stand_in_must_agree_to_half_a_percent_of_the_close(close, is_refused):
    days, findings = refused(without(HOLE), bars({"A": DAYS[:100]}, source="fmp", close=close))
    assert days == ([("fmp", day) for day in HOLE] if is_refused else [])
    assert [f["severity"] for f in findings] == (["error"] if is_refused else [])


def test_the_finding_names_the_fact_and_the_mend():
    _, (finding,) = refused(without(HOLE), bars({"A": DAYS[:100]}, source="fmp", close=10.8))
    assert finding["message"] == (
        "A: fmp may not stand in for yahoo on 2 sessions: closes differ by 2.86% in the median of 50 common sessions, limit 0.50%; "
        "fetch the ticker from yahoo again, or declare a rename in symbols.toml"
    )


def test_one_odd_day_does_not_speak_for_all():
    assert refused(without(HOLE), changed(bars({"A": DAYS[:100]}, source="fmp"), "A", DAYS[60], close=10.95))[0] == []


@pytest.mark.parametrize(("common", "is_refused"), [(4, True), (5, False)])
@pytest.mark.parametrize("hole_first", [True, False])
def test_five_common_sessions_are_needed_before_or_else_after(common, is_refused, hole_first):
    shared = DAYS[60 : 60 + common] if hole_first else DAYS[40 - common : 40]
    lacking = [day for day in DAYS[:99] if day not in HOLE]
    kept_out, _ = refused(bars({"A": lacking}, source="yahoo"), bars({"A": sorted([*HOLE, *shared])}, source="fmp"))
    assert bool(kept_out) == is_refused


def test_a_ticker_that_the_first_choice_gave_up_long_ago_goes_on():
    assert refused(bars({"A": DAYS[:30]}, source="yahoo"), bars({"A": DAYS[15:100]}, source="fmp")) == ([], [])


def test_a_row_that_stood_in_stays_when_the_sources_part_later():
    fmp = changed(bars({"A": DAYS[:100]}, source="fmp"), "A", *DAYS[55:100], close=10.9)
    later = DAYS[98]
    kept_out, _ = refused(without([*HOLE, later]), fmp)
    assert kept_out == [("fmp", later)]


def test_history_before_the_first_choice_begins_is_judged_by_its_first_sessions():
    apart_later = changed(bars({"A": DAYS[:100]}, source="fmp"), "A", *DAYS[80:100], close=10.9)
    assert refused(bars({"A": DAYS[20:100]}, source="yahoo"), apart_later)[0] == []
    apart_first = changed(bars({"A": DAYS[:100]}, source="fmp"), "A", *DAYS[:60], close=10.9)
    assert refused(bars({"A": DAYS[20:100]}, source="yahoo"), apart_first)[0] == [("fmp", day) for day in DAYS[:20]]


def test_a_ticker_that_the_first_choice_does_not_have_is_taken_from_the_one_that_has_it():
    assert refused(bars({"B": DAYS[:100]}, source="yahoo"), bars({"A": DAYS[:100]}, source="fmp"))[0] == []


def test_a_row_of_the_first_choice_that_was_quarantined_is_lacking():
    bad = changed(bars({"A": DAYS[:100]}, source="yahoo"), "A", DAYS[50], low=99.0)
    assert refused(bad, bars({"A": DAYS[:100]}, source="fmp", close=10.9))[0] == [("fmp", DAYS[50])]


def test_rows_of_the_first_choice_on_another_level_do_not_speak_against_a_stand_in():
    hundredfold = {"open": 1000.0, "high": 1100.0, "low": 900.0, "close": 1050.0}
    first = changed(without([]), "A", *DAYS[10:60], **hundredfold)
    days, findings = refused(first, bars({"A": DAYS[:100]}, source="fmp"))
    assert (days, findings) == ([], [])


def test_sources_that_have_nothing_to_fill_are_not_judged():
    assert refused(without([]), bars({"A": DAYS[:100]}, source="fmp", close=10.9)) == ([], [])


def test_sessions_that_a_stand_in_filled_are_not_missing_and_a_stand_in_misses_none():
    report = judged(without(DAYS[40:60]), bars({"A": DAYS[35:65]}, source="fmp"))
    missing = next(r for r in report.results if r.rule == "missing_dates")
    assert missing.metrics["missing_sessions"] == 0
    assert report.quarantine.num_rows == 0


def test_without_an_order_each_source_is_judged_alone():
    report = judged(without(DAYS[40:60]), bars({"A": DAYS[35:65]}, source="fmp"), order=())
    missing = next(r for r in report.results if r.rule == "missing_dates")
    assert missing.metrics["missing_sessions"] == 20
