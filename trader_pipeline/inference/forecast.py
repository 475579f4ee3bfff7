"""What a model's members say of one session."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trader_pipeline import panel
from trader_pipeline.models.forecast import Forecast
from trader_pipeline.models.member import Member
from trader_pipeline.models.novelty import Novelty
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.outputs import OUT_OF_FOLD
from trader_pipeline.schema.quantiles import QUANTILE_NAMES

LIVE_FOLD = -1
"""Stands in the column `fold` of a forecast that belongs to no fold."""

Floats = npt.NDArray[np.float64]


def forecast_last_session(members: Sequence[Member], features: pa.Table, sectors: Mapping[str, str]) -> pa.Table:
    """Return every member's uncalibrated forecast of the newest session in `features`, in the columns of predictions.out_of_fold.

    `features` holds rows of features.panel up to that session and none after it; one row a member, ticker and horizon
    comes back for each ticker that has a row on the session. `model_id` is left out.
    """
    grid = panel.Grid.of(features)
    listed_N = panel.present(features, grid)[:, -1]
    return pa.concat_tables([_rows(member.name, _newest(member, features, grid, sectors), grid, listed_N) for member in members])


def _newest(member: Member, features: pa.Table, grid: panel.Grid, sectors: Mapping[str, str]) -> Forecast:
    x_NTF, grid = context_of(member, features, grid)
    return member.predict(x_NTF, grid, sectors, newest=1)


def context_of(member: Member, features: pa.Table, grid: panel.Grid) -> tuple[npt.NDArray[np.float32], panel.Grid]:
    """Return x_NTF of the member's features and the grid, over as many of the newest sessions as the member looks back."""
    newest = panel.Grid(grid.tickers, grid.sessions[-member.context_sessions :])
    return feature_array(features, newest, member.features), newest


def novelty_of_last_session(novelty: Novelty, features: pa.Table) -> dict[str, float]:
    """Return each ticker's share of training rows that lie nearer to the training data, 0-1; NaN where no feature is known."""
    grid = panel.Grid.of(features)
    listed_N = panel.present(features, grid)[:, -1]
    newest = panel.Grid(grid.tickers, grid.sessions[-1:])
    share_N = novelty.percentile(feature_array(features, newest, novelty.features)[:, -1])
    return {ticker: float(share) for ticker, share, listed in zip(grid.tickers, share_N, listed_N, strict=True) if listed}


def feature_array(features: pa.Table, grid: panel.Grid, names: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return x_NTF float32, NaN where there is no value."""
    columns = panel.dense_columns(features, grid, names)
    return np.stack([columns[name] for name in names], axis=-1).astype(np.float32)


def _rows(model: str, forecast: Forecast, grid: panel.Grid, listed_N: npt.NDArray[np.bool_]) -> pa.Table:
    tickers = [ticker for ticker, listed in zip(grid.tickers, listed_N, strict=True) if listed]
    session = grid.sessions[-1].item()
    pieces = []
    for h, horizon in enumerate(HORIZONS_SESSIONS):
        columns = {
            "fold": pa.array([LIVE_FOLD] * len(tickers), pa.int16()),
            "model": [model] * len(tickers),
            "ticker": tickers,
            "session": pa.array([session] * len(tickers), pa.date32()),
            "horizon_sessions": pa.array([horizon] * len(tickers), pa.int16()),
            "score": forecast.score_TNH[-1, listed_N, h].astype(np.float64),
            "scaled_mean": forecast.scaled_mean_TNH[-1, listed_N, h].astype(np.float64),
        }
        for q, name in enumerate(QUANTILE_NAMES):
            columns[f"scaled_{name}"] = forecast.scaled_quantiles_TNHQ[-1, listed_N, h, q].astype(np.float64)
        pieces.append(pa.table(columns))
    names = [column.name for column in OUT_OF_FOLD.columns if column.name != "model_id"]
    return pa.concat_tables(pieces).select(names)
