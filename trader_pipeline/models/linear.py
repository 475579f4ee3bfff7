"""Ridge regression per horizon and target: the baseline that more complicated members must beat.

The closed form by one eigendecomposition gives every penalty at the price of one (Hastie, Tibshirani & Friedman 2009, 3.4.1).
Legend: N tickers, T sessions, F features, R rows, P prepared columns, A penalties, H horizons, Q quantiles.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from safetensors import numpy as safetensors

from trader_pipeline.models.examples import Examples, rows_of
from trader_pipeline.models.forecast import Forecast, around_mean, present, residual_quantiles
from trader_pipeline.models.normalise import EPSILON, Normaliser
from trader_pipeline.panel import Grid
from trader_pipeline.schema.columns import HORIZONS_SESSIONS

Float32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

PENALTIES = tuple(float(value) for value in 10.0 ** np.arange(-3, 3.5, 0.5))
"""Candidates, in units of the variance of one standardised feature per row."""


@dataclass(frozen=True, eq=False)
class RidgeMember:
    """Coefficients on prepared columns: [P, H] and intercepts [H] for each target, residual quantiles [H, Q] around the mean."""

    normaliser: Normaliser
    score_PH: Floats
    score_H: Floats
    scaled_PH: Floats
    scaled_H: Floats
    offsets_HQ: Floats

    name = "ridge"
    context_sessions = 1

    @property
    def features(self) -> tuple[str, ...]:
        """The last axis of what `predict` takes."""
        return self.normaliser.features

    def predict(self, features_NTF: Float32, grid: Grid, sectors: Mapping[str, str]) -> Forecast:  # noqa: ARG002 - members share one signature
        """Return the forecast; NaN where no feature is known."""
        prepared = self.normaliser.apply(features_NTF)
        score = prepared @ self.score_PH.astype(np.float32) + self.score_H.astype(np.float32)
        scaled = prepared @ self.scaled_PH.astype(np.float32) + self.scaled_H.astype(np.float32)
        return around_mean(score, scaled, self.offsets_HQ, present(features_NTF))

    def files(self) -> dict[str, bytes]:
        """Return arrays as safetensors and names as JSON."""
        own = {
            "score_coefficients": self.score_PH,
            "score_intercepts": self.score_H,
            "scaled_coefficients": self.scaled_PH,
            "scaled_intercepts": self.scaled_H,
            "residual_quantiles": self.offsets_HQ,
        }
        arrays = {k: np.ascontiguousarray(v) for k, v in (own | self.normaliser.arrays()).items()}
        return {
            "ridge.safetensors": safetensors.save(arrays),
            "member.json": json.dumps(
                {"kind": self.name, "features": self.features, "columns": self.normaliser.columns}, indent=1
            ).encode(),
        }

    @classmethod
    def of_files(cls, files: Mapping[str, bytes]) -> "RidgeMember":
        """Rebuild from what `files` gave."""
        arrays = safetensors.load(files["ridge.safetensors"])
        features = tuple(json.loads(files["member.json"])["features"])
        return cls(
            Normaliser.of_arrays(features, arrays),
            arrays["score_coefficients"],
            arrays["score_intercepts"],
            arrays["scaled_coefficients"],
            arrays["scaled_intercepts"],
            arrays["residual_quantiles"],
        )


def fit_ridge(examples: Examples) -> RidgeMember:
    """Choose each penalty on the purged tail, then refit on every label with statistics of the same rows."""
    labelled_NT = np.isfinite(examples.every.scaled_NTH).any(axis=2)
    normaliser = Normaliser.fit(examples.x_NTF[labelled_NT], examples.features)
    x_NTP = normaliser.apply(examples.x_NTF)
    score, scaled, offsets = [], [], []
    for h, horizon in enumerate(HORIZONS_SESSIONS):
        targets = [(labels.score_NTH[:, :, h], labels.scaled_NTH[:, :, h]) for labels in (examples.fit, examples.tail, examples.every)]
        (fit_score, fit_scaled), (tail_score, tail_scaled), (every_score, every_scaled) = targets
        solution, _ = _chosen(x_NTP, fit_score, tail_score, every_score, f"ridge, residual_rank_{horizon}d")
        score.append(solution)
        solution, quantiles = _chosen(x_NTP, fit_scaled, tail_scaled, every_scaled, f"ridge, scaled_return_{horizon}d")
        scaled.append(solution)
        offsets.append(quantiles)
    (score_PH, score_H), (scaled_PH, scaled_H) = _stacked(score), _stacked(scaled)
    return RidgeMember(normaliser, score_PH, score_H, scaled_PH, scaled_H, np.stack(offsets))


def ridge_path(x_RP: Float32, y_R: Floats, penalties: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Return coefficients [P, A] and intercepts [A] that minimise mean squared error + penalty * |coefficients|^2."""
    x, mean_P, mean_y = x_RP.astype(np.float64), x_RP.mean(axis=0, dtype=np.float64), y_R.mean()
    x -= mean_P
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    projected = vectors.T @ (x.T @ (y_R - mean_y) / len(x))
    shrunk_PA = projected[:, None] / (np.maximum(values, 0.0)[:, None] + np.array(penalties) + EPSILON)
    coefficients_PA = vectors @ shrunk_PA
    return coefficients_PA, mean_y - mean_P @ coefficients_PA


def _chosen(x_NTP: Float32, fit_NT: Float32, tail_NT: Float32, every_NT: Float32, what: str) -> tuple[tuple[Floats, Floats], Floats]:
    """Return (coefficients [P], intercept) of the refit, and the residual quantiles [Q] on the tail of the fit before it."""
    coefficients_PA, intercepts_A = ridge_path(*rows_of(x_NTP, fit_NT, f"{what}, training part"), PENALTIES)
    x_RP, y_R = rows_of(x_NTP, tail_NT, f"{what}, validation tail")
    predicted_RA = x_RP @ coefficients_PA + intercepts_A
    best = int(np.argmin(((y_R[:, None] - predicted_RA) ** 2).mean(axis=0)))
    refit_PA, refit_A = ridge_path(*rows_of(x_NTP, every_NT, what), PENALTIES[best : best + 1])
    return (refit_PA[:, 0], refit_A), residual_quantiles(y_R, predicted_RA[:, best])


def _stacked(solutions: list[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    return np.stack([c for c, _ in solutions], axis=1), np.concatenate([i for _, i in solutions])
