"""The promises of `trader scorecard`, on real data."""

import pytest

from trader_pipeline_tests.conftest import trader

FIRST = [f"stock_direction_{horizon}d" for horizon in (1, 5, 20, 60)]


def test_json_has_all_of_it(demo):
    ran = trader("scorecard", "--json", home=demo.home)
    assert ran.code == 0, ran.err
    card = ran.json()
    assert card["schema"] == "trader.scorecard/1"
    assert [row["name"] for row in card["tasks"]] == [
        *FIRST,
        *(f"selective_{name}" for name in FIRST),
        *("volatility_direction_5d", "volatility_direction_20d", "index_direction_60d", "sharpe_gain"),
    ]
    for row in card["tasks"]:
        assert set(row) >= {"name", "target", "value", "base_rate", "coverage", "n_effective", "low", "high", "passed"}
        assert not row["passed"], "on daily prices 70 % would be a leak"
    assert {row["model"] for row in card["scorecard"]} == {"ridge", "lightgbm", "panel_former", "ensemble"}
    assert {row["kind"] for row in card["segments"]} == {"all", "regime", "sector", "volatility", "confidence", "year"}
    assert [(row["against"], row["cost_multiple"]) for row in card["strategy"]] == [
        (against, multiple) for against in ("momentum", "benchmark") for multiple in (0, 1, 2)
    ]
    assert card["strategy"][0]["trials"] == 4
    assert {row["horizon_sessions"] for row in card["coverage_curve"]} <= {1, 5, 20, 60}
    assert card["coverage_curve"][0].keys() >= {"asked", "coverage", "accuracy", "base_rate", "low", "high", "windows"}
    serving = [row for row in card["ensemble_weights"] if row["fold"] == -1]
    members = {"ridge", "lightgbm", "panel_former"}
    assert len(serving) == 4 * 3 * len(members), "horizon, regime, member"
    assert sum(row["weight"] for row in serving) == pytest.approx(4 * 3)
    assert {(row["model"], row["other"]) for row in card["diversity"]} >= {("lightgbm", "ridge"), ("panel_former", "ridge")}
    assert len(card["worst"]) == 2
    assert "flattered" in card["names"]


def test_the_targets_come_first_for_people(demo):
    ran = trader("scorecard", home=demo.home)
    lines = ran.out.splitlines()
    assert lines[0].startswith("deep, model ")
    assert lines[3].startswith("stock_direction_1d ")
    assert all("target 70 %: not met" in line for line in lines[3:7])
    assert "Where it is furthest under its base rate: " in ran.out
    told = [text for text in lines if "noise floor of" in text]
    assert [text.split()[:2] for text in told] == [[str(h), "sessions"] for h in (1, 5, 20, 60)]
    assert all("Brier skill" in text for text in told)
    assert all(text.endswith((": met", ": not met")) for text in told[:3])
    assert told[3].endswith(": not told from so few windows"), "14 windows"
    assert "backtest paths, the trial that was best in the train blocks held in the test blocks, net of costs once: 9 paths" in ran.out
    assert "hac_low" in ran.out


def test_without_a_model_it_says_what_to_run(tmp_path):
    ran = trader("scorecard", home=tmp_path / "home")
    assert ran.code == 4
    assert "`trader demo --sample deep` makes it" in ran.err
