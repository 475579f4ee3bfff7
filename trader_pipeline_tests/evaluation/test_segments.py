import numpy as np
import pytest

from trader_pipeline import measures
from trader_pipeline.evaluation import segments
from trader_pipeline.evaluation.outcome import outcome_of
from trader_pipeline.evaluation.patterns import sentence, worst
from trader_pipeline_tests.evaluation.planted import planted

NAMES, SESSIONS = 12, 900
REGIMES = np.tile(np.array(["calm", "middle", "wild"]), SESSIONS // 3)
YEARS = np.repeat(np.array(["2017", "2018", "2019"]), SESSIONS // 3)


def rows(judged, volatility=None, issuers=None):
    volatility = np.ones(judged.score_NT.shape) if volatility is None else volatility
    sectors = ["Energy"] * (NAMES // 2) + [None] * (NAMES // 2)
    groups = segments.groups_of(volatility, REGIMES, sectors, YEARS)
    found = segments.segments(outcome_of(judged), groups=groups, issuers=issuers or [f"I{n}" for n in range(NAMES)])
    return {(row["kind"], row["segment"]): row for row in found}


def test_all_rows_are_those_of_the_scorecard_and_segments_share_them_out():
    found = rows(planted(score_strength=0.3, names=NAMES, sessions=SESSIONS))
    whole = found["all", "all"]
    # of 12 names with correlation r = 0.287: 6 / (13 pi) * (asin r + 10 asin(r / 2)) = 0.254 (Kendall 1970)
    assert whole["rank_ic"] == pytest.approx(0.254, abs=0.02)
    assert whole["accuracy"] > whole["base_rate"]
    assert whole["issuers"] == NAMES
    assert whole["grey"] is False
    assert sum(row["rows"] for (kind, _), row in found.items() if kind == "year") == whole["rows"]
    assert {name: row["rows"] for (kind, name), row in found.items() if kind == "regime"} == dict.fromkeys(
        ("calm", "middle", "wild"), pytest.approx(whole["rows"] / 3, rel=0.02)
    )
    assert sum(row["rows"] for (kind, _), row in found.items() if kind == "confidence") == whole["rows"]
    assert set(found) >= {("sector", "Energy"), ("year", "2018"), ("year", "2019"), ("confidence", "01"), ("confidence", "10")}
    assert ("year", "2017") not in found, "the first fold only calibrates"
    assert ("sector", "unknown") not in found
    top, bottom = (found["confidence", name] for name in ("10", "01"))
    assert top["accuracy"] - top["base_rate"] > bottom["accuracy"] - bottom["base_rate"] + 0.05
    assert whole["pinball_skill"] > 0.01
    assert [whole[f"below_{name}"] for name in ("q05", "q25", "q50", "q75", "q95")] == pytest.approx(
        [0.05, 0.25, 0.5, 0.75, 0.95], abs=0.02
    )
    assert whole["bootstrap_half_width"] == pytest.approx(whole["newey_west_half_width"], rel=0.3)


def test_share_classes_count_once():
    judged = planted(score_strength=0.3, names=NAMES, sessions=SESSIONS)
    found = rows(judged, issuers=["ALPHABET", "ALPHABET", *(f"I{n}" for n in range(NAMES - 2))])
    assert found["all", "all"]["issuers"] == NAMES - 1
    assert found["all", "all"]["n_effective"] <= (NAMES - 1) * found["all", "all"]["windows"]


def test_effective_calls_are_fewer_where_names_move_together():
    accuracy = measures.Interval(mean=0.5, half_width=0.04, windows=600)
    assert segments.effective_hits(accuracy, rows=6000, issuers=10) == pytest.approx(0.25 / (0.04 / 1.96) ** 2)
    apart = measures.Interval(mean=0.5, half_width=0.005, windows=600)
    assert segments.effective_hits(apart, rows=10_000, issuers=10) == 6000
    assert np.isnan(segments.effective_hits(measures.Interval(mean=0.5, half_width=np.nan, windows=1), rows=10, issuers=10))


def test_few_windows_of_one_kind_are_no_certainty():
    """Wilson's interval of 3 of 3 and of 7 of 10: statsmodels 0.15, proportion_confint(method="wilson")."""
    low, high = segments.accuracy_interval(measures.Interval(mean=1.0, half_width=0.0, windows=3))
    assert (low, high) == pytest.approx((0.43850, 1.0), abs=1e-5)
    few = measures.Interval(mean=0.7, half_width=0.5, windows=10)
    assert segments.accuracy_interval(few) == pytest.approx((0.39678, 0.89221), abs=1e-5)
    assert np.isnan(segments.accuracy_interval(measures.Interval(mean=1.0, half_width=np.nan, windows=0))).all()
    enough = measures.Interval(mean=0.7, half_width=0.1, windows=20)
    assert segments.accuracy_interval(enough) == pytest.approx((0.6, 0.8))
    assert segments.effective_hits(measures.Interval(mean=1.0, half_width=0.0, windows=3), rows=30, issuers=10) == 3


def test_under_twenty_windows_is_grey():
    found = rows(planted(strength=0.0, horizon=60, names=NAMES, sessions=SESSIONS))
    assert found["all", "all"]["windows"] < 20
    assert found["all", "all"]["grey"]
    assert all(0 <= row["low"] < row["accuracy"] < row["high"] <= 1 for (kind, _), row in found.items() if kind != "all" and row["windows"])
    few = found["year", "2019"] | {"horizon_sessions": 60}
    assert sentence(few).endswith(f"({100 * few['low']:.1f} to {100 * few['high']:.1f} from {few['windows']} windows)")


def test_volatility_thirds_are_those_of_the_session():
    volatility = np.tile(np.arange(1.0, NAMES + 1)[:, None], (1, SESSIONS))
    found = rows(planted(score_strength=0.3, names=NAMES, sessions=SESSIONS), volatility=volatility)
    counts = {name: found["volatility", name]["issuers"] for name in ("low", "middle", "high")}
    assert counts == {"low": 4, "middle": 4, "high": 4}


def test_turnover_of_ranks():
    still = np.tile(np.arange(5.0)[:, None], (1, 20))
    assert segments.turnover(still, 1) == 0
    turning = np.where(np.arange(20) % 2, 1.0, -1.0) * still
    assert segments.turnover(turning, 1) == pytest.approx(1.0)
    assert segments.turnover(turning, 2) == 0


def test_the_two_worst_are_named():
    common = {"grey": False, "horizon_sessions": 5, "accuracy": 0.50, "high": 0.52}
    table = [
        common | {"kind": "all", "segment": "all", "base_rate": 0.9},
        common | {"kind": "sector", "segment": "Energy", "base_rate": 0.53},
        common | {"kind": "sector", "segment": "Energy", "base_rate": 0.54, "horizon_sessions": 20},
        common | {"kind": "year", "segment": "2018", "base_rate": 0.56},
        common | {"kind": "year", "segment": "2019", "base_rate": 0.49},
        common | {"kind": "year", "segment": "2020", "base_rate": 0.70, "grey": True},
        common | {"kind": "confidence", "segment": "03", "base_rate": 0.51, "high": float("nan")},
    ]
    assert [sentence(row) for row in worst(table)] == [
        "year 2018, 5 sessions: 50.0 % vs 56.0 % base (±2.0)",
        "sector Energy, 20 sessions: 50.0 % vs 54.0 % base (±2.0)",
    ]
