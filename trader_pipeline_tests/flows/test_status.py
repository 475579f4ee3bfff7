"""What `trader status` says, of a lake made up by hand and of none."""

import datetime as dt

import pyarrow as pa
import pytest

from trader_pipeline import heartbeats
from trader_pipeline.features import FEATURES, PANEL
from trader_pipeline.features.coverage import count_coverage
from trader_pipeline.flows.status import status
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema import core, outputs, quality, raw, serving
from trader_pipeline.schema.features import COVERAGE
from trader_pipeline.schema.training import ATTEMPTS, CALIBRATION, RUNS
from trader_pipeline.settings import Settings

NOW = dt.datetime(2020, 2, 7, 23, tzinfo=dt.UTC)
LAST, BEFORE = dt.date(2020, 2, 7), dt.date(2020, 2, 6)
ENDED = [("r1", "published"), ("r2", "published"), ("r3", "failed"), ("r4", "started")]
KNOWN = dt.datetime(2020, 2, 7, 21, 30, tzinfo=dt.UTC)


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home", dataset="deep")


def rows(table, *records):
    """Rows with the columns that matter; the others are filled with something of their type."""
    some = {
        pa.string(): "x",
        pa.bool_(): False,
        pa.int16(): 0,
        pa.int64(): 0,
        pa.float32(): 0.0,
        pa.float64(): 0.0,
        pa.date32(): LAST,
        pa.timestamp("us", tz="UTC"): KNOWN,
    }
    filled = [{c.name: record.get(c.name, None if c.nullable else some[c.dtype]) for c in table.columns} for record in records]
    return pa.Table.from_pylist(filled, schema=table.arrow_schema)


def calibrated(*models):
    return rows(CALIBRATION, *({"model_id": name, "fold": -1, "model": "ensemble"} for name in models))


def test_an_empty_home(settings):
    facts = status(Lake(settings.dataset_home / "lake", "deep"), settings, now=NOW)
    assert (facts["dataset"], facts["home"], facts["commit"]) == ("deep", str(settings.dataset_home), "empty")
    assert (facts["session_through"], facts["predictions_state"], facts["predictions"], facts["model"]) == (None, "none", 0, None)
    assert (facts["model_record"], facts["trainings"]) == (None, {})
    assert (
        facts["tables"]
        == facts["coverage"]
        == facts["findings"]
        == facts["held"]
        == facts["fetches"]
        == facts["disk"]
        == facts["behind"]
        == []
    )
    assert (facts["daemon"], facts["daemon_seen"], facts["sensors"]) == ("never seen", None, [])
    assert facts["free_bytes"] > 0
    assert not settings.home.exists()  # looking writes nothing


