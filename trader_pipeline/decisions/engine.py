"""Forecasts and momentum into positions, with the reasons."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trader_pipeline.decisions import limits, sizing

Floats = npt.NDArray[np.float64]

_VISIBLE = 5e-5
"""A cut under half a basis point is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """One session's names. Scores are cross-sectional z, NaN where there is none; volatility is a fraction a session."""

    tickers: Sequence[str]
    issuers: Sequence[str]
    momentum_score: Floats
    ml_score: Floats
    volatility_daily: Floats
    abstained: Sequence[int]
    horizons: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InvestmentDecisionEngine:
    """Blends momentum and ML on one scale, sizes by risk, cuts by issuer and gross. Weights are fractions of equity."""

    momentum_weight: float
    ml_weight: float
    name_limit: float
    gross_limit: float

    def blend(self, momentum: Floats, ml: Floats) -> tuple[Floats, Floats]:
        """Return the two weighted parts; a score that is missing is neutral: 0."""
        return self.momentum_weight * np.nan_to_num(momentum), self.ml_weight * np.nan_to_num(ml)

    def weigh(self, score_NT: Floats, volatility_NT: Floats, issuers: Sequence[str]) -> tuple[Floats, Floats]:
        """Return weights before and after limits, one column a session."""
        uncut = sizing.long_only_weights(score_NT, volatility_NT, gross=self.gross_limit)
        return uncut, limits.limit_gross(limits.limit_issuers(uncut, issuers, self.name_limit), self.gross_limit)

    def decide(self, candidates: Candidates) -> pa.Table:
        """Return the columns of decisions.daily from `ticker` to `reasons`, one row a name, best first."""
        momentum, ml = self.blend(candidates.momentum_score, candidates.ml_score)
        score = momentum + ml
        uncut, weights = (column[:, 0] for column in self.weigh(score[:, None], candidates.volatility_daily[:, None], candidates.issuers))
        momentum_share, ml_share = effective_shares(momentum, ml)
        momentum_covariance, ml_covariance = covariance_shares(momentum, ml)
        names = len(score)
        table = pa.table(
            {
                "ticker": list(candidates.tickers),
                "issuer_id": list(candidates.issuers),
                "momentum_score": candidates.momentum_score,
                "ml_score": candidates.ml_score,
                "momentum_part": momentum,
                "ml_part": ml,
                "score": score,
                "momentum_share": np.full(names, momentum_share),
                "ml_share": np.full(names, ml_share),
                "momentum_share_covariance": np.full(names, momentum_covariance),
                "ml_share_covariance": np.full(names, ml_covariance),
                "action": [action(s, w) for s, w in zip(score, weights, strict=True)],
                "target_weight": weights,
                "uncut_weight": uncut,
                "reasons": [self._reasons(candidates, i, uncut, weights) for i in range(names)],
            }
        )
        best_first = sorted(range(names), key=lambda i: (-score[i], candidates.tickers[i]))
        return table.take(pa.array(best_first, pa.int64())).append_column("rank", pa.array(range(1, names + 1), pa.int64()))

    def _reasons(self, candidates: Candidates, i: int, uncut: Floats, weights: Floats) -> str:
        momentum, ml = candidates.momentum_score[i], candidates.ml_score[i]
        found = [
            f"momentum {self.momentum_weight * momentum:+.2f}"
            if np.isfinite(momentum)
            else "no momentum score: too little history, neutral",
            f"ML {self.ml_weight * ml:+.2f}" if np.isfinite(ml) else "no forecast, neutral",
        ]
        if candidates.abstained[i]:
            found.append(f"direction abstained at {candidates.abstained[i]} of {candidates.horizons} horizons")
        if not candidates.volatility_daily[i] > 0:
            found.append("volatility unknown, so no size")
        if uncut[i] - weights[i] > _VISIBLE:
            found.append(self._cut(candidates, i, uncut, weights))
        return "; ".join(found)

    def _cut(self, candidates: Candidates, i: int, uncut: Floats, weights: Floats) -> str:
        issuer = candidates.issuers[i]
        together = [k for k, other in enumerate(candidates.issuers) if other == issuer]
        wanted = float(uncut[together].sum())
        cut = f"cut from {uncut[i]:.1%} to {weights[i]:.1%}"
        if wanted <= self.name_limit:
            return f"{cut}: gross limit {self.gross_limit:.0%}"
        names = " + ".join(candidates.tickers[k] for k in together)
        return f"{cut}: issuer limit {self.name_limit:.0%}, {names} wanted {wanted:.1%}"


def action(score: float, weight: float) -> str:
    """Return buy for a name that gets a weight, sell for one clearly under average, hold (neither add nor cut) between."""
    if weight > 0:
        return "buy"
    return "sell" if score < -sizing.HOLD_BAND else "hold"


def effective_shares(momentum: Floats, ml: Floats) -> tuple[float, float]:
    """Return each part's share of the day's score: mean |part| / sum of both; NaN when both are 0."""
    parts = np.array([np.abs(momentum).mean(), np.abs(ml).mean()])
    first, second = parts / parts.sum() if parts.sum() > 0 else (np.nan, np.nan)
    return float(first), float(second)


def covariance_shares(momentum: Floats, ml: Floats) -> tuple[float, float]:
    """Return cov(part, score) / var(score) of each part, which sum to 1 (Euler's allocation); NaN when the score does not vary."""
    score = momentum + ml
    variance = float(score.var())
    if variance == 0:
        return float("nan"), float("nan")
    centred = score - score.mean()
    return float(centred @ (momentum - momentum.mean()) / len(score) / variance), float(centred @ (ml - ml.mean()) / len(score) / variance)
