"""Before anything trains: are inputs finite, is validation like training, do labels go both ways. The same for every kind of member.

Legend: N tickers, T sessions, F features, R rows, H horizons.
"""

import numpy as np
import numpy.typing as npt

from trader_pipeline.errors import PreflightError
from trader_pipeline.models.examples import MINIMUM_LABELS, Examples, Labels
from trader_pipeline.models.forecast import Forecast
from trader_pipeline.models.stability import LARGE, index, shares, tenths
from trader_pipeline.schema.columns import HORIZONS_SESSIONS

Float32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

_ROWS = 20_000
"""Labelled rows of each part that are compared, evenly spaced."""
_WORST = 10


def require_finite(examples: Examples) -> None:
    """Raise `PreflightError` that names features with infinities."""
    is_infinite: list[bool] = np.asarray(np.isinf(examples.x_NTF).any(axis=(0, 1))).tolist()
    if bad := [name for name, infinite in zip(examples.features, is_infinite, strict=True) if infinite]:
        mend = "mend their formulas, a division by 0 perhaps, and rebuild features.panel"
        raise PreflightError("finite", f"features {bad} hold infinities; {mend}", final=True)


def drift(examples: Examples) -> dict[str, float]:
    """Return each feature's population stability index of the validation tail against the training rows, largest first.

    Infinities count as nulls. Features that move by session and not by ticker have few independent rows: their index is high without
    any fault.
    """
    fit_RF, tail_RF = (_rows(examples.x_NTF, part) for part in (examples.fit, examples.tail))
    if not len(fit_RF) or not len(tail_RF):
        return {}
    edges_FB = tenths(fit_RF)
    index_F = index(shares(tail_RF, edges_FB), shares(fit_RF, edges_FB))
    found = {name: round(float(value), 4) for name, value in zip(examples.features, index_F, strict=True)}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def drifted(drift_of: dict[str, float]) -> list[str]:
    """Return the worst features over the threshold, at most ten. A warning: macro features drift in any market."""
    return [name for name, value in drift_of.items() if value >= LARGE][:_WORST]


def class_balance(examples: Examples) -> list[dict[str, float | int | None]]:
    """Return for each horizon the share of labels that are up in training and validation, and the weights that would even them out.

    Weights are labels / (2 x labels of the class). Raises `PreflightError` where all training labels of a horizon go one way.
    """
    rows: list[dict[str, float | int | None]] = []
    for h, horizon in enumerate(HORIZONS_SESSIONS):
        up, of = _ups(examples.fit, h)
        if of >= MINIMUM_LABELS and up in {0, of}:
            way = "up" if up else "down"
            raise PreflightError("class_balance", f"all {of} training labels at {horizon} sessions are {way}; look at features.targets")
        tail_up, tail_of = _ups(examples.tail, h)
        rows.append(
            {
                "horizon_sessions": horizon,
                "labels": of,
                "up_share": _share(up, of),
                "up_share_validation": _share(tail_up, tail_of),
                "weight_up": of / (2 * up) if up else None,
                "weight_down": of / (2 * (of - up)) if of > up else None,
            }
        )
    return rows


def require_finite_forecast(model: str, forecast: Forecast, here_TN: npt.NDArray[np.bool_]) -> None:
    """Raise `PreflightError` where the forecast of a ticker that is present is not finite: the fit went wrong."""
    parts = {"score": forecast.score_TNH, "mean": forecast.scaled_mean_TNH, "distribution": forecast.scaled_quantiles_TNHQ}
    for what, values in parts.items():
        if not np.isfinite(values[here_TN]).all():
            raise PreflightError("finite_fit", f"{model} was fitted, and its {what} is not finite; look at the features and labels")


def _rows(x_NTF: Float32, labels: Labels) -> Float32:
    labelled_R = np.flatnonzero(np.isfinite(labels.scaled_NTH).any(axis=2))
    rows_RF = x_NTF.reshape(-1, x_NTF.shape[2])[labelled_R[:: max(1, -(-len(labelled_R) // _ROWS))]]
    return np.where(np.isfinite(rows_RF), rows_RF, np.float32(np.nan))


def _ups(labels: Labels, h: int) -> tuple[int, int]:
    known = labels.scaled_NTH[:, :, h]
    known = known[np.isfinite(known)]
    return int((known > 0).sum()), len(known)


def _share(part: int, of: int) -> float | None:
    return part / of if of else None
