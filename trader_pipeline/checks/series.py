"""One ticker's rows of one source in the order of time, as arrays: what the rules on levels, splits and dividends compute on."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.schema.core import CORPORATE_ACTIONS

Floats = npt.NDArray[np.float64]
Days = npt.NDArray[np.datetime64]

PRICES = ("open", "high", "low", "close")

REPAIRS = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("ticker", "source", "column_name", "reason")),
        pa.field("session", pa.date32()),
        *(pa.field(name, pa.float64()) for name in ("stored", "proposed")),
    ]
)
"""What a rule would put in the place of a stored value, and why."""

LEAST_NOISE = 0.01
"""A series that moves less than 1 % a row (log return) is taken to move that much: thin ones stand still for weeks, then step."""

MAD_TO_SIGMA = 1.4826
"""Of a normal distribution."""

NOISE_ROWS = 40
"""What a price moves around a row is measured on so many rows on either side."""

TAIL, TAIL_TO_SIGMA = 0.9, 1.645
"""A price in coarse ticks stands still on most rows: the tenth that moves most shows what a tick is. Of a normal distribution."""

SPLIT_MOVE = math.log(1.2)
"""Smaller steps (log return) are never taken for a split: single stocks make them on news."""

_STEPS = """
create temp table if not exists price_steps as
with splits as (
  select ticker, session, product(value) as ratio from corporate_actions where kind = 'split' and value > 0 group by all
), rows_in_order as (
  select ticker, source, session, greatest(open, high, low, close) as top, least(open, high, low, close) as bottom, close,
    lag(close) over (partition by ticker, source order by session) as before
  from bars where close > 0 and isfinite(close)
)
select ticker, source,
  max(greatest(abs(ln(close / before * coalesce(ratio, 1))), if(bottom > 0 and isfinite(top), ln(top / bottom), 0))) as largest
from rows_in_order left join splits using (ticker, session) where before > 0 group by all
"""
_TOLD = """
select a.ticker, a.session, a.kind, arg_max(a.value, a.known_at) as value from corporate_actions a
anti join held_actions h on h.ticker = a.ticker and h.session = a.session and h.source = a.source and h.item = a.kind
group by all order by all
"""
FLOAT_32 = 1e-6

BATCH = 1000
"""Tickers that are taken out of the bars at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Rows with a close, oldest first. T rows; price_T4 is open, high, low, close, NaN where null or not positive.

    `traded_T`: volume above 0. `split_T` is the ratio of a split of the row, else 1. `as_traded`: prices jump at a split.
    `adj_T` is the close as the vendor adjusted it, NaN where there is none; `dividend_T`, `gain_T` are NaN where the vendor
    sends no such column at all. `gap_T` counts sessions since the row before, or where rows repeat a close that nobody traded at since
    the row before those, at least 1, by the series' own spacing.
    """

    ticker: str
    source: str
    spacing: str
    as_traded: bool
    day_T: Days
    price_T4: Floats
    volume_T: Floats
    split_T: Floats
    adj_T: Floats
    dividend_T: Floats
    gain_T: Floats

    @property
    def close_T(self) -> Floats:  # noqa: N802 - the shape
        """Closes."""
        return self.price_T4[:, 3]

    @property
    def traded_T(self) -> npt.NDArray[np.bool_]:  # noqa: N802 - the shape
        """Whether shares changed hands."""
        return np.nan_to_num(self.volume_T) > 0

    @property
    def torn_T(self) -> npt.NDArray[np.bool_]:  # noqa: N802 - the shape
        """Whether the open or the close lies outside of low to high, by more than a vendor's float32."""
        open_T, high_T, low_T, close_T = self.price_T4.T
        return np.asarray((np.fmax(open_T, close_T) > high_T * (1 + FLOAT_32)) | (np.fmin(open_T, close_T) < low_T * (1 - FLOAT_32)))

    @property
    def gap_T(self) -> Floats:  # noqa: N802 - the shape
        """Rows that a step spans: 1, or more where rows are missing before it, or a halt is."""
        halted_T = (self.volume_T == 0) & (np.diff(self.close_T, prepend=np.nan) == 0)
        moved_T = np.maximum.accumulate(np.where(halted_T, 0, np.arange(len(halted_T))))
        days_T = (self.day_T[1:] - self.day_T[moved_T[:-1]]).astype(float)
        usual = {"weekly": 7.0, "monthly": 30.0}.get(self.spacing, 1.45)
        return np.concatenate([[1.0], np.maximum(1.0, days_T / usual)])


