"""What a table accepts, what it refuses, and how it says so."""

import datetime as dt
import math
import re

import pyarrow as pa
import pytest

from trader_pipeline.errors import SchemaError
from trader_pipeline.schema import TABLES
from trader_pipeline.schema.columns import HORIZON, count, day, flag, instant, number, text
from trader_pipeline.schema.table import Table

T = Table(
    layer="core",
    name="things",
    description="A table of the tests.",
    key=("ticker", "session"),
    columns=(text("ticker", "."), day("session", "."), number("value", "-", "."), count("n", "-", ".", nullable=True), HORIZON),
)
ROW = {"ticker": ["A"], "session": [dt.date(2020, 1, 2)], "value": [1.5], "n": [3], "horizon_sessions": [5]}


def test_conform_orders_and_types():
    shuffled = pa.table({name: ROW[name] for name in reversed(ROW)})
    found = T.conform(shuffled)
    assert found.schema.equals(T.arrow_schema, check_metadata=True)
    assert found.to_pylist() == [{"ticker": "A", "session": dt.date(2020, 1, 2), "value": 1.5, "n": 3, "horizon_sessions": 5}]
    assert found.schema.metadata == {b"table": b"core.things", b"schema_version": b"1"}


def test_nan_becomes_null_and_an_absent_nullable_column_is_null():
    found = T.conform(pa.table({k: v for k, v in ROW.items() if k != "n"} | {"value": [math.nan]}))
    assert found.to_pylist()[0]["value"] is None
    assert found.to_pylist()[0]["n"] is None


def test_dictionary_and_wider_types_fit_when_their_values_do():
    rows = pa.table(
        ROW | {"ticker": pa.array(["A"]).dictionary_encode(), "n": pa.array([3.0]), "session": pa.array([dt.datetime(2020, 1, 2)])}
    )
    assert T.conform(rows).to_pylist()[0]["n"] == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": [1], "b": [2]}, 'unknown: "b", "extra"'),
        ({"ticker": [None]}, 'column "ticker": expected no null, got 1 (first in row 1)'),
        ({"n": [3.5]}, 'column "n": expected int64, got double (3.5 in row 1)'),
        ({"horizon_sessions": [70_000]}, 'column "horizon_sessions": expected int16, got int64 (70000 in row 1)'),
        ({"value": ["dear"]}, 'column "value": expected double, got string ("dear" in row 1)'),
        ({"session": [True]}, 'column "session": expected date32[day], got bool'),
    ],
)
def test_conform_refuses_with_the_column_and_the_fact(change, message):
    values = ROW | change
    columns = {k: pa.array(v, pa.string()) if v == [None] else v for k, v in values.items()}
    mend = "; declare what is new in trader_pipeline/schema, map or fill the rest"
    with pytest.raises(SchemaError, match=f"^{re.escape(f'core.things: {message}{mend}')}$"):
        T.conform(pa.table(columns))


def test_one_refusal_names_every_column_the_vendor_and_the_first_value_that_does_not_fit():
    rows = {"session": [None, *[dt.date(2020, 1, 2)] * 99], "value": [*["1.5"] * 67, "n/a", *["-"] * 32], "n": [1] * 100, "adj": [1] * 100}
    with pytest.raises(SchemaError) as refused:
        T.conform(pa.table(rows), source="yahoo")
    assert str(refused.value) == (
        'core.things (yahoo): column "session": expected no null, got 1 (first in row 1); '
        'column "value": expected double, got string ("n/a" in row 68); '
        'missing: "ticker", "horizon_sessions"; unknown: "adj"; declare what is new in trader_pipeline/schema, map or fill the rest'
    )


def test_sorted_sorts_by_key_and_names_the_first_repeat():
    days = [dt.date(2020, 1, 3), dt.date(2020, 1, 2), dt.date(2020, 1, 2)]
    rows = pa.table({"ticker": ["B", "B", "A"], "session": days})
    assert T.sorted(rows).to_pylist() == [
        {"ticker": "A", "session": days[1]},
        {"ticker": "B", "session": days[1]},
        {"ticker": "B", "session": days[0]},
    ]
    twice = pa.concat_tables([rows, rows.slice(1, 1)])
    with pytest.raises(SchemaError, match=r"core.things: 1 rows repeat a key, first ticker=B, session=2020-01-02; drop one of each"):
        T.sorted(twice)
    assert T.sorted(T.empty()).num_rows == 0


def test_the_registry_holds_together():
    names = [table.full_name for table in TABLES]
    assert len(set(names)) == len(names)
    for table in TABLES:
        columns = [column.name for column in table.columns]
        assert len(set(columns)) == len(columns), table.full_name
        assert set(table.key) <= set(columns), table.full_name
        assert not any(column.nullable for column in table.columns if column.name in table.key), f"{table.full_name}: nulls are unequal"
        assert table.description.endswith("."), table.full_name
        for column in table.columns:
            assert column.unit, f"{table.full_name}.{column.name}"
            assert column.description.endswith("."), f"{table.full_name}.{column.name}"


def test_constructors_give_units():
    assert (flag("a", ".").unit, day("a", ".").unit, instant("a", ".").unit) == ("-", "date", "UTC")
    assert instant("a", ".").dtype == pa.timestamp("us", tz="UTC")
