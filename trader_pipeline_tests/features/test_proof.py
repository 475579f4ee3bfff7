"""The proof itself: it finds what looks ahead, leaves alone what does not, and derives the real look-backs."""

import datetime as dt
import itertools
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from trader_pipeline import calendar
from trader_pipeline.features import FEATURES, macro
from trader_pipeline.features.stamps import too_early
from trader_pipeline.features.truncation import Proof, Tally, cut, differing, moments, proof_of, summed, told_with_session
from trader_pipeline_tests.features import markets

COUNT = 620
TODAY = COUNT - 15
SESSIONS = ("session", "observed_on")
GAPS = (0, *range(macro.DAILY, 0, -1), *range(macro.MONTHLY, macro.MONTHLY - 3, -1))
"""Sessions for which a daily or a monthly series may be silent, the likely ones first; a year has 250 to 254."""


@pytest.fixture(scope="module")
def world():
    tables, days = markets.random_core(COUNT)
    return tables, days, calendar.known_at_array("XNYS", days)


def leak(_, market):
    return market.prices.close / np.nanmax(market.prices.close, axis=1, keepdims=True)


def honest(_, market):
    return market.prices.close


def test_all_features_are_the_same_from_cut_and_from_scrambled_tables(world):
    proof = proof_of(FEATURES, *world)
    for tallies in (proof.truncated(COUNT - 20), proof.perturbed(COUNT - 20, np.random.default_rng(1))):
        assert {name for name, tally in tallies.items() if tally.differing} == set()
        assert min(tally.compared for tally in tallies.values()) > 0


def test_a_statistic_over_all_sessions_is_found_by_both(world):
    tables, days, known_at = world
    proof = Proof(tables=tables, sessions=days, known_at=known_at, computes={"leak": leak, "honest": honest})
    for tallies in (proof.truncated(400), proof.perturbed(400, np.random.default_rng(1))):
        assert tallies["leak"].differing > 0
        assert tallies["honest"] == Tally(tallies["leak"].compared, 0)


def test_a_value_of_a_ticker_that_is_not_listed_yet_is_no_row_of_the_panel(world):
    tables, days, known_at = world
    proof = Proof(tables=tables, sessions=days, known_at=known_at, computes={"ones": lambda _, market: np.ones(market.grid.shape)})
    listed = pc.sum(pc.less_equal(tables.accepted_bars["session"], days[200].item())).as_py()
    benchmark = 201
    assert proof.truncated(200)["ones"] == Tally(listed - benchmark, 0)


def lacking(tables, gaps):
    """Facts observed after the first and up to the second day of their gap are gone, so that the newest known one is an old one."""
    kept = {}
    for field in fields(tables):
        table = getattr(tables, field.name)
        for column, (after, until) in gaps.items():
            if column in table.column_names and field.name not in ("accepted_bars", "corporate_actions"):
                days = moments(table, column)
                table = table.filter(pa.array((days <= after) | (days > until)))
        kept[field.name] = table
    return replace(tables, **kept)


def markets_with_gaps(tables, days, lookback):
    """Yield markets until one lets the oldest fact that is still young enough matter: series silent early or of late, chains for a day."""
    edge = TODAY - lookback
    for gap, chains in itertools.product(GAPS, (0, 1)):
        for after in (edge, TODAY - gap) if gap <= lookback else ():
            yield lacking(tables, {"observed_on": (days[after], days[after + gap]), "session": (days[TODAY - chains], days[TODAY])})


OF_SESSIONS = [f for f in FEATURES if any(column.name in SESSIONS for table in f.inputs for column in table.columns)]


@pytest.fixture(scope="module")
def scrambled_beyond(world):
    """What changes at TODAY once all older than so many sessions is scrambled: all features of a look-back at once, each once."""

    @cache
    def tallies(lookback, sessions):
        return shortened([f for f in OF_SESSIONS if f.lookback_sessions == lookback], world, world[0], sessions)

    return tallies


