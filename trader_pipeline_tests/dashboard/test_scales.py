"""Intervals stay inside 0 to 100 % and inside their frame; each n says what it counts; confidence stands beside its edge."""

import re

import pyarrow as pa
import pytest

from trader_pipeline.dashboard import performance, queries
from trader_pipeline.lake import Change
from trader_pipeline.schema.evaluation import COVERAGE_CURVE, SEGMENTS
from trader_pipeline.schema.training import CALIBRATION
from trader_pipeline_tests import published
from trader_pipeline_tests.dashboard.conftest import client_of, settings_of


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Four calm windows whose interval leaves 0 to 1, one wild window without any, ties, and half a point that is attainable."""
    lake = published.publish(settings_of(tmp_path_factory.mktemp("scales")))

    def segment(row):
        if row["kind"] != "regime" or row["horizon_sessions"] != 5:
            return row
        few = {"windows": 4, "low": -0.44, "high": 1.48} if row["segment"] == "calm" else {"windows": 1, "low": None, "high": None}
        return row | few | {"grey": True, "rows": 600}

    snapshot = lake.snapshot()
    curve = [row for row in snapshot.read(COVERAGE_CURVE).to_pylist() if row["horizon_sessions"] == 5 and row["asked"] != 0.5]
    min(curve, key=lambda row: row["asked"]).update({"coverage": 0.4, "low": None, "high": None, "windows": 12})
    fitted = [row | {"attainable": 0.005 if row["horizon_sessions"] == 5 else 0.0} for row in snapshot.read(CALIBRATION).to_pylist()]
    lake.publish(
        *(
            Change.replace(table, pa.Table.from_pylist(rows, table.arrow_schema))
            for table, rows in (
                (SEGMENTS, [segment(row) for row in snapshot.read(SEGMENTS).to_pylist()]),
                (COVERAGE_CURVE, curve),
                (CALIBRATION, fitted),
            )
        )
    )
    return lake


@pytest.fixture(scope="module")
def client(lake):
    return client_of(settings_of(lake.root.parents[1]))


@pytest.fixture(scope="module")
def rows(lake):
    found = performance.segments(lake.snapshot(), published.MODEL_ID)
    return [row for row in found if row["horizon_sessions"] == 5]


def named(rows, kind, segment):
    return next(row for row in rows if (row["kind"], row["segment"]) == (kind, segment))


def test_an_interval_of_a_share_ends_at_0_and_1_and_a_missing_one_stays_missing(rows):
    calm, wild, low = named(rows, "regime", "calm"), named(rows, "regime", "wild"), named(rows, "volatility", "low")
    assert (calm["low"], calm["high"]) == (0.0, 1.0)
    assert wild["low"] is wild["high"] is None
    assert low["low"] == pytest.approx(0.51 - 0.01 * 5**0.5)
    assert calm["share"] == pytest.approx(0.2)  # 600 of 3,000 judged forecasts


def test_the_scale_is_that_of_enough_windows_and_of_all_where_there_are_none(rows):
    assert performance.gap_field(rows).high == pytest.approx(0.05)
    grey = [row for row in rows if row["kind"] == "regime"]
    assert performance.gap_field(grey).high == pytest.approx(0.55)  # 0 - 0.53
    assert performance.gap_field([]).high > 0


def test_no_bar_leaves_its_frame_and_an_arrow_says_what_goes_on(client):
    text = client.get("/performance?horizon=5").text
    bars = re.findall(r'<rect class="band" x="([\d.]+)" width="([\d.]+)"', text.split('aria-label="Where it fails"')[1])
    assert bars
    assert all(float(x) >= 0 and float(x) + float(width) <= 240 for x, width in bars)
    assert text.count('<path class="band"') == 2  # calm goes on at both ends


def test_a_segment_of_one_window_stands_in_grey_with_its_n(client):
    text = client.get("/performance?horizon=5").text
    (row,) = re.findall(r'<tr class="abstained"><th scope="row" class="text">wild</th>.*?</tr>', text, re.DOTALL)
    assert re.findall(r"<td>([^<]*)</td>", row)[-4:] == ["–", "20", "1", "80"]


def test_the_skill_scale_holds_every_interval_but_nothing_beyond_0_and_1():
    card = {"accuracy": 0.7, "accuracy_half_width": 0.14, "base_rate": 0.69, "target": 0.7}
    assert (performance.skill_field([card]).low, performance.skill_field([card]).high) == (0.5, 0.9)
    wide = performance.skill_field([card | {"accuracy_half_width": 1.2}, card | {"accuracy_half_width": None}])
    assert (wide.low, wide.high) == (0.0, 1.0)
    assert wide.along(0.7 + 1.2) == wide.width


def test_a_coverage_stands_where_it_is_and_ties_leave_no_point(lake, client):
    curve = performance.coverage_curve(lake.snapshot(), published.MODEL_ID, 5)
    assert [point["x"] for point in curve.points] == [0.0, 360.0]
    assert curve.accuracy.endswith(f"L360 {curve.plot.y(0.54):g}")
    text = client.get("/performance?horizon=5").text
    assert [("few" in dot) for dot in re.findall(r'<circle class="dot([^"]*)"', text)] == [False, True]
    assert "Equal confidences stay together" in text
    assert "Equal confidences stay in one decile" in text


def test_coverages_that_stand_close_are_labelled_from_the_smallest_on():
    points = [{"x": x} for x in (0.0, 300.0, 510.0, 540.0, 570.0)]
    curve = performance.Curve(plot=performance.Plot(low=0, high=1), accuracy="", base="", band="", points=points)
    assert [point["x"] for point in curve.labelled] == [570.0, 510.0, 300.0, 0.0]


def test_accuracy_and_rank_ic_each_have_their_own_windows(lake, client):
    card = next(card for card in queries.scorecard(lake.snapshot(), published.MODEL_ID) if card["horizon_sessions"] == 5)
    assert (card["windows"], card["ic_windows"]) == (56, 59)  # 280 judged sessions; 295 with a rank IC
    home = client.get("/").text
    assert "Accuracy over 56 windows" in home
    assert re.search(r"rank IC \+0.021 ± 0.014 over 59 windows", home)
    page = client.get("/performance").text
    assert "Windows of accuracy" in page
    assert "Windows of rank IC" in page


@pytest.mark.parametrize("path", ["/?horizon=5&q=boeing", "/ticker/BA"])
def test_confidence_stands_beside_its_edge_and_says_what_1_means(lake, client, path):
    row = lake.snapshot().sql(
        "select p_up, base_rate from predictions.daily where session = ? and ticker = 'BA' and horizon_sessions = 5", [published.SESSION]
    )
    edge = 100 * (row["p_up"][0].as_py() - row["base_rate"][0].as_py())
    text = client.get(path).text
    assert f">{edge:+.1f}</span>".replace("-", "\N{MINUS SIGN}") in text
    assert "1.00 stands for 0.5 points at 5 sessions)" in text
    assert "as sure as the model gets, not certain" in text


def test_the_edge_sorts_the_table(client):
    text = client.get("/?horizon=5&sort=edge&dir=desc").text.split('id="changed"')[0]
    edges = [
        float(edge.replace("\N{MINUS SIGN}", "-"))
        for edge in re.findall(r'<td><span class="[a-z]*">([^<]+)</span></td>\s*<td><span class="meter"', text)
    ]
    assert edges == sorted(edges, reverse=True)
    assert len(edges) == len(published.NAMES)