def noise(step_T: Floats) -> float:
    """Return the robust standard deviation of log returns, at least LEAST_NOISE; NaN steps are dropped."""
    known = np.abs(step_T[np.isfinite(step_T)])
    return max(LEAST_NOISE, MAD_TO_SIGMA * float(np.median(known))) if len(known) else LEAST_NOISE


def local_noise(step_T: Floats, *rows: int, least: float = LEAST_NOISE) -> float:
    """Return what the log returns around the first of `rows` move anyway, at least `least`; those of `rows` and NaN are dropped.

    The larger of the robust standard deviation and of what the tenth that moves most says of it.
    """
    near = np.arange(max(0, rows[0] - NOISE_ROWS + 1), min(len(step_T), rows[0] + NOISE_ROWS + 1))
    moves = np.abs(step_T[near[~np.isin(near, rows)]])
    moves = moves[np.isfinite(moves)]
    if not len(moves):
        return least
    return max(least, MAD_TO_SIGMA * float(np.median(moves)), float(np.quantile(moves, TAIL)) / TAIL_TO_SIGMA)


def steps_over(context: CheckContext, least: float) -> set[tuple[str, str]]:
    """Return the (ticker, source) whose closes step, known splits undone, or whose row spans, more than `least` (log) anywhere."""
    context.connection.execute(_STEPS)
    rows = context.rows("select ticker, source from price_steps where largest > ?", [least])
    return {(row["ticker"], row["source"]) for row in rows}


def with_listed_splits(context: CheckContext) -> set[tuple[str, str]]:
    """Return the (ticker, source) for which a split is known that is large enough to be judged."""
    rows = context.rows(
        "select distinct b.ticker, b.source from series b join corporate_actions a using (ticker) "
        "where a.kind = 'split' and a.value > 0 and abs(ln(a.value)) > $least "
        "union select distinct ticker, source from vendor_prices where split_ratio > 0 and abs(ln(split_ratio)) > $least",
        {"least": SPLIT_MOVE},
    )
    return {(row["ticker"], row["source"]) for row in rows}


def series_of(context: CheckContext, chosen: set[tuple[str, str]]) -> Iterator[Series]:
    """Yield the chosen (ticker, source): as the vendor adjusted them where `vendor_prices` holds the whole series, else as traded."""
    if not chosen:
        return
    whole = {
        (row["ticker"], row["source"])
        for row in context.rows(
            "select distinct ticker, source from vendor_prices anti join "
            "(select distinct ticker, source from bars anti join vendor_prices using (ticker, source, session)) using (ticker, source)"
        )
    }
    spacings = {(row["ticker"], row["source"]): row["spacing"] for row in context.rows("select ticker, source, spacing from series")}
    yield from vendor_series(context, chosen & whole, spacings)
    rest = sorted(chosen - whole)
    for first in range(0, len(rest), BATCH):
        yield from _traded_series(context, set(rest[first : first + BATCH]), spacings)


def vendor_series(context: CheckContext, chosen: set[tuple[str, str]], spacings: dict[tuple[str, str], str]) -> Iterator[Series]:
    """Yield the chosen series of `vendor_prices`."""
    if not chosen:
        return
    rows = context.connection.table("vendor_prices").to_arrow_table()
    for key, piece in _pieces(rows, chosen):
        yield _series(key, piece, spacings.get(key, "daily"), as_traded=False)


