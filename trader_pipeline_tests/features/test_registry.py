import importlib
import inspect

import pyarrow as pa
import pytest

from trader_pipeline.features import FEATURES, PANEL, alpha
from trader_pipeline.features.alpha158 import ALPHAS
from trader_pipeline.features.clock import CLOCKS, DATED, clock_of
from trader_pipeline.features.feature import Feature
from trader_pipeline.schema import TABLES
from trader_pipeline.schema.core import ACCEPTED_BARS, CORPORATE_ACTIONS, FUNDAMENTALS, MACRO, SECTORS
from trader_pipeline.schema.raw import OWN_BARS

FAMILIES = (
    "momentum",
    "volatility",
    "volume",
    "residual",
    "valuation",
    "quality",
    "growth",
    "factors",
    "characteristics",
    "macro",
    "sentiment",
    "options",
)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_declared_feature_stands_in_its_familys_tuple(family):
    module = importlib.import_module(f"trader_pipeline.features.{family}")
    declared = [value for _, value in inspect.getmembers(module, lambda value: isinstance(value, Feature)) if value.family == family]
    assert {feature.name for feature in declared} == {feature.name for feature in module.FEATURES}
    assert [feature for feature in FEATURES if feature.family == family] == list(module.FEATURES)


def test_alpha158_is_whole_and_in_qlibs_order():
    assert [feature for feature in FEATURES if feature.family == "alpha"] == list(alpha.FEATURES)
    assert [feature.name for feature in alpha.FEATURES] == [declared.name for declared in ALPHAS]
    assert len(ALPHAS) == 158


def test_names_are_unique_and_are_the_panels_columns():
    names = [feature.name for feature in FEATURES]
    assert len(set(names)) == len(names)
    assert [column.name for column in PANEL.columns] == ["ticker", "session", *names]
    assert PANEL.full_name == "features.panel"
    assert PANEL.key == ("ticker", "session")


def test_price_and_volume_features_number_about_twenty_five_and_reach_from_a_day_to_a_year():
    plain = [f for f in FEATURES if f.family in ("momentum", "volatility", "volume")]
    assert len(plain) == 25
    assert min(f.lookback_sessions for f in plain) == 0
    assert max(f.lookback_sessions for f in plain) == 252


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_says_what_it_is(feature):
    assert feature.column.dtype == pa.float32()
    assert feature.column.nullable
    assert feature.unit
    assert feature.formula
    assert feature.description.endswith((".", "."))
    assert feature.lookback_sessions >= 0
    assert set(feature.inputs) <= set(TABLES)
    assert feature.clock
    assert f"Look-back: {feature.lookback_sessions} sessions" in feature.column.description


def test_a_clock_is_that_of_the_tables_read_those_of_facts_first():
    assert clock_of((SECTORS, ACCEPTED_BARS, CORPORATE_ACTIONS)) == "close + 30 min"
    assert clock_of((ACCEPTED_BARS, MACRO, FUNDAMENTALS)) == "release; filing accepted, else the day after it; close + 30 min"
    with pytest.raises(KeyError, match=OWN_BARS.full_name):
        clock_of((OWN_BARS,))


def test_every_clocked_table_is_one():
    clocked = {table.full_name: {column.name for column in table.columns} for table in TABLES}
    assert all("known_at" in clocked[name] for name in CLOCKS if name in clocked and name != "core.news_scores")
    assert not any("known_at" in clocked[name] for name in DATED)
