"""The performance page over a published lake: what stands first, what is grey, what is drawn."""

import datetime as dt
import re

import pyarrow as pa
import pytest

from trader_pipeline.dashboard.plot import Plot, around, every, rolling
from trader_pipeline.lake import Change
from trader_pipeline.schema.evaluation import SCORECARD, STRATEGY
from trader_pipeline.schema.predicted import PAPER_LOG
from trader_pipeline.schema.serving import PROMOTIONS
from trader_pipeline.schema.training import CALIBRATION
from trader_pipeline_tests import published
from trader_pipeline_tests.dashboard.conftest import client_of, settings_of


@pytest.fixture(scope="module")
def text(deep):
    return deep.get("/performance?horizon=5").text


def test_the_user_s_own_targets_stand_first_and_the_rest_folds_out(text):
    open_part, folded = text.split("<details>")[0], text.split("<details>")[1].split("</details>")[0]
    assert re.findall(r'class="text">(stock direction \d+d)</th>', open_part) == [f"stock direction {h}d" for h in (1, 5, 20, 60)]
    assert folded.count('scope="row"') == 8
    assert "53.1 % vs 52.2 % base (±1.4), target 70 %: not met" in open_part


def test_few_windows_are_grey(text):
    assert '<tr class="abstained"><th scope="row" class="text">stock direction 60d</th>' in text
    assert '<tr><th scope="row" class="text">stock direction 1d</th>' in text


def test_lines_curve_and_gaps_are_drawn(text):
    assert text.count("<figure") == 4
    for path in re.findall(r'<path class="line[^"]*" d="([^"]*)"', text):
        assert re.fullmatch(r"M[\d. -]+( [ML][\d. -]+)*", path)
    assert text.count('class="gap"') == 2 + 1 + 2 + 1 + 2
    assert "Worst of all horizons: year 2020, 1 sessions" in text


def test_nothing_to_select_is_said(deep):
    assert "nothing can be selected" in deep.get("/performance?horizon=60").text


def words(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html).replace("\N{NO-BREAK SPACE}", " "))


def test_calibration_intervals_and_paths_are_told(text):
    rows = re.findall(r'<td class="text" title="(ECE [^"]*)">([^<]*)</td></tr>', text)
    assert rows == [
        (f"ECE 1.8 % (noise floor 2.1 %), {h} sessions", told)
        for h, told in zip((1, 5, 20, 60), ("met", "met", "not met", "–"), strict=True)
    ]
    assert words(text).count("± 0.40") == 4
    assert 'title="Worth 640 independent rows"' in text
    assert "\N{MINUS SIGN}0.25 … +0.65 by the kernel (HAC) error" in words(text)
    assert "\N{MINUS SIGN}0.28 … +0.68 by the stationary bootstrap" in words(text)
    assert "9 backtest paths: Sharpe ratio 1.20 in the median, 5–95 % 0.70 … 1.60, 0 % of them under 0, 33 % under momentum's" in words(
        text
    )


def test_rows_of_older_versions_show_what_they_have(tmp_path):
    lake = published.publish(settings_of(tmp_path))
    for table in (SCORECARD, STRATEGY):
        late = [column.name for column in table.columns if column.since == table.version]
        lake.publish(Change.replace(table, lake.snapshot().read(table).drop_columns(late)))
    text = words(client_of(settings_of(tmp_path)).get("/performance").text)
    assert "kernel (HAC)" not in text
    assert "backtest path" not in text
    assert "met –" not in text
    assert text.count("2.1 – ") == 4, "a noise floor, and no word on whether calibration is met"


def test_a_horizon_that_is_none_is_the_default(deep, text):
    assert deep.get("/performance?horizon=7").text == text


def test_without_a_judged_model_the_page_says_what_to_run(tmp_path):
    reply = client_of(settings_of(tmp_path)).get("/performance")
    assert reply.status_code == 200
    assert "trader demo" in reply.text


def test_the_page_is_in_the_menu(deep):
    assert '<a href="/performance">Performance</a>' in deep.get("/").text


def test_live_forecasts_that_came_due_stand_beside_the_backtest_without_hindsight(text, tmp_path):
    """Of ten logged sessions one was predicted after its entry."""
    (row,) = re.findall(r'<tr><th scope="row">1</th><td>[\d.]+</td>.*?</tr>', text.split('aria-label="Live')[1])
    assert f"<td>{9 * len(published.NAMES)}</td>" in row
    assert "Counts 1 forecast on names that were delisted before the horizon ended; backtests leave such out" in words(text)
    lake = published.publish(settings_of(tmp_path))
    log = lake.snapshot().read(PAPER_LOG)
    hindsight = pa.array([False] * log.num_rows)
    lake.publish(Change.replace(PAPER_LOG, log.set_column(log.column_names.index("in_time"), log.schema.field("in_time"), hindsight)))
    assert "No forecast that was made in time has come due yet" in client_of(settings_of(tmp_path)).get("/performance").text


