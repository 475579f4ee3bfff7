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
    "DE": Listing("XETR", "EUR", "EUR"),
    "HK": Listing("XHKG", "HKD", "HKD"),
    "L": Listing("XLON", "GBP", "GBp"),
    "MI": Listing("XMIL", "EUR", "EUR"),
    "PA": Listing("XPAR", "EUR", "EUR"),
    "ST": Listing("XSTO", "SEK", "SEK"),
    "SW": Listing("XSWX", "CHF", "CHF"),
    "T": Listing("XTKS", "JPY", "JPY"),
    "TO": Listing("XTSE", "CAD", "CAD"),
}


def listing_of(ticker: str) -> Listing:
    """Return the listing of a symbol; one without a known suffix is taken as listed in the United States, in dollars.

    A one-letter class suffix (BRK.B) is no exchange; `.L` and `.T` are London and Tokyo.
    """
    return _BY_SUFFIX.get(ticker.rpartition(".")[2], UNITED_STATES) if "." in ticker else UNITED_STATES
