"""Whatever row comes into whatever table between two runs: the panel has the bits of one that is made as a whole."""

from dataclasses import replace

import pyarrow as pa
import pytest

from trader_pipeline.flows.build_features import build_features
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema import core
from trader_pipeline_tests.features import markets
from trader_pipeline_tests.flows.test_panel_grows import COUNT, made, made_at_once, moment


@pytest.fixture(scope="module")
def market():
    return markets.random_core(COUNT)


def changed(tables, days, name):
    """The tables with what comes after the session COUNT - 3, and whether older rows of the panel change with it."""
    after = days[COUNT - 1].item()
    if name == "a membership that is to end":
        rows = [row | ({"valid_to": after} if row["ticker"] == "T01" else {}) for row in tables.universe.to_pylist()]
        return replace(tables, universe=pa.Table.from_pylist(rows, schema=core.UNIVERSE.arrow_schema)), False
    if name == "a sector that is to begin":
        rows = [*tables.sectors.to_pylist(), {"ticker": "T01", "valid_from": after, "valid_to": None, "sector": "a new one"}]
        return replace(tables, sectors=pa.Table.from_pylist(rows, schema=core.SECTORS.arrow_schema)), False
    if name == "quotes of an older session":
        row = {**tables.option_quotes.slice(0, 1).to_pylist()[0], "strike": 101.5}
        return replace(tables, option_quotes=pa.concat_tables([tables.option_quotes, markets.quotes([row])])), True
    bars = markets.bars(["AAA"], days[COUNT - 2 :], close=[[10.0, 10.5]])
    row = tables.ticker_map.to_pylist()[-1] | {"ticker": "AAA", "symbol": "AAA", "issuer_id": "AAA"}
    row["role"] = "benchmark" if name == "another benchmark" else "stock"
    listed = pa.concat_tables([tables.ticker_map, core.TICKER_MAP.conform(pa.Table.from_pylist([row]))])
    more = replace(tables, accepted_bars=pa.concat_tables([tables.accepted_bars, bars]), ticker_map=listed)
    return more, name == "another benchmark"


@pytest.mark.parametrize(
    "name",
    [
        "a membership that is to end",
        "a sector that is to begin",
        "quotes of an older session",
        "another benchmark",
        "a new ticker",
    ],
)
def test_what_comes_into_a_table_gives_the_bits_of_a_panel_made_at_once(tmp_path, market, name):
    tables, days = market
    more, anew = changed(tables, days, name)
    lake = Lake(tmp_path / "lake", "own")
    markets.publish(lake, tables)
    build_features(lake, as_of=moment(days, COUNT - 3), run_id="1")
    lake.publish(*(Change.replace(table, getattr(more, field)) for field, table in markets.STORED.items()))
    assert build_features(lake, as_of=moment(days, COUNT - 1), run_id="2").added == (0 if anew else 2)
    assert made(lake) == made_at_once(tmp_path, more, moment(days, COUNT - 1))
