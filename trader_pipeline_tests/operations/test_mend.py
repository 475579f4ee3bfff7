import pyarrow as pa
import pytest

from trader_pipeline.lake import Change, Lake
from trader_pipeline.operations.mend import mend
from trader_pipeline.schema.columns import count, day, text
from trader_pipeline.schema.table import Table
from trader_pipeline_tests.test_lake import NAMES, NOTES, notes, stored

SAID = Table(
    layer="predictions",
    name="said",
    key=("ticker", "session"),
    year_of="session",
    description="-",
    columns=(text("ticker", "."), day("session", "."), count("value", "-", ".")),
)


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path / "lake", "deep")
    rows = notes(("A", "2019-01-02", 1), ("A", "2020-01-02", 2))
    made.publish(
        Change.append(NOTES, rows, inputs="v1"), Change.append(SAID, rows, inputs="v2"), Change.append(NAMES, pa.table({"ticker": ["A"]}))
    )
    return made


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_sound_lake_is_left_alone(lake):
    head = lake.snapshot().commit
    assert mend(lake) == ()
    assert lake.snapshot().commit == head


def test_a_table_that_a_run_makes_goes_whole_and_is_made_again(lake):
    parts = lake.snapshot().parts(NOTES)
    flip(lake.root / parts[1].path)
    dropped = mend(lake)
    assert [(d.table, d.path, d.rows, d.damaged) for d in dropped] == [
        ("core.notes", parts[0].path, 1, False),
        ("core.notes", parts[1].path, 1, True),
    ]
    snapshot = lake.snapshot()
    assert (snapshot.rows(NOTES), snapshot.inputs(NOTES)) == (0, None)
    assert (snapshot.rows(SAID), snapshot.inputs(SAID), snapshot.rows(NAMES)) == (2, "v2", 1)
    lake.publish(Change.replace(NOTES, notes(("A", "2019-01-02", 1), ("A", "2020-01-02", 2)), inputs="v1"))
    assert lake.snapshot().parts(NOTES) == parts
    assert lake.snapshot().damage() == {}


def test_of_what_cannot_be_made_again_only_the_damaged_year_goes(lake):
    (lake.root / lake.snapshot().parts(SAID)[0].path).unlink()
    assert [(d.table, d.damaged) for d in mend(lake)] == [("predictions.said", True)]
    assert stored(lake, SAID) == [("A", "2020-01-02", 2)]
    assert lake.snapshot().inputs(SAID) is None
    assert stored(lake) == [("A", "2019-01-02", 1), ("A", "2020-01-02", 2)]
