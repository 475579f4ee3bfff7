"""Two states of one series of returns, calm and turbulent: a Markov-switching normal, fitted by EM and filtered forward.

Hamilton 1989 (filter), Hamilton 1990 (EM). Parameters change at fixed days alone, the first session of each year, and are
fitted on the returns before it; what is published is filtered, so a probability knows nothing of later returns. The
smoother serves the fit, inside its own past. Everything is summed in session order.

Legend: T sessions; a state's index is 0 calm, 1 turbulent (the one of higher variance).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trader_pipeline.features.compiled import njit
from trader_pipeline.panel import Days

Float = npt.NDArray[np.float64]

MINIMUM_RETURNS = 240
"""A year less what a holiday or a hole may cost: nothing is said before."""
MOST_STEPS = 200
GAIN = 1e-9
"""A step of EM that adds less than this to the log-likelihood, per return, is the last."""
PARAMETERS = ("mean_calm", "mean_turbulent", "volatility_calm", "volatility_turbulent", "stay_calm", "stay_turbulent")
_FLOOR, _LEAST_VARIANCE = 1e-300, 1e-12
_LEAST_STAY, _MOST_STAY = 0.5, 0.9999
"""A state lasts longer than a coin's throw, and not for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class States:
    """By session, NaN (NaT) before the first fit: the probability and the parameters that it was filtered under."""

    p_turbulent_T: Float
    fitted_on_T: Days
    parameters_T6: Float
    """In the order of `PARAMETERS`."""


def market_states(sessions: Days, return_T: Float) -> States:
    """Return the state of each session from log returns, NaN where there is none: it says nothing and the state moves on alone.

    Each year's fit begins at the parameters of the year before. Null too where the returns before have no spread.
    """
    T = len(sessions)
    found = States(
        p_turbulent_T=np.full(T, np.nan),
        fitted_on_T=np.full(T, np.datetime64("NaT"), "datetime64[D]"),
        parameters_T6=np.full((T, 6), np.nan),
    )
    years = sessions.astype("datetime64[Y]")
    parameters: Float | None = None
    for first in np.flatnonzero(years[1:] != years[:-1]) + 1:
        past = return_T[:first]
        known = past[np.isfinite(past)]
        if len(known) < MINIMUM_RETURNS or known.min() == known.max():
            continue
        parameters = fit(past, start(known) if parameters is None else parameters)
        stop = int(np.searchsorted(years, years[first], "right"))
        found.p_turbulent_T[first:stop] = filtered(return_T[:stop], parameters)[first:]
        found.fitted_on_T[first:stop] = sessions[first]
        found.parameters_T6[first:stop] = parameters
    return found


def start(known: Float) -> Float:
    """Return where the first fit begins: half and double the variance, states that last fifty sessions."""
    mean, deviation = float(np.mean(known)), float(np.std(known))
    return np.array([mean, mean, deviation * np.sqrt(0.5), deviation * np.sqrt(2.0), 0.98, 0.98])


def fit(return_T: Float, begin: Float) -> Float:
    """Return the six parameters that EM reaches from `begin`, the calm state first."""
    parameters, likelihood = begin.copy(), -np.inf
    for _ in range(MOST_STEPS):
        parameters, reached = _step(return_T, parameters)
        if reached - likelihood < GAIN * len(return_T):
            break
        likelihood = reached
    return parameters if parameters[2] <= parameters[3] else parameters[[1, 0, 3, 2, 5, 4]]


def filtered(return_T: Float, parameters: Float) -> Float:
    """Return P(turbulent at t | returns to t) under fixed parameters, from their long-run shares on."""
    return _filter(return_T, parameters)[0][:, 1].copy()


@njit
def _filter(return_T: Float, parameters: Float) -> tuple[Float, Float, float]:
    """Return filtered and predicted probabilities [T, 2] and the log-likelihood."""
    T = len(return_T)
    filtered_T2, predicted_T2, likelihood = np.empty((T, 2)), np.empty((T, 2)), 0.0
    leave_calm, leave_turbulent = 1 - parameters[4], 1 - parameters[5]
    p = leave_calm / (leave_calm + leave_turbulent)
    for t in range(T):
        if t > 0:
            p = filtered_T2[t - 1, 0] * leave_calm + filtered_T2[t - 1, 1] * parameters[5]
        predicted_T2[t, 0], predicted_T2[t, 1] = 1 - p, p
        filtered_T2[t] = predicted_T2[t]
        if np.isfinite(return_T[t]):
            z0 = (return_T[t] - parameters[0]) / parameters[2]
            z1 = (return_T[t] - parameters[1]) / parameters[3]
            most = -0.5 * min(z0 * z0, z1 * z1)  # both densities may be too small for a float
            calm = (1 - p) * np.exp(-0.5 * z0 * z0 - most) / parameters[2]
            turbulent = p * np.exp(-0.5 * z1 * z1 - most) / parameters[3]
            filtered_T2[t, 1] = turbulent / (calm + turbulent)
            filtered_T2[t, 0] = 1 - filtered_T2[t, 1]
            likelihood += np.log(calm + turbulent) + most
    return filtered_T2, predicted_T2, likelihood


@njit
def _step(return_T: Float, parameters: Float) -> tuple[Float, float]:
    """Return the parameters after one step of EM, and the log-likelihood before it."""
    filtered_T2, predicted_T2, likelihood = _filter(return_T, parameters)
    smoothed_T2, stayed, left = _smooth(filtered_T2, predicted_T2, parameters[4:])
    new = parameters.copy()
    for i in range(2):
        weight, total, squares = _FLOOR, 0.0, 0.0
        for t in range(len(return_T)):
            if np.isfinite(return_T[t]):
                weight += smoothed_T2[t, i]
                total += smoothed_T2[t, i] * return_T[t]
        new[i] = total / weight
        for t in range(len(return_T)):
            if np.isfinite(return_T[t]):
                squares += smoothed_T2[t, i] * (return_T[t] - new[i]) ** 2
        new[2 + i] = np.sqrt(max(squares / weight, _LEAST_VARIANCE))
        new[4 + i] = min(max(stayed[i] / max(stayed[i] + left[i], _FLOOR), _LEAST_STAY), _MOST_STAY)
    return new, likelihood


@njit
def _smooth(filtered_T2: Float, predicted_T2: Float, stay: Float) -> tuple[Float, Float, Float]:
    """Return P(state | all returns) [T, 2], and how often each state is expected to have stayed and to have been left. Kim 1994."""
    smoothed_T2, stayed, left = filtered_T2.copy(), np.zeros(2), np.zeros(2)
    for t in range(len(filtered_T2) - 2, -1, -1):
        for i in range(2):
            same = filtered_T2[t, i] * stay[i] * smoothed_T2[t + 1, i] / max(predicted_T2[t + 1, i], _FLOOR)
            other = filtered_T2[t, i] * (1 - stay[i]) * smoothed_T2[t + 1, 1 - i] / max(predicted_T2[t + 1, 1 - i], _FLOOR)
            smoothed_T2[t, i] = same + other
            stayed[i] += same
            left[i] += other
    return smoothed_T2, stayed, left
