import datetime as dt

import pytest

from trader_pipeline.bench import quality_facts, quality_payouts
from trader_pipeline.bench.quality_mutations import KINDS, Tally, measure
from trader_pipeline.checks import CHECKS

DAY = dt.date(2018, 3, 15)
FEW = 60
EVERY = (*KINDS, *quality_facts.KINDS, *quality_payouts.KINDS)


@pytest.fixture(scope="module")
def figures():
    return measure(FEW)


def test_every_kind_names_a_rule_and_its_size():
    rules = {rule.name for rule in CHECKS}
    assert {kind.rule for kind in EVERY} <= rules
    assert all(kind.size for kind in EVERY)
    names = [kind.name for kind in EVERY]
    assert len(set(names)) == len(names)


def test_so_many_faults_of_each_kind_are_made(figures):
    assert {kind["mutations"] for kind in figures["mutation_kinds"].values()} == {FEW}


@pytest.mark.parametrize("rule", sorted({kind.rule for kind in EVERY}))
def test_rules_find_what_they_are_there_for_and_little_else(figures, rule):
    # 60 faults: one that is missed is 1.7 %; the bench command measures 1,000
    assert figures["mutations"][rule]["recall"] >= 0.93
    assert figures["mutations"][rule]["precision"] >= 0.93


def test_the_same_seed_gives_the_same_figures():
    assert measure(40, only=("outlier_returns",)) == measure(40, only=("outlier_returns",))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([("A", DAY, DAY)], (1, 1, 0)),
        ([], (0, 0, 0)),
        ([("B", DAY, DAY)], (0, 0, 1)),  # another ticker
        ([("A", DAY + dt.timedelta(days=4), DAY + dt.timedelta(days=4))], (0, 1, 0)),  # a consequence, but not the fault itself
        ([("A", DAY - dt.timedelta(days=5), DAY)], (1, 0, 1)),  # found, and more than was there
        ([("C", DAY, DAY)], (0, 0, 0)),  # said of the unharmed data too
    ],
)
def test_what_counts_as_found_and_as_right(said, expected):
    tally = Tally()
    tally.add({"A": (DAY, DAY)}, said, {("C", DAY, DAY)})
    assert (tally.found, tally.right, tally.wrong) == expected
    assert tally.made == 1
