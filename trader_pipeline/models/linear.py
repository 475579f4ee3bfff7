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

from trader_pipeline.models.attribution import Attribution, attribution, folded
from trader_pipeline.models.examples import Examples, relative, rows_of, thinned
from trader_pipeline.models.forecast import Forecast, around_mean, present, residual_quantiles
from trader_pipeline.models.normalise import EPSILON, Normaliser
from trader_pipeline.panel import Grid
from trader_pipeline.schema.columns import HORIZONS_SESSIONS

Float32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

PENALTIES = tuple(float(value) for value in 10.0 ** np.arange(-3, 3.5, 0.5))
"""Candidates, in units of the variance of one standardised feature per row."""
MAXIMUM_ROWS = 150_000
"""Labels of one fit; more add time, not accuracy, to so few coefficients."""
_CHUNK_ROWS = 16_384
"""Rows multiplied in float32, which costs half; their sums are added in float64."""
_LEAST_VARIANCE = 1e-9
"""Of standardised columns: less is rounding."""


@dataclass(frozen=True, eq=False)
class RidgeMember:
    """Coefficients [P, H] and intercepts [H] of each target, residual quantiles [H, Q] around the mean.

    `score` reads the prepared columns, `scaled` their deviations from the session's mean (see `relative`).
    """

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

    @property
    def weights(self) -> int:
        """The coefficients."""
        return self.score_PH.size + self.scaled_PH.size

    def predict(self, features_NTF: Float32, grid: Grid, sectors: Mapping[str, str], *, newest: int | None = None) -> Forecast:  # noqa: ARG002 - members share one signature
        """Return the forecast; NaN where no feature is known."""
        prepared = self.normaliser.apply(features_NTF)
        score = prepared @ self.score_PH.astype(np.float32) + self.score_H.astype(np.float32)
        here_NT = present(features_NTF)
        scaled = deviations(prepared, here_NT) @ self.scaled_PH.astype(np.float32) + self.scaled_H.astype(np.float32)
        return around_mean(score, scaled, self.offsets_HQ, here_NT)

    def explain(
        self,
        features_NTF: Float32,
        grid: Grid,
        sectors: Mapping[str, str],
        wanted_N: npt.NDArray[np.bool_],  # noqa: ARG002 - members share one signature; here all tickers cost nothing
    ) -> Attribution:
        """Return coefficient times prepared column of the last session; the base is the intercept."""
        last_N1F = features_NTF[:, -1:]
        score_NH = self.predict(last_N1F, grid, sectors).score_TNH[-1]
        parts_NHP = self.normaliser.apply(last_N1F[:, 0]).astype(np.float64)[:, None, :] * self.score_PH.T
        base_NH = np.broadcast_to(self.score_H, score_NH.shape)
        return attribution("linear", score_NH, base_NH, folded(parts_NHP, self.normaliser.columns, self.features))

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
    """Choose each penalty on the purged tail, then refit on every label with statistics of the same rows.

    A column is worth its share of variance within tickers (`within_share`): the penalty of its coefficient is divided by its square.
    """
    rows_NT = np.asarray(np.isfinite(examples.every.scaled_NTH).any(axis=2))
    normaliser = Normaliser.fit(examples.x_NTF[rows_NT], examples.features)
    x_NTP = normaliser.apply(examples.x_NTF)
    worth_P = within_share(x_NTP, rows_NT)
    x_NTP *= worth_P.astype(np.float32)
    deviation_NTP = deviations(x_NTP, present(examples.x_NTF))
    parts = (examples.fit, examples.tail, examples.every)
    score, scaled, offsets = [], [], []
    for h, horizon in enumerate(HORIZONS_SESSIONS):
        ranks = [thinned(part.score_NTH[:, :, h], horizon, MAXIMUM_ROWS) for part in parts]
        score.append(_chosen(x_NTP, ranks, f"ridge, residual_rank_{horizon}d")[0])
        returns = [thinned(part.scaled_NTH[:, :, h], horizon, MAXIMUM_ROWS) for part in parts]
        (refit_P, _), before_P = _chosen(deviation_NTP, [relative(part)[0] for part in returns], f"ridge, scaled_return_{horizon}d")
        scaled.append((refit_P, np.array([relative(returns[2])[1]])))
        known_NT = np.isfinite(returns[0]) | np.isfinite(returns[1])
        actual_NT, drift = np.where(np.isfinite(returns[0]), returns[0], returns[1]), relative(returns[0])[1]
        offsets.append(residual_quantiles(actual_NT[known_NT], deviation_NTP[known_NT] @ before_P + drift))
    (score_PH, score_H), (scaled_PH, scaled_H) = _stacked(score), _stacked(scaled)
    return RidgeMember(normaliser, worth_P[:, None] * score_PH, score_H, worth_P[:, None] * scaled_PH, scaled_H, np.stack(offsets))


