import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from trader_pipeline.inference.forecast import forecast_last_session, novelty_of_last_session
from trader_pipeline.models.forecast import around_mean, present
from trader_pipeline.models.novelty import Novelty
from trader_pipeline.schema.columns import HORIZONS_SESSIONS

FIRST, LAST = dt.date(2020, 2, 6), dt.date(2020, 2, 7)


class Echo:
    """Says the value of its first feature, times the horizon."""

    name = "echo"
    features = ("b", "a")
    context_sessions = 1

    def predict(self, features_NTF, grid, sectors, *, newest=None):
        assert newest == 1
        assert sectors == {"X": "Tech"}
        assert [str(day) for day in grid.sessions] == [str(FIRST), str(LAST)][-self.context_sessions :]
        score = features_NTF[:, :, :1] * np.array(HORIZONS_SESSIONS, np.float32)
        return around_mean(score, -score, np.tile([-2.0, -1.0, 0.0, 1.0, 2.0], (4, 1)), present(features_NTF))


def panel():
    return pa.table(
        {
            "ticker": ["X", "X", "Y", "GONE"],
            "session": pa.array([FIRST, LAST, LAST, FIRST], pa.date32()),
            "a": pa.array([9.0, 9.0, 9.0, 9.0], pa.float32()),
            "b": pa.array([1.0, 2.0, 3.0, 4.0], pa.float32()),
        }
    )


def test_only_the_last_session_and_only_who_traded_on_it():
    rows = forecast_last_session([Echo()], panel(), {"X": "Tech"}).to_pylist()
    assert {(row["ticker"], row["session"]) for row in rows} == {("X", LAST), ("Y", LAST)}
    said = {(row["ticker"], row["horizon_sessions"]): row for row in rows}
    assert said["X", 5]["score"] == 10
    assert said["Y", 60]["score"] == 180
    assert [said["X", 1][f"scaled_{q}"] for q in ("q05", "q50", "q95")] == [-4, -2, 0]


def test_a_member_is_shown_as_many_sessions_as_it_looks_back():
    member = Echo()
    member.context_sessions = 2
    assert forecast_last_session([member], panel(), {"X": "Tech"}).equals(forecast_last_session([Echo()], panel(), {"X": "Tech"}))


def test_novelty_is_the_share_of_training_rows_that_lie_nearer():
    learnt = Novelty.fit(np.linspace(-1, 1, 2001, dtype=np.float32)[:, None], ("b",))
    rows = pa.table({"ticker": ["X", "Y"], "session": pa.array([LAST, LAST], pa.date32()), "b": pa.array([0.5, 7.0], pa.float32())})
    share = novelty_of_last_session(learnt, rows)
    assert share["X"] == pytest.approx(0.5, abs=0.01)
    assert share["Y"] == 1


def scores(model, values, horizon):
    n = len(values)
    return pa.table({"model": [model] * n, "horizon_sessions": pa.array([horizon] * n, pa.int16()), "score": values})
