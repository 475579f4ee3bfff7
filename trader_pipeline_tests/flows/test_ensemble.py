"""An ensemble of several members: what is judged out of fold is what serves."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from trader_pipeline import calendar, panel
from trader_pipeline.ensembles.combine import CONFIDENCE_FLOOR, combine
from trader_pipeline.flows import train
from trader_pipeline.flows.evaluate import _found, _material, _newest, evaluate
from trader_pipeline.flows.pooled import pooled_out_of_fold
from trader_pipeline.flows.predict import predict
from trader_pipeline.flows.serving import served_calibrations
from trader_pipeline.lake import Change
from trader_pipeline.models.calibrate import Calibration, confidence_of, expit, logit, signal_up
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.outputs import DAILY, OUT_OF_FOLD
from trader_pipeline.schema.serving import ENSEMBLE_WEIGHTS
from trader_pipeline.settings import EnsembleSettings
from trader_pipeline.training import job
from trader_pipeline_tests.flows.conftest import AS_OF, MADE_AT, SESSION, STOCKS, copied

MEMBERS = ["lightgbm", "momentum", "reversal", "ridge", "zero"]


@pytest.fixture(scope="module")
def several(small_market, tmp_path_factory):
    """The market with a second model, of five members, which learns after the first and is not judged. Read only."""
    home = copied(small_market, tmp_path_factory.mktemp("several"))
    request = train.prepare(
        home.lake, models_dir=home.settings.dataset_home / "models", recipe="baselines", seed=0, as_of=AS_OF, run_id="several"
    )
    job.run(request, lambda _: None)
    train.publish(home.lake, request, finished_at=MADE_AT + dt.timedelta(hours=1))
    return home


@pytest.fixture
def home(several, tmp_path):
    return copied(several, tmp_path)


def judge(home, **settings):
    return evaluate(home.lake, as_of=AS_OF, run_id="r", ensemble=EnsembleSettings(**settings)).model_id


def run(home, *, force=False):
    return predict(home.lake, home.settings, session=SESSION, as_of=AS_OF, made_at=MADE_AT, run_id="r", force=force)


def seeing(home, model, *, sees=0.15):
    """Let one member say out of fold what will happen, with as much noise; publish it."""
    snapshot = home.lake.snapshot()
    targets = snapshot.frame("features.targets")
    labels = {h: targets.set_index(["ticker", "session"])[f"residual_rank_{h}d"] for h in HORIZONS_SESSIONS}
    rows = snapshot.read(OUT_OF_FOLD).to_pandas()
    rng = np.random.default_rng(0)
    for h in HORIZONS_SESSIONS:
        here = (rows["model"] == model) & (rows["horizon_sessions"] == h)
        keys = rows.loc[here, ["ticker", "session"]].apply(tuple, axis=1)
        rows.loc[here, "score"] = sees * labels[h].reindex(keys).fillna(0).to_numpy() + 0.5 * rng.standard_normal(here.sum())
    home.lake.publish(Change.replace(OUT_OF_FOLD, pa.Table.from_pandas(rows, schema=OUT_OF_FOLD.arrow_schema, preserve_index=False)))


def weights(home, **where):
    rows = home.lake.snapshot().frame("training.ensemble_weights")
    for name, value in where.items():
        rows = rows[rows[name] == value]
    return rows


def test_weights_sum_to_one_and_the_first_folds_are_equal(home):
    judge(home)
    rows = weights(home)
    assert sorted(set(rows["model"])) == MEMBERS
    assert sorted(set(rows["fold"])) == [-1, 0, 1, 2]
    by_cell = rows.groupby(["fold", "horizon_sessions", "regime"])
    assert by_cell["weight"].sum().to_numpy() == pytest.approx(1)
    assert by_cell["fitted_weight"].sum().to_numpy() == pytest.approx(1)
    early = rows[rows["fold"].isin([0, 1])]  # fold 1 has fitted weights, and nothing yet that says that they are better
    assert not early["adopted"].any()
    assert early["weight"].to_numpy() == pytest.approx(0.2)
    assert (rows[~rows["adopted"]]["weight"] == 0.2).all()
    pairs = home.lake.snapshot().frame("training.diversity")
    assert len(pairs) == 4 * 15
    with_itself = pairs[(pairs["model"] == pairs["other"]) & (pairs["model"] != "zero")]
    assert with_itself["error_correlation"].to_numpy() == pytest.approx(1)
    assert pairs[pairs["model"] != pairs["other"]]["error_correlation"].max() < 0.999


def test_a_member_that_sees_is_weighed_up_once_later_folds_agree(home):
    seeing(home, "momentum")
    judge(home)
    served = weights(home, fold=-1, model="momentum", horizon_sessions=1)
    assert served["adopted"].all()
    assert (served["weight"] > 0.3).all()
    assert (weights(home, fold=2, model="momentum", horizon_sessions=1)["weight"] > 0.3).all()
    fold = weights(home, fold=2, horizon_sessions=1)
    assert (fold["gain"] > 0).all()


def test_weights_of_a_fold_do_not_see_it(home):
    seeing(home, "momentum")
    judge(home)
    before = weights(home, fold=2).reset_index(drop=True)
    rows = home.lake.snapshot().read(OUT_OF_FOLD).to_pandas()
    rows.loc[rows["fold"] == 2, "score"] *= -1
    home.lake.publish(Change.replace(OUT_OF_FOLD, pa.Table.from_pandas(rows, schema=OUT_OF_FOLD.arrow_schema, preserve_index=False)))
    judge(home, calibration="isotonic")  # another setting, so that it is judged again
    assert weights(home, fold=2).reset_index(drop=True).equals(before)
    assert not weights(home, fold=-1).reset_index(drop=True).equals(before)


def test_what_was_judged_is_what_serves(home):
    """The published score and p_up are the members' standardized scores and calibrated probabilities under the stored weights."""
    seeing(home, "momentum", sees=0.1)  # more would ring the leak alarm
    model_id = judge(home, weights="regime")
    run(home)
    snapshot = home.lake.snapshot()
    kept = snapshot.sql("select * from training.calibration where model <> 'ensemble' and fold = -1").to_pylist()
    members = {(row["model"], row["horizon_sessions"]): Calibration.from_row(row) for row in kept}
    assert sorted({name for name, _ in members}) == MEMBERS
    rows = snapshot.frame("predictions.daily").set_index(["horizon_sessions", "ticker"])
    stored = snapshot.frame("training.ensemble_weights")
    for horizon in HORIZONS_SESSIONS:
        forecasts, regime = of_today(home, model_id, horizon)
        weight = stored[(stored["fold"] == -1) & (stored["horizon_sessions"] == horizon) & (stored["regime"] == regime)]
        weight = weight.set_index("model")["weight"]
        z = forecasts["score"].unstack("model")
        z = ((z - z.mean()) / z.std(ddof=0)).fillna(0)
        mean = forecasts["scaled_mean"].unstack("model")
        expected = (z * weight).sum(axis=1)
        assert rows.loc[horizon]["score"].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-6)  # members compute in float32
        moved = sum(weight[m] * signal_up(members[m, horizon], score=z[m], scaled_mean=mean[m]) for m in MEMBERS)
        said = expit(logit(rows.loc[horizon]["base_rate"].to_numpy()) + np.asarray(moved))
        assert rows.loc[horizon]["p_up"].to_numpy() == pytest.approx(said, abs=1e-6)


