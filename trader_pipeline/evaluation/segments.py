"""One model's skill at one horizon on all rows and on each kind of rows: where it holds, and where it fails.

Legend: N tickers, T sessions, Q quantile levels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trader_pipeline import measures
from trader_pipeline.evaluation import distribution, scorecard
from trader_pipeline.evaluation.intervals import FEWEST_WINDOWS, bootstrap_half_width, newey_west_half_width
from trader_pipeline.evaluation.judged import Flags, Floats
from trader_pipeline.evaluation.numerai import numerai_correlation
from trader_pipeline.evaluation.outcome import Outcome, mean_by_session
from trader_pipeline.schema.quantiles import QUANTILE_NAMES, QUANTILES

ALL = "all"
UNKNOWN = "unknown"
DECILES = 10
_THIRDS = ("low", "middle", "high")
Row = dict[str, Any]
Names = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """One kind of segments: their names, and which one each row is in, as a code broadcast over [N, T]; -1 is none of them."""

    names: tuple[str, ...]
    codes: npt.NDArray[np.int16]

    @classmethod
    def of(cls, labels: Names) -> "Groups":
        """Return the groups of labels; `UNKNOWN` belongs to none."""
        names, codes = np.unique(labels, return_inverse=True)
        known = np.where(names == UNKNOWN, -1, np.cumsum(names != UNKNOWN) - 1).astype(np.int16)
        return cls(tuple(str(name) for name in names if name != UNKNOWN), known[codes].reshape(labels.shape))


def groups_of(volatility_NT: Floats, regimes_T: Names, sectors: Sequence[str | None], years_T: Names) -> dict[str, Groups]:
    """Return the segments that all models share. `volatility_NT` is what was known at the session; sectors stand in the tickers' order."""
    return {
        "regime": Groups.of(regimes_T[None, :]),
        "sector": Groups.of(np.array([name or UNKNOWN for name in sectors])[:, None]),
        "volatility": _thirds(volatility_NT),
        "year": Groups.of(years_T[None, :]),
    }


def segments(outcome: Outcome, *, groups: Mapping[str, Groups], issuers: Sequence[str]) -> list[Row]:
    """Return the rows of evaluation.segments without model and horizon; none where no fold could be judged."""
    _, issuer_N = np.unique(np.array(issuers, dtype=np.str_), return_inverse=True)
    found = []
    for kind, name, chosen_NT in _chosen(outcome, {**groups, "confidence": _deciles(outcome)}):
        row = measured(outcome, chosen_NT, issuer_N, whole=kind == ALL)
        if row is not None:
            found.append({"kind": kind, "segment": name} | row)
    return found


def measured(outcome: Outcome, chosen_NT: Flags, issuer_N: npt.NDArray[np.int64], *, whole: bool = False) -> Row | None:
    """Return the measures of the chosen rows, None where none of them was judged. `whole` adds what is dear or speaks of whole sessions."""
    rows = outcome.rows_NT & chosen_NT
    if not rows.any():
        return None
    labels, horizon, p_up = outcome.judged.labels, outcome.horizon, outcome.p_up_NT
    hit_T = mean_by_session(outcome.hit_NT, rows)
    accuracy = measures.nonoverlapping_interval(hit_T, horizon)
    low, high = (accuracy.mean - accuracy.half_width, accuracy.mean + accuracy.half_width) if whole else accuracy_interval(accuracy)
    up, base, label = labels.up_NT[rows], labels.base_rate_NT[rows], labels.scaled_return_NT[rows]
    brier = measures.brier(p_up[rows], up)
    loss, climate = (distribution.pinball(q[:, rows], label, QUANTILES) for q in (outcome.quantiles_QNT, outcome.climate_QNT))
    share_Q = distribution.probability_integral(outcome.quantiles_QNT[:, rows], label)
    issuers = len(np.unique(issuer_N[rows.any(axis=1)]))
    ic_T = outcome.rank_ic_T if whole else _rank_ic(outcome, chosen_NT)
    ic = measures.nonoverlapping_interval(ic_T, horizon)
    row = {
        "accuracy": accuracy.mean,
        "base_rate": outcome.base_rate(rows),
        "low": low,
        "high": high,
        "coverage": float(rows.sum() / max((outcome.judgeable_NT & chosen_NT).sum(), 1)),
        "n_effective": effective_hits(accuracy, rows=int(rows.sum()), issuers=issuers),
        "issuers": issuers,
        "windows": accuracy.windows,
        "rows": int(rows.sum()),
        "rank_ic": ic.mean,
        "rank_ic_half_width": ic.half_width,
        "icir": _ratio(ic_T),
        "brier": brier,
        "brier_skill": 1 - brier / measures.brier(base, up),
        "ece": measures.expected_calibration_error(p_up[rows], up),
        "ece_noise_floor": scorecard.noise_floor(p_up, labels.up_NT, rows, horizon),
        "interval_90_coverage": distribution.interval_coverage(outcome.quantiles_QNT[:, rows], label),
        "pinball": loss,
        "pinball_skill": 1 - loss / climate,
        **{f"below_{name}": float(share) for name, share in zip(QUANTILE_NAMES, share_Q, strict=True)},
        "grey": accuracy.windows < FEWEST_WINDOWS,
    }
    return row | (_whole(outcome, hit_T) if whole else {})


