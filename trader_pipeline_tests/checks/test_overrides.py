import datetime as dt

import pytest

from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.overrides import read_overrides
from trader_pipeline.checks.report import run_rules
from trader_pipeline.errors import InputError
from trader_pipeline_tests.checks.build import DAYS, bars, changed, context

DAY = DAYS[7]
BROKEN = changed(bars({"A": DAYS[:50], "B": DAYS[:50]}), "A", DAY, high=1.0)
ACCEPT = """
[[accept]]
ticker = "A"
rule = "ohlc_order"
first = 2018-01-11
last = 2018-01-11
reason = "the exchange confirmed it"
expires = {expires}
"""
REJECT = '[[reject]]\nticker = "B"\nfirst = 2018-01-11\nlast = 2018-01-12\nreason = "a test print"\nexpires = 2018-12-31\n'


TODAY = dt.date(2018, 6, 1)
"""The rows end 2018-03-14: what counts is the day on which someone asks."""


def judged(tmp_path, text):
    (tmp_path / "overrides.toml").write_text(text)
    found = read_overrides(tmp_path / "overrides.toml", CHECKS, today=TODAY)
    return run_rules(CHECKS, context(BROKEN, overrides=found), run_id="run-1")


def out(report):
    return sorted((r["ticker"], r["session"], r["rule"]) for r in report.quarantine.to_pylist())


def told(report):
    return [f["message"] for r in report.results if r.rule == "overrides" for f in r.findings.to_pylist()]


def test_no_file_is_no_decision(tmp_path):
    assert read_overrides(tmp_path / "overrides.toml", CHECKS, today=TODAY) == ()
    assert out(judged(tmp_path, "")) == [("A", DAY, "ohlc_order")]


def test_an_accepted_row_is_let_through_and_the_decision_is_told(tmp_path):
    assert dt.date(2018, 1, 11) == DAY
    report = judged(tmp_path, ACCEPT.format(expires="2018-12-31"))
    assert out(report) == []
    assert told(report) == ["A 2018-01-11: ohlc_order is overruled (the exchange confirmed it) until 2018-12-31; overrides.toml"]
    (rule,) = [r for r in report.results if r.rule == "ohlc_order"]
    (finding,) = rule.findings.to_pylist()
    assert (rule.metrics["let_through"], finding["severity"]) == (1, "warning")
    assert finding["message"].endswith("; let through until 2018-12-31 (the exchange confirmed it)")


def test_a_finding_of_which_a_row_stays_out_stays_an_error(tmp_path):
    (tmp_path / "overrides.toml").write_text(ACCEPT.format(expires="2018-12-31"))
    found = read_overrides(tmp_path / "overrides.toml", CHECKS, today=TODAY)
    report = run_rules(CHECKS, context(changed(BROKEN, "A", DAYS[9], high=1.0), overrides=found), run_id="run-1")
    (finding,) = [f for r in report.results if r.rule == "ohlc_order" for f in r.findings.to_pylist()]
    assert (finding["severity"], "let through" in finding["message"]) == ("error", False)
    assert out(report) == [("A", DAYS[9], "ohlc_order")]


def test_a_finding_that_keeps_nothing_out_is_overruled_by_its_days(tmp_path):
    gone = bars({"A": [day for day in DAYS[:60] if day != DAY]})
    accept = ACCEPT.format(expires="2018-12-31").replace("ohlc_order", "missing_dates")
    (tmp_path / "overrides.toml").write_text(accept)
    found = read_overrides(tmp_path / "overrides.toml", CHECKS, today=TODAY)
    (rule,) = [r for r in run_rules(CHECKS, context(gone, overrides=found), run_id="run-1").results if r.rule == "missing_dates"]
    (finding,) = rule.findings.to_pylist()
    assert finding["message"].endswith("; let through until 2018-12-31 (the exchange confirmed it)")


def test_a_decision_that_ended_holds_no_more_and_says_so(tmp_path):
    report = judged(tmp_path, ACCEPT.format(expires="2018-05-31"))
    assert out(report) == [("A", DAY, "ohlc_order")]
    (message,) = told(report)
    assert message.endswith("but that ended 2018-05-31: renew it or take it out; overrides.toml")


def test_a_decision_on_a_ticker_that_is_nowhere_says_so(tmp_path):
    (a, z) = sorted(told(judged(tmp_path, ACCEPT.format(expires="2018-12-31") + REJECT.replace('"B"', '"ZZ"'))))
    assert "no table has that ticker" not in a
    assert z.endswith("overrides.toml, but no table has that ticker: correct it or take it out")


def test_a_rejected_row_is_kept_out_without_a_rule(tmp_path):
    report = judged(tmp_path, REJECT)
    assert out(report) == [
        ("A", DAY, "ohlc_order"),
        ("B", dt.date(2018, 1, 11), "overrides"),
        ("B", dt.date(2018, 1, 12), "overrides"),
    ]


def test_decisions_that_overlap_keep_a_row_out_once(tmp_path):
    report = judged(tmp_path, REJECT + REJECT.replace("first = 2018-01-11", "first = 2018-01-12"))
    assert out(report).count(("B", dt.date(2018, 1, 12), "overrides")) == 1


def test_what_a_person_rejected_no_accept_of_every_rule_lets_through(tmp_path):
    everything = ACCEPT.format(expires="2018-12-31").replace('ticker = "A"', 'ticker = "*"').replace('"ohlc_order"', '"*"')
    assert ("B", dt.date(2018, 1, 11), "overrides") in out(judged(tmp_path, everything + REJECT))


def test_two_decisions_on_one_row_are_both_told(tmp_path):
    both = ACCEPT.format(expires="2018-12-31") + ACCEPT.format(expires="2018-12-31").replace("ohlc_order", "nan_ratio")
    (message,) = told(judged(tmp_path, both))
    assert "ohlc_order" in message
    assert "nan_ratio" in message


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("[[accept]", "mend the file"),
        ("[[allow]]\n", "unknown ['allow']"),
        ("accept = 1\n", "no list of tables"),
        (ACCEPT.format(expires='"soon"'), "['expires'] missing or of the wrong type"),
        (REJECT.replace('reason = "a test print"\n', ""), "['reason'] missing"),
        (REJECT.replace("last = 2018-01-12", "last = 2018-01-10"), "last is before first"),
        (REJECT + 'rule = "ohlc_order"\n', "take rule out"),
        (REJECT + 'because = "x"\n', "unknown ['because']"),
        (ACCEPT.format(expires="2018-12-31").replace("ohlc_order", "ohlc_ordre"), "'ohlc_ordre' is no rule; did you mean ohlc_order?"),
        (REJECT + 'table = "core.daily_bar"\n', "'core.daily_bar' is no table; did you mean core.daily_bars"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, text, fact):
    with pytest.raises(InputError) as caught:
        judged(tmp_path, text)
    assert fact in str(caught.value)