def test_the_ensemble_made_again_from_what_is_stored_is_the_one_that_was_judged(home):
    seeing(home, "momentum")
    model_id = judge(home, weights="regime", average="confidence")
    snapshot = home.lake.snapshot()
    judged = _material(
        snapshot, _found(snapshot, _newest(snapshot, AS_OF)), EnsembleSettings(weights="regime", average="confidence")
    ).ensemble.pooled
    again = pooled_out_of_fold(snapshot, model_id)
    assert again.num_rows == judged.num_rows
    for name in ("score", "scaled_mean", "scaled_q95", "up_signal"):
        assert again[name].to_numpy() == pytest.approx(judged[name].to_numpy(), nan_ok=True), name


def of_today(home, model_id, horizon):
    """Return the members' own forecasts of the session, and its regime, found on another way."""
    from trader_pipeline.inference.forecast import forecast_last_session  # noqa: PLC0415 - only here
    from trader_pipeline.models import checkpoint  # noqa: PLC0415 - the same

    snapshot = home.lake.snapshot()
    members = checkpoint.load_members(home.settings.dataset_home / "models" / model_id)
    features = snapshot.sql("select * from features.panel order by ticker, session")
    rows = forecast_last_session(members, features, {}).to_pandas()
    targets = snapshot.frame("features.targets").groupby("session")["volatility_daily"].median().dropna()
    low, high = targets.quantile([1 / 3, 2 / 3])
    regime = "calm" if targets.iloc[-1] < low else "wild" if targets.iloc[-1] >= high else "middle"
    return rows[rows["horizon_sessions"] == horizon].set_index(["ticker", "model"]), regime


