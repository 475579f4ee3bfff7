"""What a member says: a score and a return distribution for every session, ticker and horizon.

Legend: T sessions, N tickers, H horizons (1, 5, 20, 60), Q quantile levels (5, 25, 50, 75, 95 %).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trader_pipeline.schema.quantiles import QUANTILES

Float32 = npt.NDArray[np.float32]
Flag = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Forecast:
    """Uncalibrated outputs, float32; NaN where the ticker has no row of features on the session.

    `score_TNH` predicts residual_rank (normal score), `scaled_mean_TNH` and `scaled_quantiles_TNHQ` predict scaled_return (sigmas).
    """

    score_TNH: Float32
    scaled_mean_TNH: Float32
    scaled_quantiles_TNHQ: Float32

    def sessions(self, first: int, end: int) -> "Forecast":
        """Return the sessions from position `first` up to, but without, `end`."""
        return Forecast(self.score_TNH[first:end], self.scaled_mean_TNH[first:end], self.scaled_quantiles_TNHQ[first:end])


def around_mean(score_NTH: Float32, scaled_mean_NTH: Float32, offsets_HQ: npt.NDArray[np.floating], present_NT: Flag) -> Forecast:
    """Return a forecast whose quantiles are the mean plus fixed offsets per horizon; rows that are not present become NaN."""
    hidden_NT1 = ~present_NT[:, :, None]
    score = np.where(hidden_NT1, np.float32(np.nan), score_NTH).astype(np.float32)
    mean = np.where(hidden_NT1, np.float32(np.nan), scaled_mean_NTH).astype(np.float32)
    quantiles_NTHQ = mean[..., None] + offsets_HQ.astype(np.float32)
    return Forecast(score.swapaxes(0, 1), mean.swapaxes(0, 1), quantiles_NTHQ.swapaxes(0, 1))


def residual_quantiles(actual_R: npt.NDArray[np.floating], predicted_R: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return the empirical quantiles [Q] of actual - predicted: offsets that make an interval of a point forecast."""
    return np.quantile(np.asarray(actual_R, np.float64) - np.asarray(predicted_R, np.float64), QUANTILES)


def present(x_NTF: Float32) -> Flag:
    """Return where a ticker has at least one feature on a session, bool [N, T]."""
    return np.asarray(np.isfinite(x_NTF).any(axis=2))
