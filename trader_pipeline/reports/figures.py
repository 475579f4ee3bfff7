"""Pictures as SVG text: one palette, labelled axes with units, the source at the foot. The same data gives the same bytes."""

import datetime as dt
import hashlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

INK, MUTED, LINE = "#1a2027", "#5d6875", "#dfe3e8"
PRIMARY, SECOND, BAD, SOFT = "#1f5fbf", "#c0792a", "#b8342c", "#a9c4ec"
WIDTH_INCHES = 7.6

_STYLE: dict[str, Any] = {
    "svg.fonttype": "path",
    "svg.hashsalt": "trader_pipeline",
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "figure.facecolor": "white",
}


def _style() -> AbstractContextManager[None]:
    return mpl.rc_context(_STYLE)  # type: ignore[arg-type]  # its keys are literals


def draw(paint: Callable[[list[Axes]], None], *, height: float, source: str, rows: Sequence[float] = (1.0,)) -> str:
    """Return the SVG of a figure of `height` inches; `paint` gets one axes a row, `rows` are their relative heights."""
    with _style():
        figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
        grid = figure.subplots(len(rows), 1, sharex=len(rows) > 1, squeeze=False, gridspec_kw={"height_ratios": list(rows)})
        paint(list(grid[:, 0]))
        figure.supxlabel(source, x=0.005, ha="left", fontsize=6, color=MUTED)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return _inline(out.getvalue())


def _inline(text: str) -> str:
    """Return the SVG element for HTML: without prologue, name spaces and metadata, its identifiers its own."""
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    own = f"f{hashlib.sha256(text.encode()).hexdigest()[:8]}-"
    for mark in (' id="', 'href="#', "url(#"):
        text = text.replace(mark, mark + own)
    return text


def intervals(names: Sequence[str], forecasts: Mapping[str, Floats], *, horizon: int, source: str) -> str:
    """Draw one line a name: q05 to q95, thick q25 to q75, a tick at return_mean. `forecasts` are fractions by column."""
    y = np.arange(len(names))[::-1]

    def paint(axes: list[Axes]) -> None:
        ax = axes[0]
        ax.axvline(0, color=MUTED, linewidth=0.8)
        ax.hlines(y, 100 * forecasts["q05"], 100 * forecasts["q95"], color=SOFT, linewidth=2.5)
        ax.hlines(y, 100 * forecasts["q25"], 100 * forecasts["q75"], color=PRIMARY, linewidth=5)
        ax.plot(100 * forecasts["return_mean"], y, "|", color="white", markersize=6, markeredgewidth=1.6)
        ax.set_yticks(y, names)
        ax.set_xlabel(f"Simple return over {horizon} sessions, %")
        ax.grid(visible=False, axis="y")
        ax.tick_params(axis="y", length=0)

    return draw(paint, height=0.9 + 0.19 * len(names), source=source)


def growth(sessions: Sequence[dt.date], strategy: Floats, benchmark: Floats, *, benchmark_name: str, source: str) -> str:
    """Draw the compounded value of 1 of two series of daily returns, and the fall of the first below its high."""
    curve, market = np.cumprod(1 + strategy), np.cumprod(1 + benchmark)
    high = np.maximum.accumulate(np.maximum(curve, 1.0))
    days: Any = np.asarray(sessions, dtype="datetime64[D]")

    def paint(axes: list[Axes]) -> None:
        top, bottom = axes
        top.plot(days, curve, color=PRIMARY, linewidth=1.4, label="Strategy, net of costs")
        top.plot(days, market, color=SECOND, linewidth=1.2, label=benchmark_name)
        top.set_ylabel("Value of 1")
        top.legend(loc="upper left")
        bottom.fill_between(days, 100 * (curve / high - 1), 0, color=BAD, alpha=0.35, linewidth=0)
        bottom.set_ylabel("Drawdown, %")
        locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
        bottom.xaxis.set_major_locator(locator)
        bottom.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]

    return draw(paint, height=3.3, source=source, rows=(2.4, 1))


def accuracy(horizons: Sequence[int], value: Floats, half_width: Floats, base: Floats, target: float, *, source: str) -> str:
    """Draw accuracy with its 95 % interval a horizon, cut at 0 and 1, beside the base rate and the target. All values are fractions."""
    y = np.arange(len(horizons))[::-1]

    def paint(axes: list[Axes]) -> None:
        ax = axes[0]
        low, high = np.clip(value - half_width, 0, 1), np.clip(value + half_width, 0, 1)
        ax.hlines(y, 100 * low, 100 * high, color=SOFT, linewidth=5)
        ax.plot(100 * value, y, "o", color=PRIMARY, markersize=5, label="Accuracy, 95 % interval")
        ax.plot(100 * base, y, "|", color=INK, markersize=13, markeredgewidth=1.6, label="Base rate")
        ax.axvline(100 * target, color=BAD, linewidth=1, linestyle=(0, (3, 2)), label="Target")
        ax.set_yticks(y, [f"{h} session" if h == 1 else f"{h} sessions" for h in horizons])
        ax.set_ylim(-0.7, len(horizons) - 0.3)
        ax.set_xlabel("Share of directions that were right, %")
        ax.grid(visible=False, axis="y")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.22), ncols=3)

    return draw(paint, height=1.9, source=source)


def scenarios(horizons: Sequence[int], low: Floats, middle: Floats, high: Floats, *, source: str) -> str:
    """Draw a book's pessimistic, base and optimistic return by horizon (fractions), on a square-root axis of sessions."""
    x = np.sqrt([0, *horizons])

    def from_zero(values: Floats) -> Floats:
        return np.concatenate([[0.0], 100 * values])

    def paint(axes: list[Axes]) -> None:
        ax = axes[0]
        ax.fill_between(x, from_zero(low), from_zero(high), color=SOFT, alpha=0.5, linewidth=0)
        ax.axhline(0, color=MUTED, linewidth=0.8)
        for values, colour, name in ((high, PRIMARY, "optimistic"), (middle, INK, "base"), (low, BAD, "pessimistic")):
            ax.plot(x, from_zero(values), color=colour, linewidth=1.3, marker="o", markersize=3)
            ax.annotate(name, (x[-1], 100 * values[-1]), xytext=(5, 0), textcoords="offset points", va="center", color=colour)
        ax.set_xticks(x, [str(h) for h in (0, *horizons)])
        ax.set_xlabel("Sessions ahead, square-root scale")
        ax.set_ylabel("Return of the book, %")
        ax.set_xlim(0, x[-1] * 1.12)

    return draw(paint, height=2.3, source=source)
