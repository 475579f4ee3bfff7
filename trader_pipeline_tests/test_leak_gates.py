"""The gates that stand between a leak and the page, on the whole chain: what is honest passes, what is known to be bad is caught.

The null market over five seeds and the planted signal are in test_simulated_market.py, planted leaks in features in bench/test_leaks.py.
"""

import datetime as dt
import shutil
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from trader_pipeline import calendar, panel
from trader_pipeline.flows import train
from trader_pipeline.flows.build_features import build_features
from trader_pipeline.flows.check import accept, check
from trader_pipeline.flows.evaluate import evaluate
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.lake import Change, Lake
from trader_pipeline.models import checkpoint
from trader_pipeline.models.examples import Examples, Labels
from trader_pipeline.models.trees import TreesConfig, fit_trees
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.features import TARGETS
from trader_pipeline.schema.outputs import OUT_OF_FOLD
from trader_pipeline.settings import Settings
from trader_pipeline.sources import last_session_of
from trader_pipeline.training import data as inputs
from trader_pipeline.training import job
from trader_pipeline.training.request import TrainingRequest
from trader_pipeline.training.results import out_of_fold_table
from trader_pipeline.training.splits import Fold, folds
from trader_pipeline.training.walk_forward import OutOfFold
from trader_pipeline_tests.feeds import feed_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NOW = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
AS_OF = calendar.known_at("XNYS", last_session_of("simulated"))
SESSIONS = 1050


def home_of(folder, tickers, **facts):
    """A simulated market with its features built."""
    settings = Settings(home=folder, dataset="simulated", recipe="classic", simulated_tickers=tickers, simulated_days=SESSIONS, **facts)
    lake, source = Lake(settings.dataset_home / "lake", "simulated"), feed_of("simulated")
    ingest(lake, source, settings, as_of=AS_OF, fetched_at=NOW, run_id="run")
    standardize(lake, (source,), as_of=AS_OF, run_id="run")
    check(lake, as_of=AS_OF, settings=settings.checks, run_id="run")
    accept(lake, as_of=AS_OF, run_id="run")
    build_features(lake, as_of=AS_OF, run_id="run")
    return settings


class Trained(NamedTuple):
    lake: Lake
    request: TrainingRequest


@pytest.fixture(scope="module")
def null_market(tmp_path_factory):
    """Ridge and LightGBM, trained on a market without any signal."""
    settings = home_of(tmp_path_factory.mktemp("null") / "home", 20, simulated_null=True, seed=11)
    lake = Lake(settings.dataset_home / "lake", "simulated")
    return Trained(lake, trained(settings, lake, recipe="classic"))


@pytest.fixture(scope="module")
def planted_market(tmp_path_factory):
    return home_of(tmp_path_factory.mktemp("planted") / "home", 40, seed=12)


def copied(settings, folder):
    copy = settings.model_copy(update={"home": folder / "home"})
    shutil.copytree(settings.home, copy.home)
    return copy, Lake(copy.dataset_home / "lake", "simulated")


def trained(settings, lake, recipe="ridge"):
    request = train.prepare(lake, models_dir=settings.dataset_home / "models", recipe=recipe, seed=0, as_of=AS_OF, run_id="run")
    job.run(request, lambda _: None)
    train.publish(lake, request, finished_at=NOW)
    return request


def judged(lake):
    outcome = evaluate(lake, as_of=AS_OF, run_id="run")
    rows = lake.snapshot().sql("select * from evaluation.scorecard where model_id = ?", [outcome.model_id]).to_pylist()
    return outcome, {(row["model"], row["horizon_sessions"]): row for row in rows}


