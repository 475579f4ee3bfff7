"""The promotion gate: a newly judged model serves when it is better than the one that does, where both forecast out of fold."""

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from trader_pipeline import measures, panel
from trader_pipeline.champion import PROMOTED, REFUSED, ROLLED_BACK, approved, decisions_at, runs_at, serving, state_of
from trader_pipeline.ensembles.weights import is_better
from trader_pipeline.errors import NoModelError, UsageError
from trader_pipeline.evaluation.judged import labels_of
from trader_pipeline.flows.judged import published_through
from trader_pipeline.flows.pooled import pooled_out_of_fold
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.measures import Interval
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.serving import PROMOTIONS
from trader_pipeline.schema.training import RUNS

GATE = "gate"
"""Who decided, where nobody did."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a challenger is better, by how much rank IC at each horizon, and why, one line."""

    better: bool
    gains: dict[int, Interval]
    why: str

    @property
    def gain(self) -> float:
        """Weighted mean over the horizons."""
        return pooled(self.gains).mean


def consider(lake: Lake, *, as_of: dt.datetime, decided_at: dt.datetime, run_id: str) -> dict[str, Any]:
    """Decide on the newest judged model known at `as_of`, unless that was done; return its row of evaluation.promotions.

    Without an approved model it is promoted if it rings no leak alarm; beside one it must be better. Raises `NoModelError`.
    """
    snapshot = lake.snapshot()
    runs = [run for run in runs_at(snapshot, as_of) if run["calibrated"]]
    if not runs:
        raise NoModelError(f"no model that was known at {as_of:%Y-%m-%d %H:%M} UTC is trained and calibrated; `trader train` makes one")
    challenger = max(runs, key=lambda run: (run["as_of"], run["finished_at"], run["model_id"]))
    name = challenger["model_id"]
    if done := [row for row in decisions_at(snapshot, as_of) if row["model_id"] == name]:
        return done[0]
    champion = next((run for run in approved(snapshot, challenger["as_of"]) if run["model_id"] != name), None)
    verdict = judge(snapshot, challenger, champion)
    before = None if champion is None else champion["model_id"]
    row = {
        "model_id": name,
        "action": PROMOTED if verdict.better else REFUSED,
        "serves": name if verdict.better else before,
        "replaced": before if verdict.better else None,
        "gain": verdict.gain,
        "why": verdict.why,
        "who": GATE,
        "counts_from": challenger["as_of"],
        "decided_at": decided_at,
        "run_id": run_id,
    }
    _publish(lake, row)
    return row


def judge(snapshot: Snapshot, challenger: dict[str, Any], champion: dict[str, Any] | None) -> Verdict:
    """Say whether the challenger may serve in the champion's place.

    Better: it rings no leak alarm, its daily rank IC is higher on the sessions that both forecast out of fold, `pooled` over the
    horizons by more than one standard error, and at no horizon does the 95 % interval of the difference lie under 0.
    """
    if challenger["alarm"]:
        return Verdict(better=False, gains={}, why=f"leak alarm: {challenger['alarm']}")
    if champion is None:
        return Verdict(better=True, gains={}, why="the first model without a leak alarm")
    gains = compared(snapshot, challenger["model_id"], champion["model_id"], as_of=challenger["as_of"])
    if not gains:
        return Verdict(better=False, gains={}, why=f"no session that {champion['model_id']} forecast out of fold too")
    gained = pooled(gains)
    worse = [h for h, gain in gains.items() if gain.mean + gain.half_width < 0]
    better = is_better(gained) and not worse
    said = f"worse at {', '.join(map(str, worse))} sessions" if worse else "better" if better else "not better"
    pooled_gain = f"{gained.mean:+.4f} ±{gained.half_width:.4f} (95 %)" if gained.windows else "no horizon has an interval"
    by_horizon = ", ".join(f"{h}: {_signed(gain)}" for h, gain in gains.items())
    why = f"{said}, rank IC less that of {champion['model_id']}: {pooled_gain}; by sessions ahead {by_horizon}"
    return Verdict(better=better, gains=gains, why=why)


def pooled(gains: Mapping[int, Interval]) -> Interval:
    """Return the mean over the horizons weighted by 1 / half width^2; one without an interval has no vote, NaN without any vote.

    Its half width is that of errors that move together, the widest that there can be: all horizons are of the same sessions.
    """
    votes = [gain for gain in gains.values() if gain.half_width > 0]
    if not votes:
        return Interval(mean=float("nan"), half_width=float("nan"), windows=0)
    mean, half_width, weight = np.array([(vote.mean, vote.half_width, vote.half_width**-2) for vote in votes]).T
    windows = max(vote.windows for vote in votes)
    return Interval(mean=float(np.average(mean, weights=weight)), half_width=float(np.average(half_width, weights=weight)), windows=windows)


def compared(snapshot: Snapshot, challenger: str, champion: str, *, as_of: dt.datetime) -> dict[int, Interval]:
    """Return by horizon the mean difference of the daily rank ICs, on the rows that both forecast; horizons without any are left out.

    Labels count that had ended by the last session known at `as_of`.
    """
    targets = snapshot.sql("select * from features.targets where session <= ?", [published_through(snapshot, as_of)])
    grid = panel.Grid.of(targets)
    ours, theirs = (_scores(pooled_out_of_fold(snapshot, name), grid) for name in (challenger, champion))
    found = {}
    for horizon in HORIZONS_SESSIONS:
        both_NT = np.isfinite(ours[horizon]) & np.isfinite(theirs[horizon])
        label_NT = np.where(both_NT, labels_of(targets, grid, horizon).residual_rank_NT, np.nan)
        difference_T = measures.rank_ic(ours[horizon].T, label_NT.T) - measures.rank_ic(theirs[horizon].T, label_NT.T)
        gain = measures.nonoverlapping_interval(difference_T, horizon)
        if np.isfinite(gain.mean):
            found[horizon] = gain
    return found