def accuracy_interval(accuracy: measures.Interval) -> tuple[float, float]:
    """Return the 95 % interval of a segment's accuracy: the t-interval, under 20 windows Wilson's with each window as one call.

    A few windows that are all right or all wrong have no deviation, and a t-interval of few leaves 0 to 1; Wilson 1927 does
    neither. One call a window is what names that are right and wrong together are worth, so it is rather too wide. NaN without a window.
    """
    if accuracy.windows >= FEWEST_WINDOWS:
        return accuracy.mean - accuracy.half_width, accuracy.mean + accuracy.half_width
    if accuracy.windows == 0:
        return float("nan"), float("nan")
    z, n, p = 1.959963984540054, accuracy.windows, accuracy.mean
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * float(np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)))
    return centre - half, centre + half


def effective_hits(accuracy: measures.Interval, *, rows: int, issuers: int) -> float:
    """Return how many independent calls would pin the accuracy as well, at most issuers times non-overlapping windows.

    Kish 1965: names of one session are right and wrong together. NaN where there is no interval. Windows that are all right or all
    wrong say nothing of that, so each counts once.
    """
    most = float(min(issuers * accuracy.windows, rows))
    if not np.isfinite(accuracy.half_width):
        return float("nan")
    if accuracy.half_width == 0:
        return min(float(accuracy.windows), most)
    return float(np.clip(accuracy.mean * (1 - accuracy.mean) / (accuracy.half_width / 1.96) ** 2, min(1.0, most), most))


def turnover(score_NT: Floats, horizon: int) -> float:
    """Return the share of a portfolio weighted by centred rank that is another one `horizon` sessions later: 0 stays, 1 turns round.

    Half the mean of sum |w - w'| for weights with sum |w| = 1.
    """
    known_NT = np.isfinite(score_NT)
    order_NT = np.argsort(np.argsort(np.where(known_NT, score_NT, np.inf), axis=0), axis=0).astype(np.float64)
    count_T = known_NT.sum(axis=0)
    centred_NT = np.where(known_NT, order_NT - (count_T - 1) / 2, 0.0)
    gross_T = np.abs(centred_NT).sum(axis=0)
    weight_NT = np.where(gross_T > 0, centred_NT / np.where(gross_T > 0, gross_T, 1.0), np.nan)
    change_T = np.abs(weight_NT[:, horizon:] - weight_NT[:, :-horizon]).sum(axis=0) / 2
    return float(np.nanmean(change_T)) if np.isfinite(change_T).any() else float("nan")


def _chosen(outcome: Outcome, groups: Mapping[str, Groups]) -> Iterator[tuple[str, str, Flags]]:
    shape = outcome.p_up_NT.shape
    yield ALL, ALL, np.ones(shape, dtype=np.bool_)
    for kind, group in groups.items():
        for code, name in enumerate(group.names):
            yield kind, name, np.broadcast_to(group.codes == code, shape)


def _thirds(volatility_NT: Floats) -> Groups:
    """Return the third of its session that each ticker's volatility lies in."""
    known_NT = np.isfinite(volatility_NT)
    rank_NT = np.argsort(np.argsort(np.where(known_NT, volatility_NT, np.inf), axis=0), axis=0)
    third_NT = np.minimum(rank_NT * len(_THIRDS) // np.maximum(known_NT.sum(axis=0), 1), len(_THIRDS) - 1)
    return Groups(_THIRDS, np.where(known_NT, third_NT, -1).astype(np.int16))


def _deciles(outcome: Outcome) -> Groups:
    """Return each forecast's decile of confidence, 01 to 10; where nothing is more confident than the rest, there are none."""
    codes = np.full(outcome.p_up_NT.shape, -1, np.int16)
    confidence = outcome.confidence_NT[outcome.rows_NT]
    if len(confidence) and np.ptp(confidence) > 0:
        edges = np.quantile(confidence, np.linspace(0, 1, DECILES + 1)[1:-1])
        codes[outcome.rows_NT] = np.searchsorted(edges, confidence, side="right")
    return Groups(tuple(f"{k:02d}" for k in range(1, DECILES + 1)), codes)


def _rank_ic(outcome: Outcome, chosen_NT: Flags) -> Floats:
    """Return the rank IC within the chosen rows of each session, [T]; whole sessions have the one they have."""
    whole_T = chosen_NT.all(axis=0)
    if (whole_T | ~chosen_NT.any(axis=0)).all():
        return np.where(whole_T, outcome.rank_ic_T, np.nan)
    score = np.where(chosen_NT, outcome.judged.score_NT, np.nan)
    return measures.rank_ic(score.T, outcome.judged.labels.residual_rank_NT.T)


def _whole(outcome: Outcome, hit_T: Floats) -> Row:
    horizon, labels = outcome.horizon, outcome.judged.labels
    corr_T = numerai_correlation(outcome.judged.score_NT.T, labels.residual_rank_NT.T)
    return {
        "newey_west_half_width": newey_west_half_width(hit_T, horizon),
        "bootstrap_half_width": bootstrap_half_width(hit_T),
        "numerai_correlation": float(np.nanmean(corr_T)) if np.isfinite(corr_T).any() else float("nan"),
        "turnover": turnover(outcome.judged.score_NT, horizon),
    }


def _ratio(ic_T: Floats) -> float:
    """Return mean / standard deviation of the daily rank ICs: the ICIR, not annualised. Grinold & Kahn 2000."""
    known = ic_T[np.isfinite(ic_T)]
    return float(known.mean() / known.std(ddof=1)) if len(known) > 1 and np.ptp(known) > 0 else float("nan")
