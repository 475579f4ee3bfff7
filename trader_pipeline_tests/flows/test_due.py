import datetime as dt
from dataclasses import replace

import pyarrow as pa

from trader_pipeline import durable
from trader_pipeline.flows import due
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.core import ACCEPTED_BARS
from trader_pipeline.schema.training import CALIBRATION, RUNS
from trader_pipeline.settings import Settings
from trader_pipeline_tests.old_lakes import commit

AS_OF = dt.datetime(2020, 2, 7, 21, 30, tzinfo=dt.UTC)


def filled(table, **facts):
    """One row of a table: what is not said is empty text, 0 or null."""
    plain = {pa.string(): "", pa.int64(): 0, pa.int16(): 0, pa.date32(): AS_OF.date(), pa.timestamp("us", tz="UTC"): AS_OF}
    row = {c.name: None if c.nullable else plain.get(c.dtype, 0.0) for c in table.columns}
    return pa.Table.from_pylist([row | facts], schema=table.arrow_schema)


def test_a_model_is_due_until_one_is_trained_and_calibrated_on_what_was_known(tmp_path):
    lake = Lake(tmp_path / "lake", "deep")
    assert due.model(lake, as_of=AS_OF)
    lake.publish(Change.append(RUNS, filled(RUNS, model_id="m", as_of=AS_OF)))
    assert due.model(lake, as_of=AS_OF), "trained, not calibrated"
    lake.publish(Change.append(CALIBRATION, filled(CALIBRATION, model_id="m", fold=0)))
    assert due.model(lake, as_of=AS_OF), "calibrated on a fold only"
    lake.publish(Change.append(CALIBRATION, filled(CALIBRATION, model_id="m", fold=-1)))
    assert not due.model(lake, as_of=AS_OF)
    assert due.model(lake, as_of=AS_OF - dt.timedelta(days=1)), "it was not there yet"


def test_a_sample_speaks_of_its_own_last_session_and_live_data_of_the_last_closed_one(tmp_path):
    now = dt.datetime(2026, 11, 27, 18, 29, tzinfo=dt.UTC)  # a half day that closed at 18:00 UTC
    assert due.default_as_of(Settings(home=tmp_path, dataset="deep"), now=now) == AS_OF
    before = due.default_as_of(Settings(home=tmp_path, dataset="live"), now=now)
    after = due.default_as_of(Settings(home=tmp_path, dataset="live"), now=now + dt.timedelta(minutes=1))
    assert (before.date(), after.date()) == (dt.date(2026, 11, 25), dt.date(2026, 11, 27))


def test_an_empty_lake_has_no_newest_session(tmp_path):
    assert due.newest_session(Lake(tmp_path / "lake", "deep")) is None


def test_a_run_is_due_where_a_table_is_of_an_older_schema(tmp_path, monkeypatch):
    lake, settings = Lake(tmp_path / "lake", "own"), Settings(home=tmp_path, dataset="own")
    for part in (due.ingest, due.predict, due.standardize):
        monkeypatch.setattr(part, "is_due", lambda *_, **__: False)
    durable.write_atomic(settings.report_path(AS_OF.date()), b"there")
    lake.publish(Change.append(ACCEPTED_BARS, filled(ACCEPTED_BARS, ticker="A")))
    assert not due.daily(lake, settings, (), session=AS_OF.date(), as_of=AS_OF, now=AS_OF, tickers=())
    commit(lake, core__accepted_bars=replace(lake.snapshot().commit.tables["core.accepted_bars"], schema_version=0))
    assert due.daily(lake, settings, (), session=AS_OF.date(), as_of=AS_OF, now=AS_OF, tickers=())