def test_confidence_is_a_way_to_average_that_is_stored_with_the_weights(home):
    seeing(home, "momentum", sees=0.1)  # more of it rings the leak alarm of equal weights
    judge(home, weights="equal", average="confidence")
    assert set(weights(home)["average"]) == {"confidence"}
    run(home)
    by_confidence = home.lake.snapshot().frame("predictions.daily")["score"]
    judge(home, weights="equal")
    assert run(home, force=True).changed
    assert not np.allclose(home.lake.snapshot().frame("predictions.daily")["score"], by_confidence)


def calibration(**changed):
    plain = dict.fromkeys(("up_score_slope", "outperform_shrink", "mean_score_slope", "mean_center", "drift", "median_offset"), 0.0)
    plain |= {"up_shrink": 0.0, "mean_shrink": 1.0, "base_rate": 0.5, "attainable": 0.1, "interval_scales": (1.0,) * 10}
    return Calibration(**(plain | changed))


def test_the_pool_is_the_weighted_mean_of_logits_and_confident_members_count_more():
    columns = {"session": pa.array([SESSION] * 4, pa.date32()), "horizon_sessions": pa.array([5] * 4, pa.int16())}
    rows = pa.table(
        {
            "fold": pa.array([1] * 4, pa.int16()),
            "model": ["sure", "sure", "shy", "shy"],
            "ticker": ["A", "B", "A", "B"],
            **columns,
            "score": [1.0, -1.0, -1.0, 1.0],
            "scaled_mean": [0.0] * 4,
            **{f"scaled_{q}": [0.0] * 4 for q in ("q05", "q25", "q50", "q75", "q95")},
        }
    )
    known = {(1, "sure", 5): calibration(up_score_slope=0.3), (1, "shy", 5): calibration(up_score_slope=0.0)}
    pooled = combine(rows, {"sure": 0.75, "shy": 0.25}, calibrations=known)
    assert pooled["up_signal"].to_pylist() == pytest.approx([0.75 * 0.3, -0.75 * 0.3])
    weighed = combine(rows, {"sure": 0.5, "shy": 0.5}, calibrations=known, by_confidence=True)
    sure = CONFIDENCE_FLOOR + float(confidence_of(expit(0.3), 0.5, 0.1))
    assert weighed["score"][0].as_py() == pytest.approx((sure - CONFIDENCE_FLOOR) / (sure + CONFIDENCE_FLOOR))
    unknown = combine(rows, {"sure": 0.75, "shy": 0.25}, calibrations={(1, "sure", 5): known[1, "sure", 5]})
    assert np.isnan(unknown["up_signal"].to_numpy()).all()


def as_hindsight(rows):
    """Return what sets every row's made_at to long after its entry."""
    place = rows.column_names.index("made_at")
    return place, rows.schema.field(place), pa.array([MADE_AT] * rows.num_rows, rows.schema.field(place).type)


def test_intervals_widen_after_days_that_missed(home):
    model_id = judge(home)
    before = served_calibrations(home.lake.snapshot(), model_id, SESSION)
    run(home)
    targets = home.lake.snapshot().frame("features.targets")
    days = sorted(set(targets["session"]))[-30:]
    daily = home.lake.snapshot().frame("predictions.daily")
    narrow = pa.concat_tables(
        DAILY.conform(
            pa.Table.from_pandas(daily.assign(session=day, q05=9.0, q95=9.0, made_at=calendar.known_at("XNYS", day)), preserve_index=False)
        )
        for day in days[:-1]
    )
    home.lake.publish(Change.append(DAILY, narrow.set_column(*as_hindsight(narrow))))
    hindsight = served_calibrations(home.lake.snapshot(), model_id, SESSION)
    assert {h: one.interval_miss for h, one in hindsight.items()} == {h: one.interval_miss for h, one in before.items()}
    home.lake.publish(Change.upsert(DAILY, narrow))
    after = served_calibrations(home.lake.snapshot(), model_id, SESSION)
    step = 0.005 * (1 - 0.1)
    for horizon, ended in ((1, 29), (5, 25), (20, 10), (60, 0)):
        assert before[horizon].interval_miss - after[horizon].interval_miss == pytest.approx(step * ended)
        assert after[horizon].interval_scale >= before[horizon].interval_scale
    assert len(STOCKS) * 4 == len(daily)


def test_isotonic_is_a_setting(home):
    judge(home, calibration="isotonic")
    rows = home.lake.snapshot().frame("training.calibration")
    assert rows[(rows["horizon_sessions"] == 1) & (rows["model"] == "ensemble") & (rows["fold"] == -1)]["isotonic"].notna().all()
    run(home)
    assert ENSEMBLE_WEIGHTS.full_name in home.lake.snapshot().commit.tables
    assert panel.Grid.of(home.lake.snapshot().read(DAILY)).tickers == tuple(sorted(STOCKS))
