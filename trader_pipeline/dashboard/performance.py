"""What the performance page shows: targets, skill over time, coverage, where it fails, and live results against the backtest."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trader_pipeline.dashboard.plot import Plot, Value, around, every, rolling
from trader_pipeline.dashboard.queries import Row, ask
from trader_pipeline.lake import Snapshot

WINDOW_SESSIONS = 63
"""A quarter: what a point of a line is the mean of."""
_POINTS = 240
_LABEL_WIDTH = 46
KINDS = ("regime", "sector", "volatility", "confidence", "year")

_LIVE = """
select l.horizon_sessions, count(*) as rows, count(ended) as ended, count(distinct l.session) as sessions,
  min(l.session) as first_session, max(l.session) as last_session,
  avg(((l.p_up > 0.5) = (realised_return > 0))::int) as accuracy, avg(((l.base_rate > 0.5) = (realised_return > 0))::int) as base_rate,
  avg((l.p_up - (realised_return > 0)::int) ^ 2) as brier, avg((realised_return between q05 and q95)::int) as inside_90
from predictions.paper_log l left join predictions.daily p
  on p.session = l.session and p.ticker = l.ticker and p.horizon_sessions = l.horizon_sessions and p.made_at = l.predicted_at
where in_time group by 1 order by 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One or more paths over the same sessions in one field; `marks` are values with a rule across it."""

    plot: Plot
    paths: tuple[tuple[str, str], ...]
    first: dt.date
    last: dt.date
    marks: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Accuracy at falling coverage, 100 % at the left: the path with its band, the base rate's path, and the points with their places."""

    plot: Plot
    accuracy: str
    base: str
    band: str
    points: list[Row]

    @property
    def labelled(self) -> list[Row]:
        """The points whose coverage is written under the axis: from the smallest on, as many as stand apart."""
        found: list[Row] = []
        for point in reversed(self.points):
            if not found or found[-1]["x"] - point["x"] >= _LABEL_WIDTH:
                found.append(point)
        return found


def tasks(snapshot: Snapshot, model_id: str) -> list[Row]:
    """Return the targets, the user's own first."""
    return ask(snapshot, "select * from evaluation.tasks where model_id = ? order by position", [model_id])


def segments(snapshot: Snapshot, model_id: str) -> list[Row]:
    """Return the ensemble's segments of all horizons, intervals cut at 0 and 1; `share` is that of the horizon's judged forecasts."""
    query = """
        select *, rows / max(rows) filter (kind = 'all') over (partition by horizon_sessions) as share
        from evaluation.segments where model_id = ? and model = 'ensemble'
        order by horizon_sessions, kind, case kind when 'volatility' then list_position(['low', 'middle', 'high'], segment) end, segment"""
    return [_cut(row) for row in ask(snapshot, query, [model_id])]


def _cut(row: Row) -> Row:
    """Return the row with its interval cut at 0 and 1: no share lies beyond."""
    return row | {end: None if row[end] is None else min(max(row[end], 0.0), 1.0) for end in ("low", "high")}


def gap_field(rows: Sequence[Row]) -> Plot:
    """Return the scale of accuracy minus base rate, zero in the middle: of the intervals from 20 windows, of all where none has them."""
    known = [row for row in rows if row["high"] is not None]
    shown = [row for row in known if not row["grey"]] or known
    low, high = around(*([row[end] - row["base_rate"] for row in shown] for end in ("low", "high")), least=0.05, always=(0.0,))
    edge = max(-low, high)
    return Plot(low=-edge, high=edge, width=240, height=14)


def skill_field(cards: Sequence[Row]) -> Plot:
    """Return one scale for the accuracies of all horizons that holds their intervals, base rates and targets."""
    ends = [
        [row["accuracy"] + side * (row["accuracy_half_width"] or 0.0) for row in cards if row["accuracy"] is not None] for side in (-1, 1)
    ]
    low, high = around(*ends, *([row[name] for row in cards] for name in ("base_rate", "target")), least=0.1, always=(0.5,))
    return Plot(low=max(low, 0.0), high=min(high, 1.0), width=200, height=16)


