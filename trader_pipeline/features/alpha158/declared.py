"""Names, formulas and look-backs of the 158 features, in the order of their rows. Formulas are Qlib's expressions."""

from dataclasses import dataclass

from trader_pipeline.features.alpha158.rows import STATISTICS, WINDOWS


@dataclass(frozen=True, slots=True)
class Alpha:
    """One feature: its column, what it says, its unit, Qlib's expression, and how many sessions before t it reads."""

    name: str
    description: str
    unit: str
    formula: str
    lookback_sessions: int


_CANDLE = {
    "kmid": ("Body of the candle", "($close-$open)/$open"),
    "klen": ("Range of the candle", "($high-$low)/$open"),
    "kmid2": ("Body as a share of the range", "($close-$open)/($high-$low+1e-12)"),
    "kup": ("Upper shadow", "($high-Greater($open, $close))/$open"),
    "kup2": ("Upper shadow as a share of the range", "($high-Greater($open, $close))/($high-$low+1e-12)"),
    "klow": ("Lower shadow", "(Less($open, $close)-$low)/$open"),
    "klow2": ("Lower shadow as a share of the range", "(Less($open, $close)-$low)/($high-$low+1e-12)"),
    "ksft": ("Twice the distance of the close from the middle of the range", "(2*$close-$high-$low)/$open"),
    "ksft2": ("Place of the close in the range, -1 to 1", "(2*$close-$high-$low)/($high-$low+1e-12)"),
    "open0": ("Open over close", "$open/$close"),
    "high0": ("High over close", "$high/$close"),
    "low0": ("Low over close", "$low/$close"),
    "vwap0": ("Mean traded price over close; daily bars tell none, so it is (high + low + close) / 3", "$vwap/$close"),
}
_SHARE = frozenset({"kmid2", "kup2", "klow2", "ksft2"})

_GAINS, _LOSSES = "Sum(Greater({x}-Ref({x}, 1), 0), {d})", "Sum(Greater(Ref({x}, 1)-{x}, 0), {d})"
_MOVES = "(Sum(Abs({x}-Ref({x}, 1)), {d})+1e-12)"
_CORRELATION, _FRACTION, _RATIO = "-", "fraction", "ratio"
_WINDOWED = {
    "roc": ("Close of {d} sessions before over close", _RATIO, "Ref($close, {d})/$close", 1),
    "ma": ("Mean close over close", _RATIO, "Mean($close, {d})/$close", 0),
    "std": ("Standard deviation of the close over close", _FRACTION, "Std($close, {d})/$close", 0),
    "beta": ("Slope of the close on time over close", "fraction / session", "Slope($close, {d})/$close", 0),
    "rsqr": ("Share of the close's variance that a line over time explains", _FRACTION, "Rsquare($close, {d})", 0),
    "resi": ("What a line over time leaves of the close, over close", _FRACTION, "Resi($close, {d})/$close", 0),
    "max": ("Highest high over close", _RATIO, "Max($high, {d})/$close", 0),
    "min": ("Lowest low over close", _RATIO, "Min($low, {d})/$close", 0),
    "qtlu": ("0.8 quantile of the close over close", _RATIO, "Quantile($close, {d}, 0.8)/$close", 0),
    "qtld": ("0.2 quantile of the close over close", _RATIO, "Quantile($close, {d}, 0.2)/$close", 0),
    "rank": ("Rank of the close as a share of the window's closes", _FRACTION, "Rank($close, {d})", 0),
    "rsv": (
        "Place of the close between lowest low and highest high",
        _FRACTION,
        "($close-Min($low, {d}))/(Max($high, {d})-Min($low, {d})+1e-12)",
        0,
    ),
    "imax": ("Where the highest high stands, 1 is today", _FRACTION, "IdxMax($high, {d})/{d}", 0),
    "imin": ("Where the lowest low stands, 1 is today", _FRACTION, "IdxMin($low, {d})/{d}", 0),
    "imxd": ("How much later the high stands than the low", _FRACTION, "(IdxMax($high, {d})-IdxMin($low, {d}))/{d}", 0),
    "corr": ("Correlation of close and log volume", _CORRELATION, "Corr($close, Log($volume+1), {d})", 0),
    "cord": (
        "Correlation of the changes of close and volume",
        _CORRELATION,
        "Corr($close/Ref($close,1), Log($volume/Ref($volume, 1)+1), {d})",
        1,
    ),
    "cntp": ("Share of sessions that rose", _FRACTION, "Mean($close>Ref($close, 1), {d})", 1),
    "cntn": ("Share of sessions that fell", _FRACTION, "Mean($close<Ref($close, 1), {d})", 1),
    "cntd": ("Share that rose less share that fell", _FRACTION, "Mean($close>Ref($close, 1), {d})-Mean($close<Ref($close, 1), {d})", 1),
    "sump": ("Gains as a share of all movement", _FRACTION, f"{_GAINS}/{_MOVES}", 1),
    "sumn": ("Losses as a share of all movement", _FRACTION, f"{_LOSSES}/{_MOVES}", 1),
    "sumd": ("Gains less losses as a share of all movement", _FRACTION, f"({_GAINS}-{_LOSSES})/{_MOVES}", 1),
    "vma": ("Mean volume over volume", _RATIO, "Mean($volume, {d})/($volume+1e-12)", 0),
    "vstd": ("Standard deviation of volume over volume", _RATIO, "Std($volume, {d})/($volume+1e-12)", 0),
    "wvma": (
        "Variation of volume times absolute return",
        _RATIO,
        "Std(Abs($close/Ref($close, 1)-1)*$volume, {d})/(Mean(Abs($close/Ref($close, 1)-1)*$volume, {d})+1e-12)",
        1,
    ),
    "vsump": ("Rises of volume as a share of all its movement", _FRACTION, f"{_GAINS}/{_MOVES}", 1),
    "vsumn": ("Falls of volume as a share of all its movement", _FRACTION, f"{_LOSSES}/{_MOVES}", 1),
    "vsumd": ("Rises less falls of volume as a share of all its movement", _FRACTION, f"({_GAINS}-{_LOSSES})/{_MOVES}", 1),
}
"""Description, unit, expression, and whether the window's first session needs the one before."""


def _candle(name: str) -> Alpha:
    description, formula = _CANDLE[name]
    unit = "fraction of the range" if name in _SHARE else (_RATIO if name.endswith("0") else _FRACTION)
    return Alpha(f"alpha_{name}", f"{description}.", unit, formula, 0)


def _windowed(name: str, window: int) -> Alpha:
    description, unit, formula, before = _WINDOWED[name]
    told = f"{description}, {window} sessions." if "{d}" not in description else f"{description}."
    expression = formula.format(d=window, x="$volume" if name.startswith("v") else "$close")
    return Alpha(f"alpha_{name}{window}", told.format(d=window), unit, expression, window - 1 + before)


ALPHAS = (*map(_candle, _CANDLE), *(_windowed(name, window) for name in STATISTICS for window in WINDOWS))
"""The 158, in the order of the kernel's rows."""
