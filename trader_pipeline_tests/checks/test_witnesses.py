"""Other sources tell which side of a step without an action is at fault."""

import pytest

from trader_pipeline_tests.checks.build import DAYS, row
from trader_pipeline_tests.checks.vendor import PRICES, away, errors, judged, put, series, times

STEP = 70


def of(source, rows):
    return [row("A", r["session"], source=source, volume_shares=r["volume"], **{c: r[c] for c in PRICES}) for r in rows]


def on_news(rows):
    """Return `rows` with five times the volume at the step, so that it is not sure by itself."""
    return put(rows, STEP, volume=rows[STEP]["volume"] * 5)


def kept_out(result):
    return {source: sorted(r["session"] for r in result.quarantine.to_pylist() if r["source"] == source) for source in ("own", "tiingo")}


@pytest.mark.parametrize(
    ("moved", "wrong"), [(range(STEP), DAYS[:STEP]), (range(STEP, 120), DAYS[STEP:120])], ids=["before the step", "from it on"]
)
def test_the_side_that_disagrees_is_kept_out(moved, wrong):
    sound = series(120)
    result = judged("split_jump", on_news(times(sound, moved, 2.0)), vendor=False, others=of("tiingo", sound))
    assert errors(result) == [DAYS[STEP]]
    assert "tiingo does not step" in result.findings[0].message
    assert kept_out(result) == {"own": wrong, "tiingo": []}


@pytest.mark.parametrize("factor", [3.37, 0.6])
def test_a_second_source_proves_what_is_calm_alone(factor):
    sound = series(120)
    rows = times(sound, range(STEP, 120), factor)
    assert errors(judged("split_jump", rows, vendor=False)) == []
    assert errors(judged("split_jump", rows, vendor=False, others=of("tiingo", sound))) == [DAYS[STEP]]


def test_sources_that_step_alike_or_contradict_each_other_prove_nothing():
    sound = series(120)
    rows = on_news(times(sound, range(STEP), 2.0))
    for others in (of("tiingo", rows), of("tiingo", rows) + of("fmp", sound)):
        result = judged("split_jump", rows, vendor=False, others=others)
        assert (errors(result), away(result)) == ([], [])


@pytest.mark.parametrize("days", [1, 2])
def test_a_close_that_is_stale_for_days_is_no_witness(days):
    rows = on_news(times(series(120), range(STEP, 120), 0.5))
    stale = [r | dict.fromkeys(PRICES, rows[STEP - 1]["close"]) if STEP <= i < STEP + days else r for i, r in enumerate(rows)]
    result = judged("split_jump", rows, vendor=False, others=of("tiingo", stale))
    assert (errors(result), away(result)) == ([], [])


def test_nothing_stands_in_for_what_is_kept_out_before_a_step():
    rows = times(series(120), range(STEP, 120), 0.5)
    result = judged("split_jump", rows, vendor=False, others=of("tiingo", rows[: STEP - 1]))
    assert kept_out(result) == {"own": DAYS[:STEP], "tiingo": DAYS[: STEP - 1]}


def test_a_block_that_another_source_does_not_make_is_kept_out():
    sound = series(120)
    rows = on_news(times(sound, range(STEP, STEP + 5), 2.0))
    result = judged("split_jump", rows, vendor=False, others=of("tiingo", sound))
    assert kept_out(result) == {"own": DAYS[STEP : STEP + 5], "tiingo": []}
