"""Published sessions keep their contract, and consumers read no column outside it."""

import re
from pathlib import Path

import duckdb
import pytest

from trader_pipeline.cli import summary
from trader_pipeline.dashboard import export, queries, status
from trader_pipeline.dashboard.queries import Selection
from trader_pipeline.flows import decide, predict
from trader_pipeline.flows.contracts import broken
from trader_pipeline.inference.export import export_paths
from trader_pipeline.lake import Commit, Snapshot
from trader_pipeline.schema.contracts import CONTRACTS, DECISIONS, PREDICTIONS
from trader_pipeline.settings import Settings
from trader_pipeline.snapshot import _SQL_TYPES
from trader_pipeline_tests import published
from trader_pipeline_tests.flows.conftest import AS_OF, MADE_AT, SESSION

TEMPLATES = Path(queries.__file__).parent / "templates"
BESIDE = {"rank", "name", "sector", "names"}
"""What the pages show beside the two tables, from core.ticker_map and core.sectors, or counted."""


@pytest.fixture
def promised(tmp_path):
    """A lake whose two tables have no column but the promised ones: any other is an error of the query."""
    snapshot = Snapshot(tmp_path, Commit(number=0, id="empty", dataset="deep"))
    for contract in CONTRACTS:
        columns = ", ".join(f'cast(null as {_SQL_TYPES[p.dtype]}) as "{p.name}"' for p in contract.columns)
        snapshot.connection.execute(f"create or replace view {contract.table.full_name} as select {columns} where false")
    return snapshot


def test_what_the_flows_publish_keeps_the_contract(judged):
    predict.predict(judged.lake, judged.settings, session=SESSION, as_of=AS_OF, made_at=MADE_AT, run_id="r")
    decide.decide(judged.lake, judged.settings, session=SESSION, made_at=MADE_AT, run_id="r")
    snapshot, exports = judged.lake.snapshot(), judged.settings.dataset_home / "exports"
    assert [broken(snapshot, contract, SESSION, exports=exports) for contract in CONTRACTS] == [[], []]
    export_paths(exports, SESSION)[1].write_text("{}")
    assert {b.about for b in broken(snapshot, PREDICTIONS, SESSION, exports=exports)} >= {"export manifest.sha256", "export manifest.rows"}
    assert broken(snapshot, DECISIONS, SESSION, exports=exports) == []


def test_a_session_without_rows_breaks_it(tmp_path):
    snapshot = published.publish(Settings(home=tmp_path, dataset="deep")).snapshot()
    assert broken(snapshot, PREDICTIONS, published.SESSION) == []
    (found,) = broken(snapshot, PREDICTIONS, published.SESSION.replace(year=2019))
    assert found.told == "has no row of 2019-02-07"


def test_the_dashboard_reads_what_is_promised(promised):
    with pytest.raises(duckdb.BinderException, match="run_id"):
        promised.sql("select run_id from predictions.daily")
    for sort in queries.SORTABLE:
        queries.predictions(promised, Selection(session=SESSION, sort=sort, text="a", sector="b", ticker="c", horizon=5))
    queries.sessions(promised)
    queries.sectors(promised, SESSION)
    queries.made(promised, SESSION)
    queries.decision(promised, SESSION, "A")
    queries.peers(promised, SESSION)
    status.prediction_runs(promised)


def test_the_command_line_reads_what_is_promised(promised, tmp_path, monkeypatch):
    monkeypatch.setattr("trader_pipeline.lake.open", lambda _: promised)
    settings = Settings(home=tmp_path, dataset="deep")
    assert summary.facts(settings, SESSION, None, since=MADE_AT)["predictions"] == 0
    assert summary.predictions(settings, SESSION, ()) == []
    summary.require_predicted(settings, SESSION, ())


def test_what_pages_and_exports_show_is_promised():
    assert set(export.COLUMNS) <= {*PREDICTIONS.names, *DECISIONS.names, *BESIDE}
    text = "".join(path.read_text() for path in TEMPLATES.glob("*.html") if path.name != "status.html")
    assert set(re.findall(r"\bdecision\.(\w+)", text)) <= {*DECISIONS.names, *BESIDE}
    pages = "".join((TEMPLATES / name).read_text() for name in ("predictions_table.html", "parts.html"))
    assert set(re.findall(r"\brow\.(\w+)", pages)) <= {*PREDICTIONS.names, *DECISIONS.names, *BESIDE}
