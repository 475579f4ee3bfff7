import datetime as dt

from trader_pipeline.bench.features import measure


def test_every_flow_is_timed_and_the_panel_is_counted(tmp_path):
    facts = measure(tmp_path, tickers=6, sessions=300, now=dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC))
    assert list(facts["flows"]) == ["ingest", "standardize", "check", "accept", "build_features"]
    assert all(seconds["wall_s"] > 0 for seconds in facts["flows"].values())
    assert facts["rows"] == 6 * 300
    assert facts["peak_mb"] > 50
