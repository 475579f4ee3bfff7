import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from trader_pipeline.features.market import FACTORS
from trader_pipeline.flows.build_features import read_market
from trader_pipeline.flows.factor_agreement import PUBLISHED, factor_agreement
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema import core
from trader_pipeline_tests.features import markets

AS_OF = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
COUNT = 620


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    tables, days = markets.random_core(COUNT)
    lake = Lake(tmp_path_factory.mktemp("factors") / "lake", "own")
    markets.publish(lake, tables)
    return lake, days


def published(days, returns, known_at):
    rows = [
        {
            "factor": factor,
            "session": day,
            "known_at": known_at,
            "known_at_basis": "assumed",
            "source": "french",
            "value": float(value),
        }
        for factor, series in returns.items()
        for day, value in zip(days.tolist(), series, strict=True)
        if np.isfinite(value)
    ]
    return core.FACTOR_RETURNS.conform(pa.Table.from_pylist(rows, schema=core.FACTOR_RETURNS.arrow_schema))


def test_factors_are_held_against_the_published_ones_on_the_sessions_that_both_have(lake):
    lake, days = lake
    ours = read_market(lake.snapshot(), AS_OF).factor_returns
    generator = np.random.default_rng(2)
    size, value = ours[FACTORS.index("size")], ours[FACTORS.index("value")]
    theirs = {
        "size": 2 * size + 0.001,
        "value": -value,
        "market_excess": generator.standard_normal(COUNT),
        "momentum": np.full(COUNT, 0.001),
        "profitability": np.where(np.arange(COUNT) < 50, 0.01, np.nan),
    }
    lake.publish(Change.replace(core.FACTOR_RETURNS, published(days, theirs, dt.datetime(2029, 1, 1, tzinfo=dt.UTC))))
    found = {row["factor"]: row for row in factor_agreement(lake.snapshot(), AS_OF)}
    assert {name: row["published"] for name, row in found.items()} == PUBLISHED
    assert found["size"]["correlation"] == pytest.approx(1.0)
    assert found["size"]["sessions"] == np.isfinite(size).sum()
    assert found["value"]["correlation"] == pytest.approx(-1.0)
    assert abs(found["market"]["correlation"]) < 0.15
    assert found["momentum"]["correlation"] is None
    assert (found["quality"]["sessions"], found["quality"]["correlation"]) == (np.isfinite(ours[-1, :50]).sum(), None)


def test_published_factors_not_yet_known_are_ignored(lake):
    lake, days = lake
    theirs = published(days, {"size": np.arange(COUNT) / 1e5}, AS_OF + dt.timedelta(days=1))
    lake.publish(Change.replace(core.FACTOR_RETURNS, theirs))
    assert {row["sessions"] for row in factor_agreement(lake.snapshot(), AS_OF)} == {0}
