"""The page of one ticker, as a browser without script gets it."""

import pyarrow.compute as pc

from trader_pipeline import lake
from trader_pipeline.lake import Change
from trader_pipeline.schema import core
from trader_pipeline_tests import published
from trader_pipeline_tests.dashboard.conftest import client_of, section, settings_of


def test_an_earlier_session_can_be_looked_at(deep):
    assert "Looking back" in deep.get("/ticker/AAPL?session=2020-02-06").text
    assert deep.get("/?session=2020-02-06").status_code == 200


def test_a_ticker_whose_rows_are_all_quarantined_has_a_page_without_a_chart(tmp_path):
    lake_ = published.publish_bars_only(settings_of(tmp_path))
    bars = lake_.snapshot().read(core.ACCEPTED_BARS)
    lake_.publish(Change.replace(core.ACCEPTED_BARS, bars.filter(pc.not_equal(bars["ticker"], "BA"))))
    answer = client_of(settings_of(tmp_path)).get("/ticker/BA")
    assert answer.status_code == 200
    assert "No accepted bars of BA" in answer.text
    assert "high 366.1 under close 366.2" in answer.text
    assert 'id="chart"' not in answer.text


def test_the_ticker_page_says_why_and_the_sum_is_the_score(deep, home):
    text = section(deep.get("/ticker/AAPL").text, "why")
    snapshot = lake.open(settings_of(home).dataset_home)
    rows = snapshot.sql(
        "select horizon_sessions h, sum(contribution) total, any_value(score) score, any_value(completeness_error) error "
        "from predictions.explanations where ticker = 'AAPL' and model = 'ensemble' group by h"
    ).to_pylist()
    assert [round(row["total"] + row["error"] - row["score"], 9) for row in rows] == [0] * 4
    for told in (
        "1 session",
        "60 sessions",
        "momentum_12_1",
        "base value",
        "all others",
        "lightgbm",
        "panel_former",
        "the sum leaves 4e-04",
    ):
        assert told in text, told
    assert text.count("amihud_illiquidity_21d") == 4


def test_a_name_that_no_network_is_explained_for_says_so(deep):
    assert "10 of this session; this is none of them" in section(deep.get("/ticker/NVDA").text, "why")


def test_an_older_session_that_nothing_explains_names_the_command(deep):
    assert "trader predict" in section(deep.get("/ticker/AAPL?session=2020-02-06").text, "why")


def test_announced_days_and_excess_returns_stand_beside_the_forecast(deep):
    text = deep.get("/ticker/AAPL").text
    assert text.count('<span class="flag">earnings</span>') == 2
    assert "Over sector, %" in text
    assert '<span class="flag">earnings</span>' not in deep.get("/ticker/BA").text
