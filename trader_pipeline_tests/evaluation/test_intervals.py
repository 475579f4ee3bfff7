import numpy as np
import pytest

from trader_pipeline import measures
from trader_pipeline.evaluation import intervals


def test_coverage_of_three_intervals_on_a_null_market_at_60_sessions():
    """Persistent feature, random-walk prices: the true IC is 0. Of nominal 95 % i.i.d. holds about 20, Newey-West 78, windows 93."""
    rng = np.random.default_rng(0)
    sessions, names, horizon, repeats = 540, 40, 60, 120
    hits = {"iid": 0, "newey_west": 0, "windows": 0}
    for _ in range(repeats):
        shocks = rng.standard_normal((sessions, names))
        feature = np.empty_like(shocks)
        feature[0] = shocks[0]
        for t in range(1, sessions):
            feature[t] = 0.98 * feature[t - 1] + (1 - 0.98**2) ** 0.5 * shocks[t]
        price = np.cumsum(rng.standard_normal((sessions + horizon, names)), axis=0)
        ic = measures.rank_ic(feature, price[horizon:] - price[:-horizon])
        hits["iid"] += abs(ic.mean()) < intervals.newey_west_half_width(ic, 0)
        hits["newey_west"] += abs(ic.mean()) < intervals.newey_west_half_width(ic, horizon)
        hits["windows"] += abs(ic.mean()) < measures.nonoverlapping_interval(ic, horizon).half_width
    assert 0.10 < hits["iid"] / repeats < 0.32
    assert 0.68 < hits["newey_west"] / repeats < 0.87
    assert 0.89 < hits["windows"] / repeats < 0.985


def test_newey_west_leaves_out_what_is_not_known():
    values = [1, 3, 2, 5, 4, 7, 6, 8, 5, 9]
    whole = intervals.newey_west_half_width(values, 2)
    assert whole / 1.959964 == pytest.approx(1.0198039027, rel=1e-6)  # statsmodels 0.14, OLS on a constant, HAC, maxlags=2
    assert intervals.newey_west_half_width([*values, np.nan], 2) == whole
    assert np.isnan(intervals.newey_west_half_width([1.0], 2))


def test_bootstrap_covers_where_an_iid_interval_does_not():
    """AR(1) with slope 0.7: the mean's error is sqrt((1 + 0.7) / (1 - 0.7)) = 2.4 times that of independent values."""
    rng = np.random.default_rng(1)
    held = iid = 0
    for seed in range(60):
        shocks = rng.standard_normal(600)
        values = [shocks[0] / (1 - 0.7**2) ** 0.5]
        for shock in shocks[1:]:
            values.append(0.7 * values[-1] + shock)
        held += abs(np.mean(values)) < intervals.bootstrap_half_width(values, draws=200, seed=seed)
        iid += abs(np.mean(values)) < intervals.newey_west_half_width(values, 0)
    assert held >= 50
    assert iid < 45


def test_too_little_has_no_bootstrap():
    assert np.isnan(intervals.bootstrap_half_width(np.arange(19.0)))
    assert intervals.block_length(np.ones(50)) == 1