def within_share(x_NTP: Float32, rows_NT: npt.NDArray[np.bool_]) -> Floats:
    """Return the share of each standardised column's variance over the marked rows that lies within tickers, [P]; 0 where it does not vary.

    A difference between tickers that never changes was seen once a ticker, however many sessions there are: such columns explain
    the past of a few hundred tickers by chance, the more easily the more of them there are.
    """
    sums_NP = np.zeros((len(x_NTP), x_NTP.shape[2]))
    square_P = np.zeros(x_NTP.shape[2])
    for n, (x_TP, rows_T) in enumerate(zip(x_NTP, rows_NT, strict=True)):
        own_RP = x_TP[rows_T].astype(np.float64)
        sums_NP[n], square_P = own_RP.sum(axis=0), square_P + (own_RP**2).sum(axis=0)
    count_N1 = np.maximum(rows_NT.sum(axis=1), 1)[:, None]
    within_P = square_P - (sums_NP**2 / count_N1).sum(axis=0)
    whole_P = square_P - sums_NP.sum(axis=0) ** 2 / count_N1.sum()
    least = _LEAST_VARIANCE * count_N1.sum()
    return np.where(within_P > least, within_P / np.maximum(whole_P, least), 0.0)


def deviations(x_NTP: Float32, present_NT: npt.NDArray[np.bool_]) -> Float32:
    """Return each row minus the mean of the rows present on its session."""
    weight_NT1 = present_NT[:, :, None].astype(np.float32)
    mean_TP = (x_NTP * weight_NT1).sum(axis=0) / np.maximum(weight_NT1.sum(axis=0), 1)
    return np.asarray(x_NTP - mean_TP, np.float32)


def ridge_path(x_RP: Float32, y_R: Floats, penalties: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Return coefficients [P, A] and intercepts [A] that minimise mean squared error + penalty * |coefficients|^2."""
    rows, columns = x_RP.shape
    gram, cross, total = np.zeros((columns, columns)), np.zeros(columns), np.zeros(columns)
    for start in range(0, rows, _CHUNK_ROWS):
        x, y = x_RP[start : start + _CHUNK_ROWS], y_R[start : start + _CHUNK_ROWS].astype(np.float32)
        gram += x.T @ x
        cross += x.T @ y
        total += x.sum(axis=0, dtype=np.float64)
    mean_P, mean_y = total / rows, y_R.mean()
    values, vectors = np.linalg.eigh(gram / rows - np.outer(mean_P, mean_P))
    projected = vectors.T @ (cross / rows - mean_P * mean_y)
    shrunk_PA = projected[:, None] / (np.maximum(values, 0.0)[:, None] + np.array(penalties) + EPSILON)
    coefficients_PA = vectors @ shrunk_PA
    return coefficients_PA, mean_y - mean_P @ coefficients_PA


def _chosen(x_NTP: Float32, parts_NT: list[Float32], what: str) -> tuple[tuple[Floats, Floats], Floats]:
    """Return (coefficients [P], intercept) of the refit on every label, and the coefficients [P] of the fit before the tail."""
    fit_NT, tail_NT, every_NT = parts_NT
    coefficients_PA, intercepts_A = ridge_path(*rows_of(x_NTP, fit_NT, f"{what}, training part"), PENALTIES)
    x_RP, y_R = rows_of(x_NTP, tail_NT, f"{what}, validation tail")
    errors_RA = y_R[:, None] - (x_RP @ coefficients_PA + intercepts_A)
    best = int(np.argmin((errors_RA**2).mean(axis=0)))
    refit_PA, refit_A = ridge_path(*rows_of(x_NTP, every_NT, what), PENALTIES[best : best + 1])
    return (refit_PA[:, 0], refit_A), coefficients_PA[:, best]


def _stacked(solutions: list[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    return np.stack([c for c, _ in solutions], axis=1), np.concatenate([i for _, i in solutions])
