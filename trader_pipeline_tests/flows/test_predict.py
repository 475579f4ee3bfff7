import datetime as dt
import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from trader_pipeline import calendar
from trader_pipeline.errors import BlockedByDataError, CorruptPartError, NoModelError
from trader_pipeline.evaluation.judged import labels_of
from trader_pipeline.features import PANEL
from trader_pipeline.flows import predict as flow
from trader_pipeline.flows.check import check
from trader_pipeline.flows.predict import is_due, predict
from trader_pipeline.flows.serving import usual_spread
from trader_pipeline.inference.export import export_paths
from trader_pipeline.lake import Change, Lake
from trader_pipeline.models import calibrate
from trader_pipeline.panel import Grid
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.core import ACCEPTED_BARS, DAILY_BARS
from trader_pipeline.schema.evaluation import SCORECARD
from trader_pipeline.schema.outputs import DAILY, OUT_OF_FOLD
from trader_pipeline.schema.quality import FORCED_SESSION, METRICS, QUARANTINE
from trader_pipeline.schema.quantiles import QUANTILE_NAMES
from trader_pipeline.schema.training import CALIBRATION, RUNS
from trader_pipeline.settings import DecisionSettings, Settings
from trader_pipeline_tests.checks.build import bars
from trader_pipeline_tests.flows.conftest import AS_OF, MADE_AT, SESSION, STOCKS


def run(home, *, session=SESSION, as_of=AS_OF, settings=None, made_at=MADE_AT):
    return predict(home.lake, settings or home.settings, session=session, as_of=as_of, made_at=made_at, run_id="r")


def test_a_model_that_older_formulas_judged_is_judged_again_before_it_predicts(judged):
    """Its slopes belong to base rates that this code does not make any more."""
    lake = judged.lake
    right = lake.snapshot().read(CALIBRATION)
    old = [row | {"judged_by": None, "up_score_slope": 5.0} for row in right.to_pylist()]
    lake.publish(Change.upsert(CALIBRATION, pa.Table.from_pylist(old, CALIBRATION.arrow_schema)))
    assert is_due(lake, judged.settings, session=SESSION, as_of=AS_OF, now=MADE_AT)
    assert run(judged).changed
    assert lake.snapshot().read(CALIBRATION).equals(right)
    said = lake.snapshot().read(DAILY)["p_up"]
    assert not is_due(lake, judged.settings, session=SESSION, as_of=AS_OF, now=MADE_AT)
    lake.publish(Change.replace(DAILY, DAILY.empty()))
    run(judged)
    assert lake.snapshot().read(DAILY)["p_up"].equals(said)


def head(home):
    return (home.lake.root / "HEAD").read_text()


def test_one_row_a_ticker_and_horizon_with_ordered_quantiles(judged):
    assert is_due(judged.lake, judged.settings, session=SESSION, as_of=AS_OF, now=MADE_AT)
    outcome = run(judged)
    assert (outcome.rows, outcome.changed) == (len(STOCKS) * 4, True)
    assert not is_due(judged.lake, judged.settings, session=SESSION, as_of=AS_OF, now=MADE_AT)
    rows = judged.lake.snapshot().frame("predictions.daily")
    assert sorted(set(rows["ticker"])) == sorted(STOCKS), "the benchmark is never predicted"
    told_ahead = ["excess_sector", "earnings_inside", "ex_dividend_inside"]  # no sector is known, nothing is announced
    assert rows[told_ahead].isna().all().all()
    assert not rows.drop(columns=told_ahead).isna().any().any()
    quantiles = rows[list(QUANTILE_NAMES)].to_numpy()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (quantiles > -1).all()
    for name in ("p_up", "p_outperform", "base_rate", "confidence", "novelty"):
        assert rows[name].between(0, 1).all(), name
    assert outcome.abstained == rows["abstained"].sum()
    assert (rows["disagreement"] == 0).all(), "one member cannot disagree"
    spread = (rows["q95"] - rows["q05"]).groupby(rows["horizon_sessions"]).mean()
    assert spread.is_monotonic_increasing, "a longer horizon is less certain"


