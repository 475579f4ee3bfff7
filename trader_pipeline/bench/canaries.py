"""Leaks planted on purpose, each beside its honest twin: the proof of no look-ahead must catch the one and let the other pass.

None of them is a feature of the panel. Legend: N tickers, T sessions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.bench.planted import EXCHANGE, PlantedTables, stamped_with_first_filing
from trader_pipeline.features import kernels
from trader_pipeline.features.cross_section import among, day_rank, ratio
from trader_pipeline.features.intervals import members
from trader_pipeline.features.market import Float, Index, Market, previous
from trader_pipeline.features.truncation import moments

Compute = Callable[[PlantedTables, Market], Float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A leak: in the function, or in the tables as `store` leaves them."""

    name: str
    leaking: Compute
    honest: Compute
    store: Callable[[PlantedTables], PlantedTables] | None = None


def _placed(market: Market, table: pa.Table, column: Index) -> Float:
    """Return `value` of each row at its session, [N, T]; a later row of the table stands where two fall on one cell."""
    x_NT = market.empty()
    row = market.grid.ticker_index(table["ticker"])
    keep = (row >= 0) & (column < len(market.grid.sessions))
    x_NT[row[keep], column[keep]] = table["value"].to_numpy()[keep]
    return x_NT


def _carried(x_NT: Float) -> Float:
    """Return the newest value so far."""
    newest_NT = np.maximum.accumulate(np.where(np.isfinite(x_NT), np.arange(x_NT.shape[1]), -1), axis=1)
    return np.where(newest_NT >= 0, np.take_along_axis(x_NT, np.maximum(newest_NT, 0), axis=1), np.nan)


def _as_known(market: Market, table: pa.Table) -> Index:
    """Return the first session at whose close + 30 min each row is known."""
    return np.searchsorted(calendar.known_at_array(EXCHANGE, market.grid.sessions), moments(table, "known_at"))


def centred_mean(_: PlantedTables, market: Market) -> Float:
    """Return the mean close of t - 2 .. t + 2."""
    return _next(kernels.window_mean(market.prices.close, 5), 2)


def trailing_mean(_: PlantedTables, market: Market) -> Float:
    """Return the mean close of t - 4 .. t."""
    return kernels.window_mean(market.prices.close, 5)


def return_of_tomorrow(_: PlantedTables, market: Market) -> Float:
    """Return tomorrow's log return."""
    return _next(market.prices.log_return, 1)


def return_of_yesterday(_: PlantedTables, market: Market) -> Float:
    """Return yesterday's log return."""
    return previous(market.prices.log_return)


def newest_version(tables: PlantedTables, market: Market) -> Float:
    """Return each period's newest figure from its first filing on."""
    filings = tables.filings.sort_by([("ticker", "ascending"), ("period_end", "ascending"), ("known_at", "ascending")])
    key = np.array(
        [f"{t} {p}" for t, p in zip(filings["ticker"].to_pylist(), filings["period_end"].to_pylist(), strict=True)], dtype=object
    )
    _, first = np.unique(key, return_index=True)
    newest = filings.take(pa.array(np.append(first[1:], len(key)) - 1))
    return _carried(_placed(market, newest, _as_known(market, filings.take(pa.array(first)))))


def version_as_known(tables: PlantedTables, market: Market) -> Float:
    """Return the newest figure filed by the session."""
    filings = tables.filings.sort_by("known_at")
    return _carried(_placed(market, filings, _as_known(market, filings)))


def back_filled(tables: PlantedTables, market: Market) -> Float:
    """Return a sparse series, nulls filled with the next value."""
    return np.ascontiguousarray(_carried(_sparse(tables, market)[:, ::-1])[:, ::-1])


def carried_forward(tables: PlantedTables, market: Market) -> Float:
    """Return a sparse series, nulls filled with the value before."""
    return _carried(_sparse(tables, market))


def scaled_by_the_sample(_: PlantedTables, market: Market) -> Float:
    """Return the close in standard deviations from its mean over all sessions there are."""
    close = market.prices.close
    return ratio(close - np.nanmean(close, axis=1, keepdims=True), np.nanstd(close, axis=1, keepdims=True))


def scaled_by_the_window(_: PlantedTables, market: Market) -> Float:
    """Return the close in standard deviations from its mean over 63 sessions."""
    close = market.prices.close
    return ratio(close - kernels.window_mean(close, 63), kernels.window_deviation(close, 63))


def news_of_the_date(tables: PlantedTables, market: Market) -> Float:
    """Return headlines by their date, those after the close too."""
    day = moments(tables.headlines, "known_at").astype("datetime64[D]")
    return _placed(market, tables.headlines, np.searchsorted(market.grid.sessions, day))


def news_as_known(tables: PlantedTables, market: Market) -> Float:
    """Return headlines by the first close by which they were told."""
    return _sparse(tables, market)


def rank_among_todays_members(tables: PlantedTables, market: Market) -> Float:
    """Return the rank of the day's return among those who are members on the newest session."""
    inside = members(tables.members, market.grid, market.rows)[:, -1:]
    return day_rank(among(market.prices.log_return, np.broadcast_to(inside, market.grid.shape)))


def rank_among_members(tables: PlantedTables, market: Market) -> Float:
    """Return the rank of the day's return among that day's members."""
    return day_rank(among(market.prices.log_return, members(tables.members, market.grid, market.rows)))


def _next(x_NT: Float, sessions: int) -> Float:
    out_NT = np.full_like(x_NT, np.nan)
    out_NT[:, :-sessions] = x_NT[:, sessions:]
    return out_NT


def _sparse(tables: PlantedTables, market: Market) -> Float:
    closes = calendar.known_at_array(EXCHANGE, market.grid.sessions) - np.timedelta64(calendar.KNOWN_AFTER_CLOSE)
    return _placed(market, tables.headlines, np.searchsorted(closes, moments(tables.headlines, "known_at")))


CANARIES = (
    Canary(name="centred_window", leaking=centred_mean, honest=trailing_mean),
    Canary(name="one_day_shift", leaking=return_of_tomorrow, honest=return_of_yesterday),
    Canary(name="restated_fundamentals", leaking=newest_version, honest=version_as_known),
    Canary(name="restatement_stamped_early", leaking=version_as_known, honest=version_as_known, store=stamped_with_first_filing),
    Canary(name="back_filled_nulls", leaking=back_filled, honest=carried_forward),
    Canary(name="full_sample_scaler", leaking=scaled_by_the_sample, honest=scaled_by_the_window),
    Canary(name="news_after_close", leaking=news_of_the_date, honest=news_as_known),
    Canary(name="current_list_universe", leaking=rank_among_todays_members, honest=rank_among_members),
)
