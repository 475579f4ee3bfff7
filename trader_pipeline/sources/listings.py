"""What a symbol's suffix says of its listing: calendar, currency and unit of the quote. Yahoo's suffixes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listing:
    """Where a symbol trades. `exchange` is the MIC of the calendar, `price_unit` the unit of the quote."""

    exchange: str
    currency: str
    price_unit: str


UNITED_STATES = Listing("XNYS", "USD", "USD")
_BY_SUFFIX = {
    "AS": Listing("XAMS", "EUR", "EUR"),
    "AX": Listing("XASX", "AUD", "AUD"),
    "BR": Listing("XBRU", "EUR", "EUR"),
    "CO": Listing("XCSE", "DKK", "DKK"),
    "DE": Listing("XETR", "EUR", "EUR"),
    "F": Listing("XFRA", "EUR", "EUR"),
    "HE": Listing("XHEL", "EUR", "EUR"),
    "HK": Listing("XHKG", "HKD", "HKD"),
    "IL": Listing("XLON", "USD", "USD"),
    "IR": Listing("XDUB", "EUR", "EUR"),
    "JO": Listing("XJSE", "ZAR", "ZAc"),
    "L": Listing("XLON", "GBP", "GBp"),
    "LS": Listing("XLIS", "EUR", "EUR"),
    "MC": Listing("XMAD", "EUR", "EUR"),
    "MI": Listing("XMIL", "EUR", "EUR"),
    "NZ": Listing("XNZE", "NZD", "NZD"),
    "OL": Listing("XOSL", "NOK", "NOK"),
    "PA": Listing("XPAR", "EUR", "EUR"),
    "SA": Listing("BVMF", "BRL", "BRL"),
    "SI": Listing("XSES", "SGD", "SGD"),
    "ST": Listing("XSTO", "SEK", "SEK"),
    "SW": Listing("XSWX", "CHF", "CHF"),
    "T": Listing("XTKS", "JPY", "JPY"),
    "TA": Listing("XTAE", "ILS", "ILA"),
    "TO": Listing("XTSE", "CAD", "CAD"),
    "V": Listing("XTSE", "CAD", "CAD"),
    "VI": Listing("XWBO", "EUR", "EUR"),
    "WA": Listing("XWAR", "PLN", "PLN"),
}

_SHARE_CLASSES = frozenset("ABCDE")


def listing_of(ticker: str) -> Listing:
    """Return the listing of a symbol; one without a known suffix is taken as listed in the United States, in dollars.

    A one-letter class suffix (BRK.B) is no exchange; `.L` and `.T` are London and Tokyo.
    """
    return _BY_SUFFIX.get(ticker.rpartition(".")[2], UNITED_STATES) if "." in ticker else UNITED_STATES


def with_hyphen(ticker: str) -> str:
    """Return a share class as vendors write it: BRK.B is BRK-B. A suffix that names an exchange, as in VOD.L, stays."""
    name, _, share_class = ticker.rpartition(".")
    return f"{name}-{share_class}" if name and share_class in _SHARE_CLASSES else ticker