@pytest.mark.parametrize("memory", [1000, 20])
def test_base_rates_are_those_that_evaluation_judges(judged, monkeypatch, memory):
    """Also where a horizon's first labels are forgotten: 20 that do not overlap are 20 to 1,200 sessions."""
    monkeypatch.setattr(calibrate, "MEMORY_LABELS", memory)
    run(judged)
    snapshot = judged.lake.snapshot()
    targets = snapshot.sql("select * from features.targets where session <= ?", [SESSION])
    grid = Grid.of(targets)
    judged_at = {
        (ticker, horizon): rate
        for horizon in HORIZONS_SESSIONS
        for ticker, rate in zip(grid.tickers, labels_of(targets, grid, horizon).base_rate_NT[:, -1].tolist(), strict=True)
    }
    for row in snapshot.read(DAILY).to_pylist():
        assert row["base_rate"] == pytest.approx(judged_at[row["ticker"], row["horizon_sessions"]], abs=1e-12)


def test_the_export_names_itself_and_its_bytes(judged):
    outcome = run(judged)
    manifest = json.loads(outcome.export.with_name("predictions_2020-02-07.manifest.json").read_bytes())
    assert outcome.export.name == manifest["file"] == "predictions_2020-02-07.parquet"
    assert manifest["sha256"] == hashlib.sha256(outcome.export.read_bytes()).hexdigest()
    assert (manifest["session"], manifest["rows"], manifest["model_id"]) == ("2020-02-07", 48, outcome.model_id)
    assert (manifest["as_of"], manifest["made_at"]) == ("2020-02-07T21:30:00+00:00", "2020-02-08T00:00:00+00:00")
    file = pq.ParquetFile(outcome.export)
    assert file.metadata.row_group(0).column(0).compression == "SNAPPY"
    assert file.read().equals(judged.lake.snapshot().read(DAILY))


def test_a_second_time_changes_nothing_but_mends_the_export(judged):
    first = run(judged)
    data, before = first.export.read_bytes(), head(judged)
    first.export.unlink()
    second = run(judged, made_at=MADE_AT + dt.timedelta(days=9))
    assert second.changed is False
    assert head(judged) == before
    assert first.export.read_bytes() == data
    first.export.write_bytes(b"torn")
    run(judged)
    assert first.export.read_bytes() == data
    _, manifest = export_paths(first.export.parent, SESSION)
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[:40])
    run(judged)
    assert manifest.read_bytes() == whole


def test_thresholds_grey_rows_without_removing_them(judged):
    strict = Settings(home=judged.settings.home, dataset="own", decisions=DecisionSettings(abstain_confidence=1.0))
    outcome = run(judged, settings=strict)
    assert (outcome.rows, outcome.abstained) == (48, 48)
    rows = judged.lake.snapshot().frame("predictions.daily")
    assert not rows[["score", "p_up", "return_mean"]].isna().any().any()


def test_without_a_model(tmp_path):
    settings = Settings(home=tmp_path, dataset="own")
    lake = Lake(tmp_path / "own" / "lake", "own")
    assert is_due(lake, settings, session=SESSION, as_of=AS_OF, now=MADE_AT)
    with pytest.raises(NoModelError, match=r"no model was trained on what was known at 2020-02-07 21:30 UTC; train one: `trader run`"):
        predict(lake, settings, session=SESSION, as_of=AS_OF, made_at=MADE_AT, run_id="r")


def test_a_model_that_was_never_judged_does_not_serve(trained):
    with pytest.raises(NoModelError, match=r"not calibrated.*`trader run`"):
        run(trained)


def test_a_model_that_saw_the_future_does_not_serve(judged):
    with pytest.raises(NoModelError):
        run(judged, session=dt.date(2020, 1, 6), as_of=AS_OF)
    with pytest.raises(NoModelError):
        run(judged, as_of=AS_OF - dt.timedelta(hours=1))


def test_a_session_without_features_is_blocked_and_says_how_far_behind(judged):
    with pytest.raises(
        BlockedByDataError, match=r"no row of 2020-02-12: its newest session is 2020-02-07, 3 sessions behind.*`trader run`"
    ):
        run(judged, session=dt.date(2020, 2, 12), as_of=dt.datetime(2020, 2, 12, 22, tzinfo=dt.UTC))
    assert judged.lake.snapshot().rows(DAILY) == 0


def test_a_session_that_an_outage_holds_back_says_so(judged):
    days = calendar.sessions("XNYS", dt.date(2020, 1, 6), dt.date(2020, 2, 10)).tolist()
    judged.lake.publish(Change.replace(DAILY_BARS, bars({name: days[: len(days) - (name < "EEE")] for name in STOCKS})))
    as_of = calendar.known_at("XNYS", days[-1])
    check(judged.lake, as_of=as_of, settings=judged.settings.checks, run_id="r")
    with pytest.raises(BlockedByDataError, match=r"from 2020-02-10 on back; `trader run` asks.*--as-of 2020-02-07"):
        run(judged, session=days[-1], as_of=as_of)


