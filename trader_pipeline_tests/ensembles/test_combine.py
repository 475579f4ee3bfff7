import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from trader_pipeline.ensembles.combine import FORECAST_COLUMNS, combine
from trader_pipeline.ensembles.weights import equal_weights

DAY = dt.date(2020, 2, 7)


def rows(model, scores, *, mean=0.0, width=1.0, tickers=("A", "B", "C"), horizon=5, day=DAY):
    n = len(scores)
    levels = np.array([-1.6, -0.7, 0.0, 0.7, 1.6]) * width + mean
    return pa.table(
        {
            "fold": pa.array([0] * n, pa.int16()),
            "model": [model] * n,
            "ticker": list(tickers[:n]),
            "session": pa.array([day] * n, pa.date32()),
            "horizon_sessions": pa.array([horizon] * n, pa.int16()),
            "score": pa.array(scores, pa.float64()),
            "scaled_mean": pa.array([mean] * n, pa.float64()),
            **{name: pa.array([level] * n, pa.float64()) for name, level in zip(FORECAST_COLUMNS[2:], levels, strict=True)},
        }
    )


def test_members_count_the_same_however_loud_they_are():
    # (-1, 0, 1) standardizes to (-1.2247, 0, 1.2247); the louder member says the same ten times as large, reversed for A and C
    both = combine(pa.concat_tables([rows("quiet", [-1.0, 0.0, 1.0]), rows("loud", [10.0, 0.0, -10.0])]), equal_weights(["quiet", "loud"]))
    assert both["score"].to_pylist() == pytest.approx([0, 0, 0])
    assert both["disagreement"].to_pylist() == pytest.approx([1.5**0.5, 0, 1.5**0.5])
    assert both["members"].to_pylist() == [2, 2, 2]
    assert both["ticker"].to_pylist() == ["A", "B", "C"]


def test_quantiles_are_averaged_level_by_level_and_stay_in_order():
    members = pa.concat_tables([rows("a", [1.0, 2.0, 3.0], mean=1.0, width=1.0), rows("b", [1.0, 2.0, 3.0], mean=0.0, width=3.0)])
    row = combine(members, equal_weights(["a", "b"])).to_pylist()[0]
    assert row["scaled_mean"] == pytest.approx(0.5)
    assert [row[name] for name in FORECAST_COLUMNS[2:]] == pytest.approx([-2.7, -0.9, 0.5, 1.9, 3.7])


def test_a_constant_member_adds_no_order_and_a_null_row_is_left_out():
    members = pa.concat_tables([rows("a", [1.0, 2.0, 3.0]), rows("flat", [5.0, 5.0, 5.0]), rows("holes", [None, 0.0, 1.0])])
    result = combine(members, equal_weights(["a", "flat", "holes"]))
    assert result["members"].to_pylist() == [2, 3, 3]
    assert result["score"].to_pylist() == pytest.approx([-(1.5**0.5) / 2, -1 / 3, (1.5**0.5 + 1) / 3])


def test_sessions_and_horizons_are_standardized_apart():
    other = dt.date(2020, 2, 6)
    members = pa.concat_tables(
        [rows("a", [1.0, 2.0, 3.0]), rows("a", [30.0, 20.0, 10.0], day=other), rows("a", [7.0, 9.0, 8.0], horizon=60)]
    )
    result = combine(members, {"a": 1.0})
    up = 1.5**0.5
    assert result["horizon_sessions"].to_pylist() == [5] * 6 + [60] * 3
    assert result["session"].to_pylist() == [other] * 3 + [DAY] * 6
    assert result["score"].to_pylist() == pytest.approx([up, 0, -up, -up, 0, up, -up, up, 0])


def test_no_rows_combine_to_no_rows():
    assert combine(rows("a", [1.0]).slice(0, 0), {"a": 1.0}).num_rows == 0


def test_equal_weights_sum_to_one():
    assert equal_weights(["b", "a", "a"]) == {"a": 0.5, "b": 0.5}