def strategy(snapshot: Snapshot, model_id: str) -> list[Row]:
    """Return the Sharpe ratios against momentum alone, then against the benchmark."""
    query = "select * from evaluation.strategy where model_id = ? order by against desc, cost_multiple"
    return ask(snapshot, query, [model_id])


def over_time(snapshot: Snapshot, model_id: str, horizon: int) -> dict[str, Line]:
    """Return the lines of rank IC, accuracy and calibration at one horizon; empty where nothing was judged."""
    query = "select * from evaluation.sessions where model_id = ? and horizon_sessions = ? order by session"
    rows = ask(snapshot, query, [model_id, horizon])
    if not rows:
        return {}
    days = [row["session"] for row in rows]
    shown = every(len(rows), _POINTS)
    smooth = {
        name: rolling([row[name] for row in rows], WINDOW_SESSIONS) for name in ("rank_ic", "accuracy", "base_accuracy", "p_up", "up")
    }

    def line(names: Sequence[tuple[str, str]], least: float, marks: tuple[float, ...], *, share: bool = True) -> Line:
        series = [[smooth[name][n] for n in shown] for name, _ in names]
        low, high = around(*series, least=least, always=marks)
        plot = Plot(low=low, high=high, share=share)
        paths = tuple((label, plot.line(values)) for values, (_, label) in zip(series, names, strict=True))
        return Line(plot=plot, paths=paths, first=days[0], last=days[-1], marks=marks)

    return {
        "Rank IC": line([("rank_ic", "rank IC")], 0.05, (0.0,), share=False),
        "Accuracy": line([("accuracy", "accuracy"), ("base_accuracy", "own base rate")], 0.1, (0.5,)),
        "Calibration": line([("p_up", "mean p_up"), ("up", "share that rose")], 0.1, (0.5,)),
    }


def coverage_curve(snapshot: Snapshot, model_id: str, horizon: int) -> Curve | None:
    """Return accuracy against coverage, full coverage at the left; None where no forecast is more confident than another."""
    query = "select * from evaluation.coverage_curve where model_id = ? and horizon_sessions = ? order by asked desc"
    points = [_cut(point) for point in ask(snapshot, query, [model_id, horizon])]
    if not points:
        return None
    series: dict[str, list[Value]] = {name: [point[name] for point in points] for name in ("accuracy", "base_rate", "low", "high")}
    low, high = around(*series.values(), least=0.1, always=(0.5, 0.7))
    plot = Plot(low=max(low, 0.0), high=min(high, 1.0), share=True)
    places = [round(plot.width * (1 - point["coverage"]), 1) for point in points]
    return Curve(
        plot=plot,
        accuracy=plot.path(places, series["accuracy"]),
        base=plot.path(places, series["base_rate"]),
        band=plot.band(places, series["low"], series["high"]),
        points=[point | {"x": place} for place, point in zip(places, points, strict=True)],
    )


def live(snapshot: Snapshot) -> list[Row]:
    """Return by horizon what became of forecasts that were made in time and came to their end."""
    return ask(snapshot, _LIVE)


def alarms(snapshot: Snapshot, serving: str | None) -> list[str]:
    """Return a line for each model under a leak alarm that is newer than the one that serves, and for that one itself.

    Where no model serves, for all of them.
    """
    query = """
        select s.model_id, s.horizon_sessions, s.leak_alarm from evaluation.scorecard s
        where s.model = 'ensemble' and s.leak_alarm is not null
          and s.known_at >= coalesce((select max(known_at) from evaluation.scorecard where model_id = ?), s.known_at)
        order by s.known_at desc, s.model_id, s.horizon_sessions"""
    rows: list[dict[str, Any]] = ask(snapshot, query, [serving])
    instead = f": {serving}, the last approved model, goes on" if serving else ", nor does any other"
    return [
        f"model {row['model_id']}, {row['horizon_sessions']} sessions: {row['leak_alarm']}"
        + ("" if row["model_id"] == serving else f". It does not serve{instead}")
        for row in rows
    ]