def test_what_is_there(settings):
    lake = Lake(settings.dataset_home / "lake", "deep")
    names = [f.name for f in FEATURES if f.family == FEATURES[0].family]
    panel = rows(PANEL, {"ticker": "A", "session": LAST, names[0]: 1.0}, {"ticker": "B", "session": LAST})
    lake.publish(
        Change.append(core.ACCEPTED_BARS, rows(core.ACCEPTED_BARS, {"ticker": "A", "session": BEFORE}, {"ticker": "A", "session": LAST})),
        Change.append(PANEL, panel),
        Change.append(COVERAGE, count_coverage(panel, FEATURES)),
        Change.append(
            outputs.DAILY,
            rows(
                outputs.DAILY,
                {"session": BEFORE, "ticker": "A", "horizon_sessions": 5, "abstained": True},
                {"session": BEFORE, "ticker": "B", "horizon_sessions": 5},
            ),
        ),
        Change.append(RUNS, rows(RUNS, {"model_id": "m1", "recipe": "ridge", "members": "ridge"})),
        Change.append(CALIBRATION, calibrated("m1")),
        Change.append(ATTEMPTS, rows(ATTEMPTS, *({"run_id": r, "outcome": o} for r, o in ENDED))),
        Change.append(
            quality.METRICS,
            rows(
                quality.METRICS, *({"run_id": "r2", "rule": rule, "passed": True} for rule in ("missing_dates", "ohlc_order", "staleness"))
            ),
        ),
        Change.append(
            quality.FINDINGS,
            rows(
                quality.FINDINGS,
                {"run_id": "r1", "rule": "old", "ticker": "A"},
                {"run_id": "r2", "rule": "missing_dates", "ticker": "*", "severity": "warning"},
                {"run_id": "r2", "rule": "ohlc_order", "ticker": "A", "severity": "error"},
                {"run_id": "r2", "rule": "ohlc_order", "ticker": "B", "severity": "error"},
            ),
        ),
        Change.append(
            quality.QUARANTINE,
            rows(
                quality.QUARANTINE,
                *({"ticker": t, "session": d, "rule": r} for t, d, r in (("A", LAST, "x"), ("A", LAST, "y"), ("A", BEFORE, "x"))),
            ),
        ),
        Change.append(
            raw.FETCH_ATTEMPTS,
            rows(
                raw.FETCH_ATTEMPTS,
                {"source": "yahoo", "ticker": "A", "at": NOW, "outcome": "ok"},
                {"source": "yahoo", "ticker": "A", "at": NOW - dt.timedelta(hours=1), "outcome": "throttled"},
                {"source": "yahoo", "ticker": "B", "at": NOW, "outcome": "unknown_symbol"},
            ),
        ),
    )
    facts = status(lake, settings, now=NOW)
    assert (facts["session_through"], facts["predictions_session"], facts["predictions_state"]) == (LAST, BEFORE, "stale")
    assert (facts["predictions"], facts["predictions_abstained"]) == (2, 1)
    assert (facts["model"], facts["model_recipe"]) == ("m1", "ridge")
    assert facts["model_record"] == str(settings.dataset_home / "models/m1/run.json")
    assert facts["trainings"] == {"failed": 1, "published": 2, "started": 1}
    assert facts["findings"] == [
        {"rule": "missing_dates", "severity": "warning", "findings": 1, "tickers": 0},
        {"rule": "ohlc_order", "severity": "error", "findings": 2, "tickers": 2},
    ]
    assert facts["checks"] == {"rules": 3, "with_errors": 1, "blocking": 0}
    assert facts["held"] == [{"rule": "x", "ticker_days": 2, "tickers": 1}, {"rule": "y", "ticker_days": 1, "tickers": 1}]
    assert (facts["quarantined_ticker_days"], facts["quarantined_tickers"]) == (2, 1)
    assert [(f["outcome"], f["tickers"]) for f in facts["fetches"]] == [("ok", 1), ("unknown_symbol", 1)]
    bars = next(t for t in facts["tables"] if t["table"] == "core.accepted_bars")
    assert (bars["rows"], bars["parts"], bars["through"]) == (2, 1, LAST)
    assert bars["bytes"] == lake.snapshot().files(core.ACCEPTED_BARS)[0].stat().st_size
    covered = {row["family"]: row for row in facts["coverage"]}
    share = round(1 / (2 * len(names)), 4)
    assert covered.pop(FEATURES[0].family) == {
        "family": FEATURES[0].family,
        "features": len(names),
        "state": "present",
        "newest": share,
        "year": share,
        "first": LAST,
        "by_year": [{"year": LAST.year, "share": share}],
    }
    assert {row["state"] for row in covered.values()} == {"absent"}
    assert facts["behind"] == [{"table": "core.accepted_bars", "sessions": 0}]
    assert facts["disk"][0]["folder"] == "lake"


def test_whether_the_daemon_lives(settings):
    live = settings.model_copy(update={"dataset": "live"})
    for sensor, minutes, said in (("heartbeat", 1, "alive"), ("on_stale_data", 4, "refetch started")):
        heartbeats.write(live.heartbeats, heartbeats.Beat(sensor=sensor, at=NOW - dt.timedelta(minutes=minutes), said=said))
    facts = status(Lake(live.dataset_home / "lake", "live"), live, now=NOW)
    assert (facts["daemon"], facts["daemon_seen"]) == ("last seen 1 minute ago", NOW - dt.timedelta(minutes=1))
    assert facts["sensors"] == [{"sensor": "on_stale_data", "at": NOW - dt.timedelta(minutes=4), "said": "refetch started"}]
    later = status(Lake(live.dataset_home / "lake", "live"), live, now=NOW + dt.timedelta(days=1))
    assert later["daemon"].startswith("last seen 24 hours ago: schedule and sensors do not run; start them with")
    assert status(Lake(settings.dataset_home / "lake", "deep"), settings, now=NOW)["daemon_seen"] is None  # another market's


def test_the_model_is_the_one_that_serves_and_not_the_newest(settings):
    lake = Lake(settings.dataset_home / "lake", "deep")
    runs = [{"model_id": name, "finished_at": NOW + dt.timedelta(hours=h)} for h, name in enumerate(("champion", "challenger"))]
    lake.publish(Change.append(RUNS, rows(RUNS, *runs)))
    assert status(lake, settings, now=NOW)["model"] is None, "trained, not calibrated"
    lake.publish(Change.append(CALIBRATION, calibrated("champion", "challenger")))
    assert status(lake, settings, now=NOW)["model"] == "challenger"
    decided = [
        {"model_id": "champion", "action": "promoted", "serves": "champion", "decided_at": NOW},
        {"model_id": "challenger", "action": "refused", "serves": "champion", "decided_at": NOW + dt.timedelta(hours=1)},
    ]
    lake.publish(Change.append(serving.PROMOTIONS, rows(serving.PROMOTIONS, *decided)))
    assert status(lake, settings, now=NOW)["model"] == "champion"
