"""The promotion gate: a newly judged model serves when it is better than the one that does, where both forecast out of fold."""

import datetime as dt
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from trader_pipeline import measures, panel
from trader_pipeline.errors import NoModelError, UsageError
from trader_pipeline.flows.champion import PROMOTED, REFUSED, ROLLED_BACK, approved, decisions_at, runs_at
from trader_pipeline.flows.pooled import pooled_out_of_fold
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.measures import Interval
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.serving import PROMOTIONS

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
        """Mean over the horizons."""
        return float(np.mean([gain.mean for gain in self.gains.values()])) if self.gains else float("nan")


def consider(lake: Lake, *, as_of: dt.datetime, decided_at: dt.datetime, run_id: str) -> dict[str, Any]:
    """Decide on the newest judged model known at `as_of`, unless that was done; return its row of evaluation.promotions.

    Without an approved model it is promoted if it rings no leak alarm; beside one it must be better. Raises `NoModelError`.
    """
    snapshot = lake.snapshot()
    runs = [run for run in runs_at(snapshot, as_of) if run["calibrated"]]
    if not runs:
        raise NoModelError(f"no model that was known at {as_of:%Y-%m-%d %H:%M} UTC is trained and calibrated; run `trader run`")
    challenger = max(runs, key=lambda run: (run["as_of"], run["finished_at"], run["model_id"]))
    name = challenger["model_id"]
    if done := [row for row in decisions_at(snapshot, as_of) if row["model_id"] == name]:
        return done[0]
    champion = next((run for run in approved(snapshot, challenger["as_of"]) if run["model_id"] != name), None)
    verdict = judge(snapshot, challenger, champion)
    serving = None if champion is None else champion["model_id"]
    row = {
        "model_id": name,
        "action": PROMOTED if verdict.better else REFUSED,
        "serves": name if verdict.better else serving,
        "replaced": serving if verdict.better else None,
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

    Better: it rings no leak alarm, its daily rank IC, averaged over the horizons, is higher on the sessions that both forecast out of
    fold, and at no horizon does the 95 % interval of the difference lie under 0.
    """
    if challenger["alarm"]:
        return Verdict(better=False, gains={}, why=f"leak alarm: {challenger['alarm']}")
    if champion is None:
        return Verdict(better=True, gains={}, why="the first model without a leak alarm")
    gains = compared(snapshot, challenger["model_id"], champion["model_id"])
    said = ", ".join(f"{h}: {_signed(gain)}" for h, gain in gains.items())
    if not gains:
        return Verdict(better=False, gains={}, why=f"no session that {champion['model_id']} forecast out of fold too")
    mean = float(np.mean([gain.mean for gain in gains.values()]))
    worse = [h for h, gain in gains.items() if gain.mean + gain.half_width < 0]
    against = f"rank IC less that of {champion['model_id']} at {said}"
    if worse:
        return Verdict(better=False, gains=gains, why=f"worse at {', '.join(map(str, worse))} sessions: {against}")
    return Verdict(better=mean > 0, gains=gains, why=f"{'better' if mean > 0 else 'not better'} ({mean:+.4f}): {against}")


def compared(snapshot: Snapshot, challenger: str, champion: str) -> dict[int, Interval]:
    """Return by horizon the mean difference of the daily rank ICs, on the rows that both forecast; horizons without any are left out."""
    targets = snapshot.sql(f"select ticker, session, {', '.join(f'residual_rank_{h}d' for h in HORIZONS_SESSIONS)} from features.targets")  # noqa: S608 - names are constants
    grid = panel.Grid.of(targets)
    ours, theirs = (_scores(pooled_out_of_fold(snapshot, name), grid) for name in (challenger, champion))
    found = {}
    for horizon in HORIZONS_SESSIONS:
        both_NT = np.isfinite(ours[horizon]) & np.isfinite(theirs[horizon])
        label_NT = np.where(both_NT, panel.dense(targets, grid, f"residual_rank_{horizon}d"), np.nan)
        difference_T = measures.rank_ic(ours[horizon].T, label_NT.T) - measures.rank_ic(theirs[horizon].T, label_NT.T)
        gain = measures.nonoverlapping_interval(difference_T, horizon)
        if np.isfinite(gain.mean):
            found[horizon] = gain
    return found


def promote(lake: Lake, model_id: str, *, as_of: dt.datetime, decided_at: dt.datetime, who: str, why: str, run_id: str) -> dict[str, Any]:
    """Let the model serve from `as_of` on, whatever the gate said. Raises `UsageError` where it is not one that can."""
    snapshot = lake.snapshot()
    known = {run["model_id"]: run for run in runs_at(snapshot, as_of)}
    if model_id not in known:
        raise UsageError(f"{model_id} is no model that was known at {as_of:%Y-%m-%d %H:%M} UTC; `trader models` lists them")
    if not known[model_id]["calibrated"]:
        raise UsageError(f"{model_id} is not judged, so it has no calibration to serve with; `trader run` judges the newest model")
    serving = _serving(snapshot, as_of)
    if model_id == serving and decisions_at(snapshot, as_of):
        raise UsageError(f"{model_id} serves already; `trader models` lists the others")
    row = {"model_id": model_id, "action": PROMOTED, "serves": model_id, "replaced": serving, "who": who, "why": why}
    return _publish(lake, row | {"counts_from": as_of, "decided_at": decided_at, "run_id": run_id})


def rollback(lake: Lake, *, as_of: dt.datetime, decided_at: dt.datetime, who: str, why: str, run_id: str) -> dict[str, Any]:
    """Take the champion back from `as_of` on: the model that was approved before it serves. Raises `UsageError` where there is none."""
    found = [run["model_id"] for run in approved(lake.snapshot(), as_of)]
    if len(found) < 2:  # noqa: PLR2004 - the champion and the one before
        only = f"{found[0]} is the only approved model" if found else "no model is approved"
        raise UsageError(f"{only}, so there is nothing to go back to; `trader models promote ID` approves another")
    row = {"model_id": found[0], "action": ROLLED_BACK, "serves": found[1], "replaced": found[0], "who": who, "why": why}
    return _publish(lake, row | {"counts_from": as_of, "decided_at": decided_at, "run_id": run_id})


def models(snapshot: Snapshot, as_of: dt.datetime) -> list[dict[str, Any]]:
    """Return every model known at `as_of`, the newest first: trained through, rank IC by horizon, the last decision, state."""
    decisions = decisions_at(snapshot, as_of)
    last = {row["model_id"]: row for row in reversed(decisions)}
    serving = _serving(snapshot, as_of)
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
            "state": _state(run, last.get(run["model_id"]), serving),
            "rank_ic": {
                card["horizon_sessions"]: {"mean": card["rank_ic"], "half_width": card["rank_ic_half_width"], "windows": card["windows"]}
                for card in cards
                if card["model_id"] == run["model_id"]
            },
            "verdict": last[run["model_id"]]["why"] if run["model_id"] in last else None,
            "who": last[run["model_id"]]["who"] if run["model_id"] in last else None,
            "decided_at": last[run["model_id"]]["decided_at"] if run["model_id"] in last else None,
        }
        for run in runs
    ]


def _serving(snapshot: Snapshot, as_of: dt.datetime) -> str | None:
    found = approved(snapshot, as_of)
    return found[0]["model_id"] if found else None


def _state(run: dict[str, Any], last: dict[str, Any] | None, serving: str | None) -> str:
    if run["model_id"] == serving:
        return "serving"
    if last is None:
        return "not decided" if run["calibrated"] else "not judged"
    return "approved" if last["action"] == PROMOTED else str(last["action"])


def _scores(rows: pa.Table, grid: panel.Grid) -> dict[int, measures.Floats]:
    by_horizon = rows["horizon_sessions"].to_numpy()
    return {h: panel.dense(rows.filter(pa.array(by_horizon == h)), grid, "score") for h in HORIZONS_SESSIONS}


def _signed(gain: Interval) -> str:
    return f"{gain.mean:+.3f} ±{gain.half_width:.3f}" if np.isfinite(gain.half_width) else f"{gain.mean:+.3f} (no interval)"


def _publish(lake: Lake, row: dict[str, Any]) -> dict[str, Any]:
    lake.publish(Change.append(PROMOTIONS, pa.Table.from_pylist([row], schema=PROMOTIONS.arrow_schema)))
    _log.info("model %s %s by %s: %s", row["model_id"], row["action"], row["who"], row["why"])
    return row