def exchanged_labels(lake):
    """Give every ticker the whole label history of another one: what overlaps in time still does, what was forecast is gone."""
    targets = TARGETS.sorted(lake.snapshot().read(TARGETS))
    grid = panel.Grid.of(targets)
    other = np.roll(np.arange(len(grid.tickers)), len(grid.tickers) // 3 + 1)
    present = panel.present(targets, grid)
    labels = [f"{stem}_{h}d" for stem in ("forward_return", "scaled_return", "residual_rank") for h in HORIZONS_SESSIONS]
    columns = {c.name: panel.dense(targets, grid, c.name) for c in TARGETS.columns if c.name not in TARGETS.key}
    exchanged = {name: values[other] if name in labels else values for name, values in columns.items()}
    lake.publish(Change.replace(TARGETS, TARGETS.conform(panel.long(grid, present, exchanged))))


def test_a_planted_signal_goes_when_the_labels_are_exchanged_in_train_and_score(planted_market, tmp_path):
    settings, lake = copied(planted_market, tmp_path / "honest")
    trained(settings, lake)
    _, honest = judged(lake)
    settings, lake = copied(planted_market, tmp_path / "exchanged")
    exchanged_labels(lake)
    trained(settings, lake)
    outcome, exchanged = judged(lake)
    row = honest["ensemble", 1]
    assert row["rank_ic"] > 1.5 * row["rank_ic_half_width"], f"the planted signal is found: {row['rank_ic']:.3f}"
    for horizon in (1, 5):
        row = exchanged["ensemble", horizon]
        assert abs(row["rank_ic"]) < 1.6 * row["rank_ic_half_width"], f"nothing is left at {horizon}: {row['rank_ic']:.3f}"
    assert not outcome.leak_alarms


def test_random_dates_with_trees_are_caught_and_the_walk_forward_is_not(null_market):
    """The known-bad control: trees that saw the sessions around a test session know its 60-session label on a market without signal."""
    lake, request = null_market
    outcome, honest = judged(lake)
    assert not outcome.leak_alarms
    assert abs(honest["lightgbm", 60]["rank_ic"]) < 0.2
    lake.publish(Change.upsert(OUT_OF_FOLD, of_random_dates(request), by=("model_id",)))
    outcome, leaking = judged(lake)
    assert outcome.leak_alarms, "the alarm must ring"
    assert any(alarm.startswith("60 sessions: ") and "rank IC" in alarm for alarm in outcome.leak_alarms)
    assert leaking["lightgbm", 60]["rank_ic"] > 0.2


def of_random_dates(request):
    """Out-of-fold rows of trees whose test sessions were drawn from among their training sessions."""
    loaded = inputs.load(request)
    sessions, random = len(loaded.grid.sessions), np.random.default_rng(0)
    answers, drawn = [], []
    for block in folds(sessions, job.recipe_of("classic")):
        inside = np.arange(block.test_first, block.test_end)
        test_T = np.isin(np.arange(sessions), random.choice(inside, len(inside) // 2, replace=False))
        tail_T = ~test_T & (random.random(sessions) < 0.2)
        examples = Examples(
            grid=loaded.grid,
            x_NTF=loaded.x_NTF,
            features=request.features,
            sectors=request.sectors,
            fit=among(loaded.labels, ~test_T & ~tail_T),
            tail=among(loaded.labels, tail_T),
            every=among(loaded.labels, ~test_T),
        )
        member = fit_trees(examples, TreesConfig(leaves=63, minimum_rows_share=0.0005), seed=0)
        said = member.predict(loaded.x_NTF, loaded.grid, request.sectors)
        answers.append(OutOfFold("lightgbm", Fold(number=block.number, test_first=0, test_end=sessions), said))
        drawn.append(pa.array(loaded.grid.sessions[test_T]).cast(pa.date32()))
    tables = [out_of_fold_table([answer], loaded.grid, request.model_id) for answer in answers]
    kept = [table.filter(pc.is_in(table["session"], value_set=days)) for table, days in zip(tables, drawn, strict=True)]
    return pa.concat_tables(kept)


def among(labels, keep_T):
    keep = keep_T[None, :, None]
    hide = np.float32(np.nan)
    return Labels(np.where(keep, labels.score_NTH, hide), np.where(keep, labels.scaled_NTH, hide))


def test_what_infers_has_learnt_nothing_from_what_it_is_asked_about(null_market):
    """Learn and infer are two: members say the same of a session whatever comes after it, and do not change by being asked."""
    request = null_market.request
    loaded = inputs.load(request)
    cut = len(loaded.grid.sessions) - 40
    short = panel.Grid(loaded.grid.tickers, loaded.grid.sessions[:cut])
    later = loaded.x_NTF.copy()
    later[:, cut:] = 50 * later[:, cut:] + 7
    for member in checkpoint.load_members(request.folder):
        before = member.files()
        whole = member.predict(later, loaded.grid, request.sectors)
        alone = member.predict(loaded.x_NTF[:, :cut], short, request.sectors)
        np.testing.assert_array_equal(whole.score_TNH[:cut], alone.score_TNH, err_msg=member.name)
        np.testing.assert_array_equal(whole.scaled_quantiles_TNHQ[:cut], alone.scaled_quantiles_TNHQ, err_msg=member.name)
        assert member.files() == before, member.name
