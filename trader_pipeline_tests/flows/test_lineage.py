"""What is declared is true: where one raw column changes, exactly the columns change that are declared to come from it."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from trader_pipeline.features import FEATURES
from trader_pipeline.features.build import build_panel
from trader_pipeline.flows.lineage import LINEAGE, NAMED
from trader_pipeline.flows.standardize_core import Known, core_rows
from trader_pipeline.schema import core
from trader_pipeline.sources.fmp_bars import FMP_BARS_FEED
from trader_pipeline.sources.own_files import OWN
from trader_pipeline.sources.sample import SAMPLE
from trader_pipeline.sources.simulated import SIMULATED
from trader_pipeline.sources.tiingo import TIINGO
from trader_pipeline.sources.yahoo import YAHOO
from trader_pipeline.standardize.symbol_changes import SymbolChange
from trader_pipeline.standardize.symbols import Symbols
from trader_pipeline_tests.features.markets import market, random_core

RENAMED_ON = dt.date(2025, 1, 2)
FIRST, SECOND = dt.datetime(2024, 2, 1, tzinfo=dt.UTC), dt.datetime(2024, 3, 1, tzinfo=dt.UTC)
DAYS = [dt.date(2024, 1, day) for day in (2, 3, 4, 5, 8, 9, 10)]
LOADED = [(0, FIRST), (2, FIRST), (3, FIRST), (4, FIRST), (5, FIRST), (6, FIRST), (0, SECOND), (1, SECOND)]
"""Which session was fetched when: the second fetch corrects the first session and fills a hole."""

TEXTS = {"currency": "USD", "role": "stock", "exchange": "XNYS"}
OTHER_TEXTS = {"USD": "GBp", "XNYS": "XLON", "split": "dividend", "AAA": "AAA.L"}
PRICES = {"raw.yahoo_bars": ("Open", "High", "Low", "Close")}
FEEDS = (SAMPLE, OWN, SIMULATED, YAHOO, FMP_BARS_FEED, TIINGO)
ACTIONS = {
    "raw.sample_actions": [(0, FIRST, {"kind": "split"}), (1, SECOND, {"kind": "split"})],
    "raw.fmp_splits": [(0, FIRST, {"denominator": 1.0}), (1, SECOND, {"denominator": 1.0})],
    "raw.fmp_dividends": [(2, FIRST, {}), (1, SECOND, {})],
    "raw.sample_tickers": [(0, FIRST, {})],
    "raw.tiingo_tickers": [(0, FIRST, {})],
}
SPLITS, PAYOUTS = ("Stock Splits", "split_ratio", "splitFactor"), ("Dividends", "dividend", "divCash")
IN_BARS = dict.fromkeys(SPLITS, (0,)) | dict.fromkeys(PAYOUTS, (1, 2))
"""Of which sessions a column of bars tells an action."""


def rows_of(table):
    """Return a few rows with a value of its own in every cell that is a number."""
    bars = [(place, at, {}) for place, at in LOADED] if table.name.endswith("_bars") else []
    rows = []
    for number, (place, at, given) in enumerate(ACTIONS.get(table.full_name, bars)):
        row = {}
        for position, column in enumerate(table.columns):
            name = column.name
            if column.dtype == pa.float64():
                value = 10.0 + number + position / 100
                if name in IN_BARS and table.name.endswith("_bars"):
                    value = 2.0 if place in IN_BARS[name] else 0.0
            elif pa.types.is_date(column.dtype):
                value = DAYS[place]
            elif pa.types.is_timestamp(column.dtype):
                value = at
            elif pa.types.is_integer(column.dtype):
                value = 0
            else:
                value = "AAA" if name == "ticker" else TEXTS.get(name, name)
            row[name] = value
        alone = PRICES.get(table.full_name, ())
        row |= {name: None for name in alone if place > 2 and name != alone[place - 3]}
        rows.append(row | given)
    return table.conform(pa.Table.from_pylist(rows, schema=table.arrow_schema))


def swapped(values):
    first, second = sorted(set(values))[:2] if len(set(values)) > 1 else (values[0], values[0])
    return [second if value == first else first if value == second else value for value in values]


def others(rows, name):
    """Yield other values for one column: numbers grow, lonely prices vanish, days and moments are moved and swapped."""
    values, kind = rows[name].to_pylist(), rows.schema.field(name).type
    if not values:
        return
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        yield [value + dt.timedelta(days=-364 if pa.types.is_date(kind) else 1000) for value in values]
        yield swapped(values)
    elif pa.types.is_string(kind):
        yield [OTHER_TEXTS.get(value, f"{value}x") for value in values]
    else:
        yield [value if value is None else value * 1.5 if pa.types.is_floating(kind) else value + 1 for value in values]
        alone = next((names for names in PRICES.values() if name in names and set(names) <= set(rows.column_names)), ())
        if alone:
            lonely = pc.equal(sum(pc.cast(rows[price].is_valid(), pa.int8()).to_numpy() for price in alone), 1).to_pylist()
            yield [None if only else value for only, value in zip(lonely, values, strict=True)]


def experiments(feed):
    """Yield what is changed (tables, column) and the raw rows after it; at first nothing. A symbol joins tables, so it changes in all."""
    raw = {table.full_name: rows_of(table) for table in feed.raw_tables}
    yield (), "", raw
    for table in feed.raw_tables:
        for name in raw[table.full_name].column_names:
            tables = [t for t, rows in raw.items() if name in rows.column_names] if name == "ticker" else [table.full_name]
            values = {t: list(others(raw[t], name)) for t in tables}
            for step in range(max(map(len, values.values()))):
                yield tables, name, raw | {t: with_column(raw[t], name, steps[step]) for t, steps in values.items() if steps}


def with_column(rows, name, values):
    position, field = rows.schema.get_field_index(name), rows.schema.field(name)
    return rows.set_column(position, field, pa.chunked_array([pa.array(values, field.type)]))


def standardized(feed, raws):
    """Return the core rows of each set of raw rows, standardized at once: each has a symbol of its own, which is renamed later."""
    labels = [f"K{number:03d}" for number in range(len(raws))]
    joined = {table: pa.concat_tables([labelled(raw[table], label) for label, raw in zip(labels, raws, strict=True)]) for table in raws[0]}
    renames = [SymbolChange(symbol=label, changed_on=RENAMED_ON, new_symbol=f"{label}N", source="fmp") for label in labels]
    nothing = pa.schema([("ticker", pa.string()), ("source", pa.string()), ("fetched_at", pa.timestamp("us", "UTC"))]).empty_table()
    found = core_rows({feed: joined}, Known(None, Symbols(renames), nothing))
    tables = [table for table in (core.DAILY_BARS, core.CORPORATE_ACTIONS) if table in found]
    return [{table: labelled_so(found[table], label) for table in tables} for label in labels]


def labelled(rows, label):
    if "ticker" not in rows.column_names:
        return rows
    return with_column(rows, "ticker", pc.replace_substring(rows["ticker"], "AAA", label).to_pylist())


def labelled_so(rows, label):
    rows = rows.filter(pc.starts_with(rows["ticker"], label))
    return with_column(rows, "ticker", pc.replace_substring(rows["ticker"], label, "").to_pylist())


def differing(before, after):
    """Return the columns that hold other values, whatever the order of the rows."""
    return {
        name for name in before.column_names if sorted(map(repr, before[name].to_pylist())) != sorted(map(repr, after[name].to_pylist()))
    }


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.source)
def test_a_raw_column_changes_what_is_declared_to_come_from_it_and_nothing_else(feed):
    changed, names, raws = zip(*experiments(feed), strict=True)
    before, *after = standardized(feed, raws)
    assert set(before[core.DAILY_BARS]["known_at_basis"].to_pylist()) == {"assumed", "observed"}
    found = {}
    for tables, name, made in zip(changed[1:], names[1:], after, strict=True):
        for ours, rows in made.items():
            found.setdefault((*tables, name, ours), set()).update(differing(before[ours], rows))
    wrong = {}
    for (*tables, name, ours), columns in found.items():
        declared = {c.name for c in ours.columns if any(name in LINEAGE[ours].origins(c.name).get(table, ()) for table in tables)}
        if columns != declared:
            wrong[f"{tables} {name} -> {ours.full_name}"] = f"not declared: {columns - declared}; unchanged: {declared - columns}"
    assert not wrong


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume_shares", "close_usd"])
def test_a_column_of_bars_changes_the_features_that_are_declared_to_come_from_it(name):
    tables, days = random_core(620)
    accepted = tables.accepted_bars
    generator, ticker = np.random.default_rng(1), np.unique(accepted["ticker"].to_numpy(), return_inverse=True)[1]
    noise = np.exp(0.1 * generator.standard_normal(accepted.num_rows) + 2 * generator.standard_normal(15)[ticker])
    moved = accepted.set_column(accepted.schema.get_field_index(name), name, pa.array(accepted[name].to_numpy() * noise))
    before, after = (build_panel(market(replace(tables, accepted_bars=bars), days), FEATURES) for bars in (accepted, moved))
    lineage = next(lineage for table, lineage in LINEAGE.items() if table.full_name == "features.panel")
    declared = {c.name for c in lineage.table.columns if (core.ACCEPTED_BARS, name) in lineage.deps(c.name, NAMED)}
    assert {c for c in before.column_names if not before[c].equals(after[c])} == declared