def test_many_missing_tickers_block(judged):
    panel = judged.lake.snapshot().read(PANEL)
    gone = pc.and_(pc.equal(panel["session"], SESSION), pc.is_in(panel["ticker"], value_set=pa.array(STOCKS[:5])))
    judged.lake.publish(Change.replace(PANEL, panel.filter(pc.invert(gone))))
    with pytest.raises(BlockedByDataError, match=r"7 of 12 tickers on 2020-02-07: 42% are missing, 20% are allowed"):
        run(judged)


def test_one_missing_ticker_does_not(judged):
    panel = judged.lake.snapshot().read(PANEL)
    gone = pc.and_(pc.equal(panel["session"], SESSION), pc.equal(panel["ticker"], "AAA"))
    judged.lake.publish(Change.replace(PANEL, panel.filter(pc.invert(gone))))
    assert run(judged).rows == 44


def test_of_very_few_tickers_one_that_ended_does_not_stop_the_others(judged):
    panel = judged.lake.snapshot().read(PANEL)
    few = panel.filter(pc.is_in(panel["ticker"], value_set=pa.array(["AAA", "BBB", "CCC"])))
    ended = pc.and_(pc.equal(few["session"], SESSION), pc.equal(few["ticker"], "AAA"))
    judged.lake.publish(Change.replace(PANEL, few.filter(pc.invert(ended))))
    assert run(judged).rows == 8


def test_the_same_score_for_everyone_is_not_published(judged):
    """Every ticker gets the first one's features of the session: the forecasts cannot tell them apart."""
    panel = judged.lake.snapshot().read(PANEL)
    here = pc.equal(panel["session"], SESSION)
    same = panel.filter(here).take(pa.array([0] * len(STOCKS))).set_column(0, PANEL.arrow_schema.field("ticker"), pa.array(STOCKS))
    judged.lake.publish(Change.replace(PANEL, pa.concat_tables([panel.filter(pc.invert(here)), same])))
    with pytest.raises(BlockedByDataError, match=r"the same score on 2020-02-07.*features are constant"):
        run(judged)
    assert judged.lake.snapshot().rows(DAILY) == 0


def test_a_folder_that_is_not_the_published_one_is_refused(judged):
    folder = judged.settings.dataset_home / "models"
    manifest = next(folder.glob("*/manifest.json"))
    manifest.write_bytes(manifest.read_bytes() + b" ")
    with pytest.raises(CorruptPartError, match=r"not the one that training\.runs names"):
        run(judged)


def second_model(home, *, alarmed):
    """Publish a newer run that is the same model under another name, judged with or without a leak alarm."""
    snapshot = home.lake.snapshot()
    runs = snapshot.read(RUNS).to_pylist()
    calibration = snapshot.sql("select * replace ('second' as model_id) from training.calibration")
    cards = snapshot.read(SCORECARD).to_pylist()
    changes = [row | {"model_id": "second", "leak_alarm": "rank IC +0.50 is over 0.20" if alarmed else None} for row in cards]
    home.lake.publish(
        Change.append(
            RUNS, pa.Table.from_pylist([runs[0] | {"model_id": "second", "finished_at": MADE_AT + dt.timedelta(days=1)}], RUNS.arrow_schema)
        ),
        Change.append(CALIBRATION, calibration),
        Change.append(SCORECARD, pa.Table.from_pylist(changes, SCORECARD.arrow_schema)),
    )


def test_the_newest_model_serves(judged):
    second_model(judged, alarmed=False)
    assert run(judged).model_id == "second"


def test_a_leak_alarm_keeps_the_last_approved_model_serving(judged):
    second_model(judged, alarmed=True)
    assert run(judged).model_id != "second"


def test_rows_that_break_the_contract_reach_no_reader(judged, monkeypatch):
    made = flow.forecast_rows
    monkeypatch.setattr(flow, "forecast_rows", lambda *args: made(*args).set_column(*certain(DAILY, len(STOCKS) * 4)))
    with pytest.raises(BlockedByDataError, match=r"predictions.daily/1 is broken: p_up over 1 in 48 rows, .*nothing of 2020-02-07 was"):
        run(judged)
    assert judged.lake.snapshot().rows(DAILY) == 0
    assert not (judged.settings.dataset_home / "exports").exists()


