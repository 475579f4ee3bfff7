"""What a symbol's suffix says of its listing: calendar, currency and unit of the quote. Yahoo's suffixes."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from trader_pipeline import calendar


@dataclass(frozen=True, slots=True)
class Listing:
    """Where a symbol trades. `exchange` is the MIC of the calendar, `price_unit` the unit of the quote."""

    exchange: str
    currency: str
    price_unit: str


UNITED_STATES = Listing("XNYS", "USD", "USD")
BY_SUFFIX = {
    "AS": Listing("XAMS", "EUR", "EUR"),
    "AT": Listing("ASEX", "EUR", "EUR"),
    "AX": Listing("XASX", "AUD", "AUD"),
    "BA": Listing("XBUE", "ARS", "ARS"),
    "BD": Listing("XBUD", "HUF", "HUF"),
    "BE": Listing("XFRA", "EUR", "EUR"),
    "BK": Listing("XBKK", "THB", "THB"),
    "BO": Listing("XBOM", "INR", "INR"),
    "BR": Listing("XBRU", "EUR", "EUR"),
    "CL": Listing("XBOG", "COP", "COP"),
    "CN": Listing("XTSE", "CAD", "CAD"),
    "CO": Listing("XCSE", "DKK", "DKK"),
    "CY": Listing("XCYS", "EUR", "EUR"),
    "DE": Listing("XETR", "EUR", "EUR"),
    "DU": Listing("XDUS", "EUR", "EUR"),
    "F": Listing("XFRA", "EUR", "EUR"),
    "HA": Listing("XFRA", "EUR", "EUR"),
    "HE": Listing("XHEL", "EUR", "EUR"),
    "HK": Listing("XHKG", "HKD", "HKD"),
    "HM": Listing("XHAM", "EUR", "EUR"),
    "IC": Listing("XICE", "ISK", "ISK"),
    "IL": Listing("XLON", "USD", "USD"),
    "IR": Listing("XDUB", "EUR", "EUR"),
    "IS": Listing("XIST", "TRY", "TRY"),
    "JK": Listing("XIDX", "IDR", "IDR"),
    "JO": Listing("XJSE", "ZAR", "ZAc"),
    "KA": Listing("XKAR", "PKR", "PKR"),
    "KL": Listing("XKLS", "MYR", "MYR"),
    "KQ": Listing("XKRX", "KRW", "KRW"),
    "KS": Listing("XKRX", "KRW", "KRW"),
    "L": Listing("XLON", "GBP", "GBp"),
    "LS": Listing("XLIS", "EUR", "EUR"),
    "MC": Listing("XMAD", "EUR", "EUR"),
    "ME": Listing("XMOS", "RUB", "RUB"),
    "MI": Listing("XMIL", "EUR", "EUR"),
    "MU": Listing("XFRA", "EUR", "EUR"),
    "MX": Listing("XMEX", "MXN", "MXN"),
    "NE": Listing("XTSE", "CAD", "CAD"),
    "NS": Listing("XBOM", "INR", "INR"),
    "NZ": Listing("XNZE", "NZD", "NZD"),
    "OL": Listing("XOSL", "NOK", "NOK"),
    "PA": Listing("XPAR", "EUR", "EUR"),
    "PR": Listing("XPRA", "CZK", "CZK"),
    "PS": Listing("XPHS", "PHP", "PHP"),
    "RG": Listing("XRIS", "EUR", "EUR"),
    "RO": Listing("XBSE", "RON", "RON"),
    "SA": Listing("BVMF", "BRL", "BRL"),
    "SG": Listing("XSTU", "EUR", "EUR"),
    "SI": Listing("XSES", "SGD", "SGD"),
    "SN": Listing("XSGO", "CLP", "CLP"),
    "SR": Listing("XSAU", "SAR", "SAR"),
    "SS": Listing("XSHG", "CNY", "CNY"),
    "ST": Listing("XSTO", "SEK", "SEK"),
    "SW": Listing("XSWX", "CHF", "CHF"),
    "SZ": Listing("XSHG", "CNY", "CNY"),
    "T": Listing("XTKS", "JPY", "JPY"),
    "TA": Listing("XTAE", "ILS", "ILA"),
    "TL": Listing("XTAL", "EUR", "EUR"),
    "TO": Listing("XTSE", "CAD", "CAD"),
    "TW": Listing("XTAI", "TWD", "TWD"),
    "TWO": Listing("XTAI", "TWD", "TWD"),
    "V": Listing("XTSE", "CAD", "CAD"),
    "VI": Listing("XWBO", "EUR", "EUR"),
    "VS": Listing("XLIT", "EUR", "EUR"),
    "WA": Listing("XWAR", "PLN", "PLN"),
}
"""Of exchanges that have no calendar of their own, that of one which opens on the same days: Berlin, Hanover and Munich as Frankfurt, the
National Stock Exchange of India as Bombay, KOSDAQ as Seoul, Shenzhen as Shanghai, Taipei's second board as its first, CSE and Cboe Canada
as Toronto."""

_SHARE_CLASSES = frozenset("ABCDE")

MOST_FIT = 0.9
"""An exchange that was open on this share of a file's days is the one that the file's name says."""


def listing_of(ticker: str) -> Listing:
    """Return the listing of a symbol; one without a known suffix is taken as listed in the United States, in dollars.

    A one-letter class suffix (BRK.B) is no exchange; `.L` and `.T` are London and Tokyo.
    """
    return BY_SUFFIX.get(ticker.rpartition(".")[2], UNITED_STATES) if "." in ticker else UNITED_STATES


def listing_of_file(name: str, days: calendar.Days) -> Listing:
    """Return the listing of a user's own ticker, whose suffix may follow a hyphen: TEM-L and KEN-TA-1d are TEM.L and KEN.TA.

    The suffix counts where its exchange was open on 90 % of `days`, or on no fewer than the United States were. Where these were
    open on every day and the other was not, or no exchange has the suffix, the hyphen is the symbol's own: BAC-PA, BRK-B.
    """
    plain = listing_of(name)
    told = BY_SUFFIX.get(name.partition("-")[2].partition("-")[0])
    if told is None:
        return plain
    open_there, open_here = (_open_share(listing.exchange, days) for listing in (told, plain))
    return told if open_there >= open_here or (open_there >= MOST_FIT and open_here < 1) else plain


def listings_of_files(rows: pa.Table) -> dict[str, Listing]:
    """Return the listing of each ticker of raw.own_bars rows."""
    days = rows.group_by("ticker", use_threads=False).aggregate([("date", "distinct")])
    pairs = zip(days["ticker"].to_pylist(), days["date_distinct"], strict=True)
    return {ticker: listing_of_file(ticker, own.values.to_numpy(zero_copy_only=False)) for ticker, own in pairs}


def _open_share(exchange: str, days: calendar.Days) -> float:
    sessions = calendar.sessions(exchange, days.min().item(), days.max().item())
    return float(np.isin(days.astype("datetime64[D]"), sessions).mean())


def with_hyphen(ticker: str) -> str:
    """Return a share class as vendors write it: BRK.B is BRK-B. A suffix that names an exchange, as in VOD.L, stays."""
    name, _, share_class = ticker.rpartition(".")
    return f"{name}-{share_class}" if name and share_class in _SHARE_CLASSES else ticker
