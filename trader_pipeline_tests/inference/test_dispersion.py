from types import SimpleNamespace

import numpy as np
import pyarrow as pa

from trader_pipeline.inference.dispersion import flat_cause, flat_horizons

FLAT, TOLD = [0.25, 0.25, 0.25], [0.1, 0.2, 0.3]
USUAL = {(model, horizon): 0.1 for model in ("ridge", "trees") for horizon in (1, 5, 20, 60)}


def scores(model, values, horizon):
    n = len(values)
    return pa.table({"model": [model] * n, "horizon_sessions": pa.array([horizon] * n, pa.int16()), "score": values})


def test_a_horizon_is_flat_only_when_no_member_tells_tickers_apart():
    rows = [
        scores("ridge", FLAT, 1),
        scores("trees", FLAT, 1),
        scores("ridge", FLAT, 5),
        scores("trees", TOLD, 5),
        scores("ridge", TOLD, 20),
    ]
    assert flat_horizons(pa.concat_tables(rows), USUAL) == [1]
    assert flat_horizons(scores("ridge", [0.25], 1), USUAL) == [], "one ticker has no order"


def test_near_zero_is_beside_what_is_usual():
    """A spread of 0.0008 is a collapse of a member that usually spreads 0.1, and is usual for one that whispers."""
    whisper = scores("ridge", [0.250, 0.251, 0.252], 5)
    assert flat_horizons(whisper, USUAL) == [5]
    assert flat_horizons(whisper, {("ridge", 5): 0.001}) == []
    assert flat_horizons(whisper, {}) == []


def members(*names):
    return [SimpleNamespace(name=name, features=("a", "b", "c")) for name in names]


def test_the_cause_is_looked_for_in_the_features_first_then_in_training():
    varied = pa.table({"a": [1.0, 2.0], "b": [1.0, 3.0], "c": [None, 1.0]})
    constant = pa.table({"a": [1.0, 1.0], "b": [7.0, 7.0], "c": [0.0, np.nan]})
    said = flat_cause([5], USUAL, members("ridge"), constant)
    assert said.startswith("3 of 3 features are constant across tickers that session (a, b, c")
    assert "training collapsed or found nothing" in flat_cause([5], {}, members("ridge", "trees"), varied)
    assert "collapsed in the final fit" in flat_cause([5], USUAL, members("ridge", "trees"), varied)