def _traded_series(context: CheckContext, chosen: set[tuple[str, str]], spacings: dict[tuple[str, str], str]) -> Iterator[Series]:
    if not chosen:
        return
    splits: dict[str, list[tuple[np.datetime64, float]]] = {}
    dividends: dict[str, list[tuple[np.datetime64, float]]] = {}
    held = context.quarantine.filter(pc.equal(context.quarantine["table_name"], CORPORATE_ACTIONS.full_name))
    context.connection.register("held_actions", held)
    for row in context.rows(_TOLD):
        if row["value"] > 0:
            told = splits if row["kind"] == "split" else dividends
            told.setdefault(row["ticker"], []).append((np.datetime64(row["session"]), row["value"]))
    rows = context.table(
        "select ticker, source, session, open, high, low, close, volume_shares as volume from bars "
        "semi join (select unnest($tickers::varchar[]) as ticker) using (ticker)",
        {"tickers": sorted({ticker for ticker, _ in chosen})},
    )
    for key, piece in _pieces(rows, chosen):
        series = _series(key, piece, spacings.get(key, "daily"), as_traded=True)
        split_T, dividend_T = series.split_T.copy(), np.zeros(len(series.day_T))
        for day, ratio in splits.get(key[0], []):
            at = int(np.searchsorted(series.day_T, day))
            if 0 < at < len(split_T):
                split_T[at] *= ratio
        for day, cash in dividends.get(key[0], []):
            at = int(np.searchsorted(series.day_T, day))
            if 0 < at < len(split_T):
                dividend_T[at] += cash
        yield replace(series, split_T=split_T, dividend_T=dividend_T)


def _pieces(rows: pa.Table, chosen: set[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], pa.Table]]:
    """Yield each chosen (ticker, source) with its rows, oldest first; rows of one day keep the order of the file."""
    rows = rows.filter(pc.is_in(rows["ticker"], pa.array(sorted({ticker for ticker, _ in chosen}), pa.string()))).combine_chunks()
    code_R = np.zeros(rows.num_rows, dtype=np.int64)
    for name in ("ticker", "source"):
        codes = rows[name].combine_chunks().dictionary_encode()
        code_R = code_R * max(1, len(codes.dictionary)) + codes.indices.to_numpy()
    day_R = rows["session"].to_numpy().astype("datetime64[D]")
    order_R = np.argsort(code_R, kind="stable")
    for place_T in np.split(order_R, np.flatnonzero(np.diff(code_R[order_R])) + 1):
        if not len(place_T):
            continue
        downwards = day_R[place_T[0]] > day_R[place_T[-1]]
        mine = place_T[::-1] if downwards else place_T
        piece = rows.take(mine[np.argsort(day_R[mine], kind="stable")])
        key = (piece["ticker"][0].as_py(), piece["source"][0].as_py())
        if key in chosen:
            yield key, piece


def _series(key: tuple[str, str], piece: pa.Table, spacing: str, *, as_traded: bool) -> Series:
    def column(name: str) -> Floats:
        if name not in piece.column_names:
            return np.full(piece.num_rows, np.nan)
        return np.asarray(piece[name].to_numpy(zero_copy_only=False), dtype=np.float64)

    price_T4 = np.column_stack([column(name) for name in PRICES])
    price_T4[~(np.isfinite(price_T4) & (price_T4 > 0))] = np.nan
    keep_T = np.isfinite(price_T4[:, 3])
    split_T = np.nan_to_num(column("split_ratio"), nan=1.0)
    split_T[~(split_T > 0)] = 1.0
    # what happens on a day without a price takes effect on the next row that has one
    dividend_T, gain_T = (_carried(column(name), keep_T) for name in ("dividend", "capital_gain"))
    moved_T = np.exp(_carried(np.log(split_T), keep_T))
    return Series(
        ticker=key[0],
        source=key[1],
        spacing=spacing,
        as_traded=as_traded,
        day_T=piece["session"].to_numpy().astype("datetime64[D]")[keep_T],
        price_T4=price_T4[keep_T],
        volume_T=column("volume")[keep_T],
        split_T=moved_T,
        adj_T=column("adj_close")[keep_T],
        dividend_T=dividend_T,
        gain_T=gain_T,
    )


def _carried(value_T: Floats, keep_T: npt.NDArray[np.bool_]) -> Floats:
    """Return the sums of `value_T` up to each kept row; all NaN stays all NaN."""
    if not np.isfinite(value_T).any():
        return np.full(int(keep_T.sum()), np.nan)
    sums_T = np.cumsum(np.nan_to_num(value_T))[keep_T]
    moved_T = np.diff(sums_T, prepend=0.0)
    exact_T = np.nan_to_num(value_T)[keep_T]
    return np.asarray(np.where(np.isclose(moved_T, exact_T, rtol=1e-9, atol=1e-9), exact_T, moved_T))
