"""The promises of `trader demo`, on real data."""

import json

import pytest

from trader_pipeline_tests.conftest import trader

COUNTS = """
select count(*) n, count(distinct ticker) t, count(distinct horizon_sessions) h
from predictions.daily where session = date '2020-02-07'
"""


def test_says_what_it_did(demo):
    assert set(demo.first) >= {"schema", "state", "session", "tickers", "predictions", "seconds", "peak_mb", "home"}
    assert (demo.first["state"], demo.first["session"], demo.first["tickers"], demo.first["predictions"]) == (
        "predicted",
        "2020-02-07",
        11,
        44,
    )


def test_stays_under_3_gb(demo):
    assert 200 < demo.first["peak_mb"] < 3000


def test_predictions_are_whole(demo):
    ran = trader("sql", COUNTS, "--json", home=demo.home)
    assert ran.json() == [{"n": 44, "t": 11, "h": 4}]


def test_a_second_demo_changes_nothing_and_prints_the_scorecard(demo):
    head = (demo.home / "deep/lake/HEAD").read_bytes()
    ran = trader("demo", home=demo.home)
    assert ran.code == 0, ran.err
    assert (demo.home / "deep/lake/HEAD").read_bytes() == head
    lines = [line for line in ran.out.splitlines() if "target 70 %" in line]
    assert len(lines) == 4
    assert all(" vs " in line and "base (±" in line for line in lines)
    assert "confidence" in ran.out
    assert "trader serve" in ran.out


def test_the_decision_blend_states_both_shares(demo):
    rows = trader("sql", "select distinct momentum_share, ml_share from decisions.daily", "--json", home=demo.home).json()
    assert len(rows) == 1
    assert rows[0]["momentum_share"] + rows[0]["ml_share"] == pytest.approx(1)


def test_the_export_matches_the_table(demo):
    manifest = json.loads((demo.home / "deep/exports/predictions_2020-02-07.manifest.json").read_text())
    assert manifest["rows"] == 44
    assert (demo.home / "deep/exports/predictions_2020-02-07.parquet").exists()


def test_the_report_says_first_what_limits_it(demo):
    html = (demo.home / "deep/reports/report_2020-02-07.html").read_text()
    assert "price return" in html.lower()
    assert "hindsight" in html.lower()
    assert "http://" not in html.replace("http://www.w3.org", "")


@pytest.mark.slow
def test_broad_names_its_faults_and_refuses_to_predict(tmp_path):
    home = tmp_path / "home"
    ran = trader("demo", "--sample", "broad", "--json", home=home)
    assert ran.code == 0, ran.err
    facts = ran.json()
    assert (facts["state"], facts["predictions"]) == ("insufficient_history", 0)
    assert facts["sessions_needed"] > facts["sessions_available"] > 200

    def rows(query):
        return trader("sql", query, "--json", home=home, DATASET="broad").json()

    outages = rows("select first_session from quality.findings where scope = 'session' and rule = 'missing_dates' order by 1")
    assert len(outages) == 7
    assert "2009-11-12" not in [r["first_session"] for r in outages]
    assert rows("select count(*) n from quality.findings where rule = 'ohlc_order'")[0]["n"] > 0
    accepted = rows("select count(distinct ticker) n from core.accepted_bars")[0]["n"]
    assert accepted > 450
