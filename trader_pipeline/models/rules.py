"""Rules of the thumb as members: nothing, momentum, reversal. No more is fitted than one scale a horizon and the spread of what is left.

Legend: N tickers, T sessions, F features, H horizons, Q quantiles.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trader_pipeline.errors import TrainingError
from trader_pipeline.models.attribution import Attribution, attribution
from trader_pipeline.models.examples import Examples, labelled, relative
from trader_pipeline.models.forecast import Forecast, around_mean, present, residual_quantiles
from trader_pipeline.models.normalise import EPSILON
from trader_pipeline.panel import Grid
from trader_pipeline.schema.columns import HORIZONS_SESSIONS

Float32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

RULES: dict[str, tuple[str, float] | None] = {"zero": None, "momentum": ("momentum_12_1", 1.0), "reversal": ("return_5d", -1.0)}
"""The feature that a rule follows, and its sign. Jegadeesh & Titman 1993; Lehmann 1990."""
LEAST_SCALE = 0.01
"""A rule that lost in training keeps its sign, and next to no size."""
_CLIP = 3.0


@dataclass(frozen=True, eq=False)
class RuleMember:
    """Score and mean are scale [H] times the feature's z over the session's tickers; drift [H], residual quantiles [H, Q]."""

    name: str
    features: tuple[str, ...]
    score_H: Floats
    scaled_H: Floats
    drift_H: Floats
    offsets_HQ: Floats

    context_sessions = 1

    @property
    def weights(self) -> int:
        """The scales."""
        return self.score_H.size + self.scaled_H.size

    def predict(self, features_NTF: Float32, grid: Grid, sectors: Mapping[str, str], *, newest: int | None = None) -> Forecast:  # noqa: ARG002 - members share one signature
        """Return the forecast; NaN where no feature is known."""
        signal_NT1 = _signal(self.name, features_NTF, self.features)[:, :, None]
        mean_NTH = signal_NT1 * self.scaled_H + self.drift_H
        return around_mean(
            (signal_NT1 * self.score_H).astype(np.float32), mean_NTH.astype(np.float32), self.offsets_HQ, present(features_NTF)
        )

    def explain(
        self,
        features_NTF: Float32,
        grid: Grid,
        sectors: Mapping[str, str],
        wanted_N: npt.NDArray[np.bool_],  # noqa: ARG002 - members share one signature; here all tickers cost nothing
    ) -> Attribution:
        """Return the one feature's z of the last session times its scale; the base is 0."""
        last_N1F = features_NTF[:, -1:]
        score_NH = self.predict(last_N1F, grid, sectors).score_TNH[-1]
        parts_NHF = np.zeros((*score_NH.shape, len(self.features)))
        if rule := RULES[self.name]:
            parts_NHF[:, :, self.features.index(rule[0])] = _signal(self.name, last_N1F, self.features) * self.score_H
        return attribution("linear", score_NH, np.zeros(score_NH.shape), parts_NHF)

    def files(self) -> dict[str, bytes]:
        """Return everything as JSON."""
        numbers = {"score": self.score_H, "scaled": self.scaled_H, "drift": self.drift_H, "residual_quantiles": self.offsets_HQ}
        facts = {"kind": self.name, "features": self.features} | {name: values.tolist() for name, values in numbers.items()}
        return {"member.json": json.dumps(facts, indent=1).encode()}

    @classmethod
    def of_files(cls, files: Mapping[str, bytes]) -> "RuleMember":
        """Rebuild from what `files` gave."""
        facts = json.loads(files["member.json"])
        numbers = (np.array(facts[name]) for name in ("score", "scaled", "drift", "residual_quantiles"))
        return cls(facts["kind"], tuple(facts["features"]), *numbers)


def fit_rule(name: str, examples: Examples) -> RuleMember:
    """Fit the scales by least squares on every label, with one residual spread a horizon.

    Raises `TrainingError` where the panel lacks the rule's feature, or has too few labels.
    """
    signal_NT = _signal(name, examples.x_NTF, examples.features)
    score, scaled, drift, offsets = [], [], [], []
    for h, horizon in enumerate(HORIZONS_SESSIONS):
        labelled(examples.every.scaled_NTH[:, :, h], f"{name}, scaled_return_{horizon}d")
        score.append(_scale(signal_NT, examples.every.score_NTH[:, :, h]))
        label_NT, own_drift = relative(examples.every.scaled_NTH[:, :, h])
        scaled.append(_scale(signal_NT, label_NT))
        drift.append(own_drift)
        known_NT = np.isfinite(label_NT)
        actual_R = examples.every.scaled_NTH[:, :, h][known_NT]
        offsets.append(residual_quantiles(actual_R, scaled[-1] * signal_NT[known_NT] + own_drift))
    return RuleMember(name, examples.features, np.array(score), np.array(scaled), np.array(drift), np.stack(offsets))


def _signal(name: str, x_NTF: Float32, features: tuple[str, ...]) -> Floats:
    """Return the signed z over the tickers of each session [N, T], cut at 3; 0 where the feature is null, and for `zero`."""
    rule = RULES[name]
    if rule is None:
        return np.zeros(x_NTF.shape[:2])
    feature, sign = rule
    if feature not in features:
        raise TrainingError(f"the member {name!r} follows the feature {feature}, which the panel lacks; build it, or leave the member out")
    x_NT = x_NTF[:, :, features.index(feature)].astype(np.float64)
    known_NT = np.isfinite(x_NT)
    count_T = np.maximum(known_NT.sum(axis=0), 1)
    centred_NT = np.where(known_NT, x_NT - np.where(known_NT, x_NT, 0.0).sum(axis=0) / count_T, 0.0)
    deviation_T = np.sqrt((centred_NT**2).sum(axis=0) / count_T)
    return np.asarray(sign * np.clip(centred_NT / (deviation_T + EPSILON), -_CLIP, _CLIP))


def _scale(signal_NT: Floats, label_NT: Float32) -> float:
    known_NT = np.isfinite(label_NT)
    signal_R, label_R = signal_NT[known_NT], label_NT[known_NT].astype(np.float64)
    return max(LEAST_SCALE, float(signal_R @ label_R / (signal_R @ signal_R + EPSILON)))