def test_plot_places_values_and_breaks_at_holes():
    plot = Plot(low=0.0, high=1.0, width=100, height=50)
    assert plot.line([0.0, 0.5, None, 1.0, 2.0]) == "M0 50 L25 25 M75 0 L100 0"
    assert plot.band([0, 30, 80], [0.2, None, 0.4], [0.6, 0.5, 0.8]) == "M0 20 L80 10 L80 30 L0 40 Z"
    assert [plot.along(value) for value in (-1.0, 0.25, 2.0)] == [0, 25, 100]
    assert around([0.62], least=0.1, always=(0.7,)) == (0.6, 0.7)  # no 0.7000000000000001: ticks are compared
    assert around([0.11, None, -0.02], least=0.05) == (pytest.approx(-0.05), pytest.approx(0.15))
    assert around([], least=0.1, always=(0.5,)) == (pytest.approx(0.5), pytest.approx(0.6))


def test_a_rolling_mean_needs_half_of_its_window():
    assert rolling([1.0, 3.0, None, 5.0], 2) == [1.0, 2.0, 3.0, 5.0]
    assert rolling([None, 1.0, 3.0, 5.0], 3) == [None, None, 2.0, 3.0]
    assert every(10, 4) == [0, 3, 6, 9]
    assert every(3, 4) == [0, 1, 2]


def refuse(lake, alarm="rank IC +0.50 is over 0.20"):
    """Publish the cards of a newer model under an alarm, and that the gate refused it."""
    cards = [
        row | {"model_id": "second", "known_at": row["known_at"] + dt.timedelta(hours=1), "leak_alarm": alarm}
        for row in lake.snapshot().read(SCORECARD).to_pylist()
        if row["horizon_sessions"] == 5
    ]
    row = {"model_id": "second", "action": "refused", "serves": published.MODEL_ID, "who": "gate", "run_id": published.RUN_ID}
    row |= {"why": f"leak alarm: 5 sessions: {alarm}", "counts_from": published.KNOWN, "decided_at": published.MADE_AT}
    lake.publish(
        Change.upsert(SCORECARD, pa.Table.from_pylist(cards, schema=SCORECARD.arrow_schema), by=("model_id",)),
        Change.append(PROMOTIONS, pa.Table.from_pylist([row], schema=PROMOTIONS.arrow_schema)),
    )


def banners(text):
    return re.findall(r'role="alert"><strong>Leak alarm</strong> <span>([^<]*)<', text)


@pytest.mark.parametrize("path", ["/", "/performance"])
def test_an_alarmed_model_leaves_the_last_approved_one_serving_under_one_banner(tmp_path, path):
    refuse(published.publish(settings_of(tmp_path)))
    (banner,) = banners(client_of(settings_of(tmp_path)).get(path).text)
    assert banner.startswith("model second, 5 sessions: rank IC +0.50 is over 0.20. It does not serve: ")
    assert banner.endswith(f"{published.MODEL_ID}, the last approved model, goes on")


@pytest.mark.parametrize("path", ["/", "/performance"])
def test_where_no_model_serves_the_banner_says_so(tmp_path, path):
    lake = published.publish(settings_of(tmp_path))
    refuse(lake)
    lake.publish(Change.replace(CALIBRATION, CALIBRATION.empty()))
    (banner,) = banners(client_of(settings_of(tmp_path)).get(path).text)
    assert banner == "model second, 5 sessions: rank IC +0.50 is over 0.20. It does not serve, nor does any other"


def test_the_page_says_whether_the_judged_model_serves(tmp_path):
    lake = published.publish(settings_of(tmp_path))
    named = f"<code>{published.MODEL_ID}</code> (%s) as of"
    assert named % "serving" in client_of(settings_of(tmp_path)).get("/performance").text
    row = {"model_id": published.MODEL_ID, "action": "refused", "serves": None, "who": "gate", "run_id": published.RUN_ID}
    row |= {"why": "leak alarm", "counts_from": published.KNOWN, "decided_at": published.MADE_AT}
    lake.publish(Change.append(PROMOTIONS, pa.Table.from_pylist([row], schema=PROMOTIONS.arrow_schema)))
    assert named % "refused" in client_of(settings_of(tmp_path)).get("/performance").text