def certain(table, rows):
    """Return a probability of 1.5 for every row, as `set_column` takes it."""
    place = table.arrow_schema.get_field_index("p_up")
    return place, table.arrow_schema.field(place), pa.array([1.5] * rows)


def test_a_session_that_the_quarantine_empties_names_rules_and_tickers(judged):
    session = dt.date(2020, 2, 10)
    quarantined(judged, session, *(("price_unit", name) for name in STOCKS[:7]), ("ohlc_order", "AAA"))
    with pytest.raises(
        BlockedByDataError,
        match=r"the checks hold price_unit 7 ticker-days of AAA, BBB, CCC, DDD, EEE and 2 more; ohlc_order 1 ticker-day of AAA; "
        r"`trader run` .* overrides.toml",
    ):
        run(judged, session=session, as_of=dt.datetime(2020, 2, 10, 22, tzinfo=dt.UTC))


def test_many_missing_tickers_name_the_rule_that_holds_them(judged):
    panel = judged.lake.snapshot().read(PANEL)
    gone = pc.and_(pc.equal(panel["session"], SESSION), pc.is_in(panel["ticker"], value_set=pa.array(STOCKS[:5])))
    judged.lake.publish(Change.replace(PANEL, panel.filter(pc.invert(gone))))
    quarantined(judged, SESSION, *(("stuck_prices", name) for name in STOCKS[:5]))  # of the fifth another source stands in
    accepted = judged.lake.snapshot().read(ACCEPTED_BARS)
    held = pc.and_(pc.equal(accepted["session"], SESSION), pc.is_in(accepted["ticker"], value_set=pa.array(STOCKS[:4])))
    judged.lake.publish(Change.replace(ACCEPTED_BARS, accepted.filter(pc.invert(held))))
    with pytest.raises(BlockedByDataError, match=r"42% are missing.*the checks hold stuck_prices 4 ticker-days of AAA, BBB, CCC, DDD; "):
        run(judged)


def quarantined(home, session, *held):
    known = {"table_name": "core.daily_bars", "session": session, "item": "", "source": "own", "reason": "-", "strikes": 1, "run_id": "c"}
    rows = [known | {"rule": rule, "ticker": ticker, "first_seen": AS_OF, "known_at": AS_OF} for rule, ticker in held]
    home.lake.publish(Change.replace(QUARANTINE, pa.Table.from_pylist(rows, schema=QUARANTINE.arrow_schema)))


def test_a_forced_session_says_so_until_it_is_made_without(judged):
    failing = {"run_id": "c", "table_name": "core.daily_bars", "rule": "staleness", "known_at": AS_OF}
    metric = pa.Table.from_pylist([failing | {"name": "findings", "value": 1.0, "passed": False}], schema=METRICS.arrow_schema)
    judged.lake.publish(Change.replace(METRICS, metric))
    predict(judged.lake, judged.settings, session=SESSION, as_of=AS_OF, made_at=MADE_AT, run_id="r", force=True)
    forced = judged.lake.snapshot().sql(FORCED_SESSION, [SESSION])["message"].to_pylist()
    assert forced == ["core.daily_bars: staleness: failed in the last checks"]

    judged.lake.publish(Change.replace(METRICS, METRICS.empty()), Change.replace(DAILY, DAILY.empty()))
    run(judged)
    assert judged.lake.snapshot().sql(FORCED_SESSION, [SESSION]).num_rows == 0


def test_a_member_s_usual_spread_is_that_of_its_most_quiet_fold(judged):
    snapshot = judged.lake.snapshot()
    (model_id,) = snapshot.sql("select model_id from training.runs")["model_id"].to_pylist()
    rows = snapshot.frame("predictions.out_of_fold")
    quiet = rows["fold"] == 1
    rows.loc[quiet, "score"] /= 1000
    judged.lake.publish(Change.replace(OUT_OF_FOLD, pa.Table.from_pandas(rows, schema=OUT_OF_FOLD.arrow_schema, preserve_index=False)))
    one = rows[quiet & (rows["horizon_sessions"] == 5)].groupby("session")["score"].std(ddof=0).median()
    assert usual_spread(judged.lake.snapshot(), model_id)["ridge", 5] == pytest.approx(one)