def promote(lake: Lake, model_id: str, *, as_of: dt.datetime, decided_at: dt.datetime, who: str, why: str, run_id: str) -> dict[str, Any]:
    """Let the model serve from `as_of` on, whatever the gate said.

    Raises `NotMadeError` without any model, `UsageError` where it is not one that can.
    """
    snapshot = lake.snapshot()
    snapshot.require(RUNS)
    known = {run["model_id"]: run for run in runs_at(snapshot, as_of)}
    if model_id not in known:
        raise UsageError(f"{model_id} is no model that was known at {as_of:%Y-%m-%d %H:%M} UTC; `trader models` lists them")
    if not known[model_id]["calibrated"]:
        raise UsageError(f"{model_id} is not judged, so it has no calibration to serve with; `trader train` goes on where it was cut short")
    replaced = serving(snapshot, as_of)
    if model_id == replaced and decisions_at(snapshot, as_of):
        raise UsageError(f"{model_id} serves already; `trader models` lists the others")
    row = {"model_id": model_id, "action": PROMOTED, "serves": model_id, "replaced": replaced, "who": who, "why": why}
    return _publish(lake, row | {"counts_from": as_of, "decided_at": decided_at, "run_id": run_id})


def rollback(lake: Lake, *, as_of: dt.datetime, decided_at: dt.datetime, who: str, why: str, run_id: str) -> dict[str, Any]:
    """Take the champion back from `as_of` on: the model that was approved before it serves.

    Raises `NotMadeError` without any model, `UsageError` where there is none to go back to.
    """
    snapshot = lake.snapshot()
    snapshot.require(RUNS)
    found = [run["model_id"] for run in approved(snapshot, as_of)]
    if len(found) < 2:  # noqa: PLR2004 - the champion and the one before
        only = f"{found[0]} is the only approved model" if found else "no model is approved"
        raise UsageError(f"{only}, so there is nothing to go back to; `trader models promote ID` approves another")
    row = {"model_id": found[0], "action": ROLLED_BACK, "serves": found[1], "replaced": found[0], "who": who, "why": why}
    return _publish(lake, row | {"counts_from": as_of, "decided_at": decided_at, "run_id": run_id})


def told(row: dict[str, Any]) -> str:
    """Return a row of evaluation.promotions as a sentence: what was decided, by whom and when, what served then, and why."""
    by = f"by the {GATE}" if row["who"] == GATE else f"by hand by {row['who']}"
    then = {
        PROMOTED: f" in place of {row['replaced']}" if row["replaced"] else "",
        REFUSED: f", {row['serves']} went on serving" if row["serves"] else ", so that no model serves",
        ROLLED_BACK: f", {row['serves']} served again",
    }[row["action"]]
    return f"{row['action']} {by} on {row['decided_at']:%Y-%m-%d %H:%M} UTC{then}: {row['why']}"


def models(snapshot: Snapshot, as_of: dt.datetime) -> list[dict[str, Any]]:
    """Return every model known at `as_of`, the newest first: trained through, rank IC by horizon, the last decision, state.

    `decision` is it as a sentence, `verdict` its reason alone.
    """
    decisions = decisions_at(snapshot, as_of)
    last = {row["model_id"]: row for row in reversed(decisions)}
    serves = serving(snapshot, as_of)
    cards = snapshot.sql(
        "select model_id, horizon_sessions, rank_ic, rank_ic_half_width, windows from evaluation.scorecard where model = 'ensemble' "
        "order by horizon_sessions"
    ).to_pylist()
    runs = sorted(runs_at(snapshot, as_of), key=lambda run: (run["as_of"], run["finished_at"], run["model_id"]), reverse=True)
    return [
        {
            "model_id": run["model_id"],
            "recipe": run["recipe"],
            "trained_through": run["trained_through"],
            "state": state_of(run["model_id"], decisions, serves) if run["calibrated"] else "not judged",
            "rank_ic": {
                card["horizon_sessions"]: {"mean": card["rank_ic"], "half_width": card["rank_ic_half_width"], "windows": card["windows"]}
                for card in cards
                if card["model_id"] == run["model_id"]
            },
            "decision": told(last[run["model_id"]]) if run["model_id"] in last else None,
            "verdict": last[run["model_id"]]["why"] if run["model_id"] in last else None,
            "who": last[run["model_id"]]["who"] if run["model_id"] in last else None,
            "decided_at": last[run["model_id"]]["decided_at"] if run["model_id"] in last else None,
        }
        for run in runs
    ]


def _scores(rows: pa.Table, grid: panel.Grid) -> dict[int, measures.Floats]:
    by_horizon = rows["horizon_sessions"].to_numpy()
    return {h: panel.dense(rows.filter(pa.array(by_horizon == h)), grid, "score") for h in HORIZONS_SESSIONS}


def _signed(gain: Interval) -> str:
    return f"{gain.mean:+.3f} ±{gain.half_width:.3f}" if np.isfinite(gain.half_width) else f"{gain.mean:+.3f} (no interval)"


def _publish(lake: Lake, row: dict[str, Any]) -> dict[str, Any]:
    lake.publish(Change.append(PROMOTIONS, pa.Table.from_pylist([row], schema=PROMOTIONS.arrow_schema)))
    _log.info("model %s %s by %s: %s", row["model_id"], row["action"], row["who"], row["why"])
    return row
