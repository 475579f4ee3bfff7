import datetime as dt

import pytest

from trader_pipeline import calendar
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.standardize import is_due, standardize
from trader_pipeline.lake import Lake
from trader_pipeline.schema import core
from trader_pipeline.settings import Settings
from trader_pipeline_tests.feeds import feed_of

HEADER = "Date,Open,High,Low,Close,Volume\n"
MONDAY = calendar.known_at("XNYS", dt.date(2024, 1, 8))
OWN = feed_of("own")


@pytest.fixture
def home(tmp_path):
    (tmp_path / "files").mkdir()
    return tmp_path


def load(home, fetched_at):
    settings = Settings(home=home, dataset="own", own_path=home / "files", _env_file=None)
    lake = Lake(settings.dataset_home / "lake", "own")
    ingest(lake, OWN, settings, as_of=fetched_at, fetched_at=fetched_at, run_id="run")
    return lake, standardize(lake, (OWN,), as_of=fetched_at, run_id="run")


def bars(lake, query="order by session, known_at"):
    rows = lake.snapshot().sql(f"select session, close, known_at_basis from core.daily_bars {query}")  # noqa: S608 - a constant
    return [(r["session"].day, r["close"], r["known_at_basis"]) for r in rows.to_pylist()]


def test_a_correction_is_a_new_row_and_as_of_tells_which_was_known(home):
    file = home / "files" / "A.csv"
    file.write_text(HEADER + "2024-01-02,10,11,9,10,1000\n2024-01-03,10,11,9,10.5,1000\n")
    load(home, MONDAY)
    file.write_text(HEADER + "2024-01-02,10,11,9,10.2,1000\n2024-01-03,10,11,9,10.5,1000\n")
    corrected = MONDAY + dt.timedelta(days=1)
    lake, outcome = load(home, corrected)
    assert outcome.changed
    assert bars(lake) == [(2, 10.0, "assumed"), (2, 10.2, "observed"), (3, 10.5, "assumed")]
    before = lake.snapshot().known(core.DAILY_BARS, MONDAY)["close"].to_pylist()
    after = lake.snapshot().known(core.DAILY_BARS, corrected)["close"].to_pylist()
    assert (before, after) == ([10.0, 10.5], [10.2, 10.5])


def test_new_sessions_are_appended_and_stored_parts_stay(home):
    file = home / "files" / "A.csv"
    file.write_text(HEADER + "2023-12-29,10,11,9,9,1000\n2024-01-02,10,11,9,10,1000\n")
    lake, _ = load(home, MONDAY)
    before = set(lake.snapshot().files(core.DAILY_BARS))
    file.write_text(file.read_text() + "2024-01-09,10,11,9,11,1000\n")
    lake, outcome = load(home, MONDAY + dt.timedelta(days=2))
    after = set(lake.snapshot().files(core.DAILY_BARS))
    assert before < after
    assert len(after - before) == 1
    assert outcome.rows["core.daily_bars"] == 3


def test_a_file_that_grew_by_nothing_new_to_core_keeps_the_parts(home):
    file = home / "files" / "A.csv"
    file.write_text(HEADER + "2024-01-02,10,11,9,10,1000\n")
    lake, _ = load(home, MONDAY)
    before = lake.snapshot().files(core.DAILY_BARS)
    file.write_text(HEADER + "2024-01-02,10.0,11.0,9.0,10.0,1000.0\n")
    lake, _ = load(home, MONDAY + dt.timedelta(days=1))
    assert lake.snapshot().files(core.DAILY_BARS) == before
    assert not standardize(lake, (OWN,), as_of=MONDAY, run_id="again").changed


def test_members_of_the_universe_are_the_stocks(home):
    for name in ("A", "SPY"):
        (home / "files" / f"{name}.csv").write_text(HEADER + "2024-01-02,10,11,9,10,1000\n")
    lake, _ = load(home, MONDAY)
    assert lake.snapshot().sql("select universe, ticker from core.universe").to_pylist() == [{"universe": "own", "ticker": "A"}]
    assert sorted(lake.snapshot().sql("select ticker, role from core.ticker_map").to_pylist(), key=str) == [
        {"ticker": "A", "role": "stock"},
        {"ticker": "SPY", "role": "benchmark"},
    ]


@pytest.mark.parametrize("dataset", ["deep", "broad"])
def test_sample_tables_are_complete_in_the_lake(tmp_path, dataset):
    settings = Settings(home=tmp_path, dataset=dataset, _env_file=None)
    lake, source = Lake(settings.dataset_home / "lake", dataset), feed_of(dataset)
    ingest(lake, source, settings, as_of=MONDAY, fetched_at=MONDAY, run_id="run")
    rows = standardize(lake, (source,), as_of=MONDAY, run_id="run").rows
    assert {name: count for name, count in rows.items() if count} == {
        "deep": {
            "core.daily_bars": 27_659,
            "core.corporate_actions": 4,
            "core.macro": 1_523,
            "core.ticker_map": 12,
            "core.universe": 11,
            "core.sectors": 15,
        },
        "broad": {
            "core.daily_bars": 122_574,
            "core.ticker_map": 524,
            "core.universe": 524,
            "core.sectors": 442,
        },
    }[dataset]


def test_a_source_that_brought_nothing_gives_empty_tables(home):
    lake = Lake(home / "own" / "lake", "own")
    assert set(standardize(lake, (OWN,), as_of=MONDAY, run_id="run").rows.values()) == {0}


def test_core_is_due_when_raw_rows_came_alone(home):
    file = home / "files" / "A.csv"
    file.write_text(HEADER + "2024-01-02,10,11,9,10,1000\n")
    lake, _ = load(home, MONDAY)
    assert not is_due(lake, (OWN,))
    file.write_text(HEADER + "2024-01-02,10,11,9,10.2,1000\n")
    later = MONDAY + dt.timedelta(days=1)
    settings = Settings(home=home, dataset="own", own_path=home / "files", _env_file=None)
    ingest(lake, OWN, settings, as_of=later, fetched_at=later, run_id="fetched alone")
    assert is_due(lake, (OWN,))
    standardize(lake, (OWN,), as_of=later, run_id="run")
    assert not is_due(lake, (OWN,))
