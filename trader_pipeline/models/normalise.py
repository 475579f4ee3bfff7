"""Features on one scale, with statistics of the training window alone.

Each feature is winsorised, then standardised; where the training rows hold nulls a 0/1 column tells "was null" from "was average".
Features that are null in the same training rows share one, that of the first: windows of a family fill together.
Legend: N tickers, T sessions, F features, R rows, P prepared columns.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trader_pipeline.errors import TrainingError

Float32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

TAIL = 0.005
"""Share of training rows beyond each winsorising bound."""
EPSILON = 1e-8
"""Smallest denominator."""
_SAMPLE_ROWS = 50_000


@dataclass(frozen=True, eq=False)
class Normaliser:
    """Bounds, mean and standard deviation per feature [F], and which features get a null column."""

    features: tuple[str, ...]
    low_F: Floats
    high_F: Floats
    mean_F: Floats
    std_F: Floats
    has_null_F: npt.NDArray[np.bool_]

    @classmethod
    def fit(cls, rows_RF: Float32, features: tuple[str, ...]) -> "Normaliser":
        """Learn from training rows; NaN is null. A feature without any value or without variation is scaled to 0.

        Raises `TrainingError` naming features that hold infinities, or when no feature varies at all.
        """
        is_infinite: list[bool] = np.asarray(np.isinf(rows_RF).any(axis=0)).tolist()
        if infinite := [name for name, bad in zip(features, is_infinite, strict=True) if bad]:
            raise TrainingError(
                f"features {infinite} hold infinities; mend their formulas, a division by 0 perhaps, and rebuild features.panel"
            )
        stride = max(1, len(rows_RF) // _SAMPLE_ROWS)
        statistics = [_bounds(rows_RF[::stride, f]) for f in range(len(features))]
        low, high, mean, std = (np.array(values, np.float64) for values in zip(*statistics, strict=True))
        if not (std > 0).any():
            raise TrainingError(f"none of the features {list(features)} varies in the training window; check features.panel")
        return cls(features, low, high, mean, std, _first_of_each_pattern(rows_RF))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the prepared columns, P of them."""
        has_null: list[bool] = self.has_null_F.tolist()
        return (*self.features, *(f"{name} is null" for name, has in zip(self.features, has_null, strict=True) if has))

    def standardised(self, x: Float32) -> Float32:
        """Return z of the same shape [..., F]; null becomes 0, the training mean."""
        inside = np.clip(x, self.low_F.astype(np.float32), self.high_F.astype(np.float32))
        scale = np.where(self.std_F > 0, 1.0 / np.maximum(self.std_F, EPSILON), 0.0)
        z = (inside - self.mean_F.astype(np.float32)) * scale.astype(np.float32)
        return np.nan_to_num(z, nan=0.0, copy=False).astype(np.float32)

    def apply(self, x: Float32) -> Float32:
        """Return [..., P]: the standardised features and the null columns."""
        masks = np.isnan(x[..., self.has_null_F]).astype(np.float32)
        return np.concatenate([self.standardised(x), masks], axis=-1)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the statistics for saving."""
        return {"low": self.low_F, "high": self.high_F, "mean": self.mean_F, "std": self.std_F, "has_null": self.has_null_F}

    @classmethod
    def of_arrays(cls, features: tuple[str, ...], arrays: dict[str, npt.NDArray[np.generic]]) -> "Normaliser":
        """Rebuild from what `arrays` gave."""
        low, high, mean, std = (arrays[key].astype(np.float64) for key in ("low", "high", "mean", "std"))
        return cls(features, low, high, mean, std, arrays["has_null"].astype(np.bool_))


def _first_of_each_pattern(rows_RF: Float32) -> npt.NDArray[np.bool_]:
    """Return which features have nulls in rows of which no feature before them has exactly those."""
    first_F = np.zeros(rows_RF.shape[1], np.bool_)
    seen = {np.packbits(np.zeros(len(rows_RF), np.bool_)).tobytes()}
    for f in range(len(first_F)):
        pattern = np.packbits(np.isnan(rows_RF[:, f])).tobytes()
        first_F[f] = pattern not in seen
        seen.add(pattern)
    return first_F


def _bounds(values_R: Float32) -> tuple[float, float, float, float]:
    known = values_R[~np.isnan(values_R)].astype(np.float64)
    if not len(known):
        return 0.0, 0.0, 0.0, 0.0
    low, high = np.quantile(known, (TAIL, 1 - TAIL))
    inside = np.clip(known, low, high)
    std = float(inside.std())
    return float(low), float(high), float(inside.mean()), std if std > EPSILON * max(1.0, abs(high), abs(low)) else 0.0
