"""Forecasts beside the weight that training.ensemble_weights gives each: the same for out-of-fold rows and for a day's."""

import datetime as dt
from collections.abc import Mapping

import pyarrow as pa

_OF_SESSION = ("fold", "horizon_sessions", "model", "regime")


def weighted(forecasts: pa.Table, weights: pa.Table, regime_of: Mapping[dt.date, str]) -> pa.Table:
    """Return rows of predictions.out_of_fold's columns with a column `weight`: that of their fold, horizon, member and session's regime.

    Rows without a weight are left out. `weights` are one model's rows of training.ensemble_weights.
    """
    sessions = pa.table({"session": pa.array(regime_of, pa.date32()), "regime": pa.array(regime_of.values(), pa.string())})
    return forecasts.join(sessions, "session", join_type="inner").join(
        weights.select([*_OF_SESSION, "weight"]), list(_OF_SESSION), join_type="inner"
    )