def shortened(features, world, told, sessions):
    _, days, known_at = world
    return proof_of(features, told, days, known_at).shortened(TODAY, sessions, np.random.default_rng(2))


@pytest.mark.parametrize("feature", OF_SESSIONS, ids=lambda feature: feature.name)
def test_the_look_back_that_scrambling_derives_is_the_declared_one(feature, world, scrambled_beyond):
    tables, days, _ = world
    name, lookback = feature.name, feature.lookback_sessions
    assert scrambled_beyond(lookback, lookback)[name].differing == 0
    if not lookback or scrambled_beyond(lookback, lookback - 1)[name].differing:
        return
    gaps = markets_with_gaps(tables, days, lookback)
    enough = next((told for told in gaps if shortened([feature], world, told, lookback - 1)[name].differing), None)
    assert enough is not None, "declared look-back is too long"
    assert shortened([feature], world, enough, lookback)[name].differing == 0


def test_only_what_was_known_is_left_and_a_later_end_is_open(world):
    tables, days, known_at = world
    tables = replace(
        tables,
        sectors=pa.Table.from_pylist(
            [
                {"ticker": "A", "valid_from": days[0].item(), "valid_to": days[9].item(), "sector": "old"},
                {"ticker": "B", "valid_from": days[0].item(), "valid_to": days[3].item(), "sector": "gone"},
                {"ticker": "A", "valid_from": days[10].item(), "valid_to": None, "sector": "new"},
            ],
            schema=tables.sectors.schema,
        ),
    )
    known = cut(tables, days[5], known_at[5])
    assert max(known.accepted_bars["session"].to_pylist()) == days[5].item()
    assert max(known.macro["observed_on"].to_pylist()) == days[5].item()
    assert known.sectors["valid_to"].to_pylist() == [None, days[3].item()]
    assert known.ticker_map.equals(tables.ticker_map)


def late(tables, days, at):
    """The bars of one session were corrected a month later."""
    bars = tables.accepted_bars
    where = pc.equal(bars["session"], days[at].item())
    corrected = pc.if_else(where, markets.known([days[at + 21]])[0], bars["known_at"])
    return replace(tables, accepted_bars=bars.set_column(bars.column_names.index("known_at"), bars.schema.field("known_at"), corrected))


def test_a_corrected_bar_is_a_difference_unless_it_counts_as_known_with_its_session(world):
    tables, days, known_at = world
    tables = late(tables, days, 300)
    strict = proof_of(FEATURES[:1], tables, days, known_at).truncated(305)
    assert strict[FEATURES[0].name].differing > 0
    told = told_with_session(tables, days, known_at)
    assert proof_of(FEATURES[:1], told, days, known_at).truncated(305)[FEATURES[0].name].differing == 0
    assert told.macro.equals(tables.macro)


def test_a_stamp_before_the_fact_is_counted(world):
    tables, days, known_at = world
    assert too_early(tables, days, known_at) == {}
    bars, facts = tables.accepted_bars, tables.characteristics
    minute, day = dt.timedelta(minutes=1), dt.timedelta(days=1)

    def moved(table, by):
        place = table.column_names.index("known_at")
        return table.set_column(place, table.schema.field(place), pc.subtract(table["known_at"], by).cast(table.schema.field(place).type))

    early = replace(tables, accepted_bars=moved(bars, minute), characteristics=moved(facts, day))
    assert too_early(early, days, known_at) == {"accepted_bars": bars.num_rows, "characteristics": facts.num_rows}


def test_bits_are_compared_and_all_nulls_are_one():
    a = np.array([[0.0, 1.0, np.nan, np.nan]])
    assert differing(a, np.array([[0.0, 1.0, np.nan, -np.nan]])) == 0
    assert differing(a, np.array([[-0.0, np.nextafter(1.0, 2.0), np.nan, 0.0]])) == 3
    assert summed([{"a": Tally(2, 1)}, {"a": Tally(3, 0), "b": Tally(1, 1)}]) == {"a": Tally(5, 1), "b": Tally(1, 1)}
