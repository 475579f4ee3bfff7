"""core.ticker_map: which security, issuer and exchange a symbol meant, and when."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from trader_pipeline.schema.core import TICKER_MAP
from trader_pipeline.standardize.symbols import Interval, Symbols


def ticker_map(
    spans: Mapping[str, tuple[dt.date, dt.date]],
    listings: Sequence[Mapping[str, Any]],
    symbols: Symbols,
    *,
    ended: Mapping[str, str],
    order: Sequence[str],
) -> pa.Table:
    """Return core.ticker_map rows of the securities that have bars.

    `spans` is the first and last session with a bar by ticker; `listings` are core.listings rows, of which the first source
    in `order` counts; `ended` says which securities the sources do not know any more. A security's last interval ends with
    its last bar when the symbol ended or went to another company, or when it is in `ended`. No interval reaches beyond the time
    when the security had the symbol, whatever bars from before it brought along: so no two of one symbol overlap.
    """
    told = _by_symbol(listings, order)
    rows = [row for ticker in sorted(spans) for row in _rows(ticker, spans[ticker], told, symbols, ended.get(ticker))]
    return TICKER_MAP.conform(pa.Table.from_pylist(rows, schema=TICKER_MAP.arrow_schema))


def _rows(
    ticker: str, span: tuple[dt.date, dt.date], told: Mapping[str, Mapping[str, Any]], symbols: Symbols, ended: str | None
) -> list[dict[str, Any]]:
    first, last = span
    lived = [i for i in symbols.intervals(ticker) if i.last is None or i.last >= first or i is symbols.intervals(ticker)[-1]]
    listing = next((told[i.symbol] for i in reversed(lived) if i.symbol in told), {})
    name = _name(ticker, lived[-1], symbols) or listing.get("name")
    rows = []
    for position, interval in enumerate(lived):
        since = _within(interval, first) if position == 0 else (interval.first or first)
        until, why = _end(interval, last, ended if interval is lived[-1] else None)
        rows.append(
            {
                "ticker": ticker,
                "symbol": interval.symbol,
                "valid_from": since,
                "valid_to": until if until is None else max(until, since),
                "issuer_id": listing.get("issuer_id") or name or ticker,
                "exchange": listing.get("exchange") or "XNYS",
                "name": name,
                "role": listing.get("role") or "stock",
                "ended": why,
            }
        )
    return rows


def _within(interval: Interval, day: dt.date) -> dt.date:
    """Return the day of the interval that is nearest to `day`."""
    return min(max(day, interval.first or day), interval.last or dt.date.max)


def _end(interval: Interval, last_bar: dt.date, ended: str | None) -> tuple[dt.date | None, str | None]:
    if interval.renamed:
        return interval.last, "renamed"
    if interval.last is not None:
        return min(interval.last, last_bar), "delisted"
    return (last_bar, ended) if ended else (None, None)


def _name(ticker: str, last: Interval, symbols: Symbols) -> str | None:
    """Return the name of a security whose symbol is free or another's now: the vendors' listing of the symbol is not its."""
    if last.symbol == ticker or last.last is None:
        return None
    on = last.last + dt.timedelta(days=1)
    told = next((c.name for c in symbols.changes if c.symbol == last.symbol and c.changed_on == on), None)
    return told or ticker


def _by_symbol(listings: Sequence[Mapping[str, Any]], order: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    rank = {source: place for place, source in enumerate(order)}
    ranked = sorted(listings, key=lambda row: rank.get(row["source"], len(rank)), reverse=True)
    return {row["symbol"]: row for row in ranked}
