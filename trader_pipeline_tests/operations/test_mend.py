import pytest

from trader_pipeline.lake import Change, Lake
from trader_pipeline.operations.mend import mend
from trader_pipeline.schema.columns import count, day, text
from trader_pipeline.schema.table import Table
from trader_pipeline_tests.test_lake import notes, stored

COLUMNS = (text("ticker", "."), day("session", "."), count("value", "-", "."))


def table(name):
    layer, _, short = name.partition(".")
    return Table(layer=layer, name=short, key=("ticker", "session"), year_of="session", description="-", columns=COLUMNS)


SAID = table("predictions.said")
OTHERS = (
    "core.accepted_bars",
    "core.notes",
    "core.sectors",
    "features.panel",
    "features.targets",
    "quality.findings",
    "quality.quarantine",
    "raw.fetch_attempts",
    "raw.sample_bars",
    "raw.sample_sectors",
    "raw.yahoo_bars",
)


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path / "lake", "deep")
    rows = notes(("A", "2019-01-02", 1), ("A", "2020-01-02", 2))
    made.publish(Change.append(SAID, rows, inputs="v2"), *(Change.append(table(name), rows, inputs="v1") for name in OTHERS))
    return made


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_sound_lake_is_left_alone(lake):
    head = lake.snapshot().commit
    assert mend(lake) == ()
    assert lake.snapshot().commit == head


@pytest.mark.parametrize(
    ("hurt", "gone"),
    [
        ("core.accepted_bars", {"core.accepted_bars"}),
        ("core.notes", {"core.notes", "core.sectors"}),
        ("quality.findings", {"quality.findings", "quality.quarantine"}),
        ("features.targets", set()),
        ("raw.fetch_attempts", {"raw.fetch_attempts"}),
        ("raw.sample_sectors", {"raw.sample_bars", "raw.sample_sectors"}),
        ("raw.yahoo_bars", {"raw.yahoo_bars"}),
    ],
)
def test_what_a_run_makes_goes_whole_with_what_the_same_flow_writes_and_the_panel(lake, hurt, gone):
    parts = lake.snapshot().parts(hurt)
    flip(lake.root / parts[1].path)
    dropped = mend(lake)
    gone = gone | {"features.panel", "features.targets"}
    assert {d.table for d in dropped} == gone
    assert [d.path for d in dropped if d.damaged] == [parts[1].path]
    snapshot = lake.snapshot()
    assert {name for name in OTHERS if not snapshot.rows(name)} == gone
    assert {snapshot.inputs(name) for name in gone} == {None}
    assert (snapshot.rows(SAID), snapshot.inputs(SAID)) == (2, "v2")
    lake.publish(Change.replace(table(hurt), notes(("A", "2019-01-02", 1), ("A", "2020-01-02", 2)), inputs="v1"))
    assert lake.snapshot().parts(hurt) == parts  # the same rows, the same files
    assert lake.snapshot().damage() == {}


def test_of_what_cannot_be_made_again_only_the_damaged_year_goes(lake):
    (lake.root / lake.snapshot().parts(SAID)[0].path).unlink()
    assert [(d.table, d.damaged) for d in mend(lake)] == [("predictions.said", True)]
    assert stored(lake, SAID) == [("A", "2020-01-02", 2)]
    assert lake.snapshot().inputs(SAID) is None
    assert all(lake.snapshot().rows(name) == 2 for name in OTHERS)


def test_an_empty_table_forgets_its_inputs_too(lake):
    lake.publish(Change.replace(table("quality.quarantine"), table("quality.quarantine").empty(), inputs="judged"))
    assert lake.snapshot().inputs("quality.quarantine") == "judged"
    flip(lake.root / lake.snapshot().parts("quality.findings")[0].path)
    mend(lake)
    assert lake.snapshot().inputs("quality.quarantine") is None
