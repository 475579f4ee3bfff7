from pathlib import Path

from trader_pipeline.checks import CHECKS
from trader_pipeline.features import FEATURES
from trader_pipeline.flows.dictionary import (
    FEATURES_PAGE,
    PAGE,
    RULES_PAGE,
    data_dictionary,
    features_page,
    rules_page,
    settings_page,
)
from trader_pipeline.schema import TABLES
from trader_pipeline.schema.columns import number, text
from trader_pipeline.schema.dictionary import render
from trader_pipeline.schema.lineage import Lineage
from trader_pipeline.schema.table import Table


def test_a_table_is_rendered_with_its_key_units_and_nulls():
    table = Table(
        layer="core",
        name="things",
        description="Things | more.",
        key=("ticker",),
        version=3,
        columns=(text("ticker", "Symbol."), number("close_usd", "USD / share", "Close.")),
    )
    page = render([table])
    assert "### core.things\n\nThings | more.\n\nKey: `ticker`. Schema version 3, not split by year." in page
    assert "| `ticker` | text | - | no | Symbol. |\n| `close_usd` | float64 | USD / share | yes | Close. |" in page
    assert "| [core.things](#corethings) | ticker | Things \\| more. |" in page


def test_a_table_with_a_lineage_tells_where_its_columns_come_from():
    table = Table(layer="core", name="things", description="Things.", key=("ticker",), columns=(text("ticker", "Symbol."),))
    page = render([table], {table: Lineage(table=table, reads={"raw.things": {"ticker": "Symbol"}}, made={})})
    assert "| column | type | unit | null | meaning | from |\n|---|---|---|---|---|---|\n" in page
    assert "| `ticker` | text | - | no | Symbol. | raw.things: Symbol |" in page


def test_the_page_in_docs_is_what_the_code_says():
    assert PAGE.read_text() == data_dictionary(), "run `python -m trader_pipeline.flows.dictionary`"


def test_the_rules_in_docs_are_the_rules():
    assert RULES_PAGE.read_text() == rules_page(), "run `python -m trader_pipeline.flows.dictionary`"
    assert "| `staleness` | core.daily_bars | error | the whole table | yes | " in rules_page()
    assert all(rules_page().count(f"| `{rule.name}` |") == 1 for rule in CHECKS)


def test_the_features_in_docs_are_the_features():
    assert FEATURES_PAGE.read_text() == features_page(), "run `python -m trader_pipeline.flows.dictionary`"
    for feature in FEATURES:
        row = next(line for line in features_page().splitlines() if line.startswith(f"| `{feature.name}` |"))
        assert row.endswith(
            f" | {feature.unit} | {feature.lookback_sessions} | {feature.clock} | {', '.join(t.full_name for t in feature.inputs)} |"
        )


def test_every_table_and_feature_is_in_it():
    page = data_dictionary()
    assert all(f"### {table.full_name}\n" in page for table in TABLES)
    assert "### features.panel\n" in page
    assert all(f"| `{feature.name}` | float32 |" in page for feature in FEATURES)


def test_the_settings_page_names_variables_and_hides_nothing_but_secrets():
    rows = settings_page().splitlines()
    assert "| `TRADER_YAHOO__REQUESTS_PER_HOUR` | `1800` | Pace shared by all processes that use the same gate file. |" in rows
    assert "| `TRADER_HOME` | `~/.local/share/trader` | Everything that the project writes. |" in rows
    assert any(row.startswith("| `TRADER_WEBHOOK_URL` | unset |") and row.endswith("Secret. |") for row in rows)
    assert str(Path.home()) not in settings_page()
