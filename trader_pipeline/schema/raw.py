"""Raw tables keep the vendor's own columns; only the two fetch columns are ours. Rows are never changed."""

from trader_pipeline.schema.columns import RUN_ID, count, day, instant, number, text
from trader_pipeline.schema.table import Table

_FETCHED_AT = instant("fetched_at", "When we asked; part of the key, so a later answer never overwrites an earlier one.")
_REQUEST = text("request_sha256", "sha256 of the bytes that the row was read from.")
_TICKER = text("ticker", "The vendor's symbol.")
_DATE = day("date", "The vendor's date, exchange-local.")
_OHLC = tuple(number(name, "vendor", f"The vendor's {name}.") for name in ("open", "high", "low", "close"))
_VOLUME = number("volume", "vendor", "The vendor's volume.")

SAMPLE_BARS = Table(
    layer="raw",
    name="sample_bars",
    year_of="date",
    key=("ticker", "date", "fetched_at"),
    description="Bars that ship inside the package (PROVENANCE.md), as traded.",
    columns=(_TICKER, _DATE, *_OHLC, _VOLUME, _FETCHED_AT, _REQUEST),
)
SAMPLE_ACTIONS = Table(
    layer="raw",
    name="sample_actions",
    key=("ticker", "date", "kind", "fetched_at"),
    description="Splits that ship inside the package.",
    columns=(
        _TICKER,
        _DATE,
        text("kind", "split or dividend."),
        number("value", "vendor", "Ratio, or cash per share."),
        _FETCHED_AT,
        _REQUEST,
    ),
)
SAMPLE_TICKERS = Table(
    layer="raw",
    name="sample_tickers",
    key=("ticker", "valid_from", "fetched_at"),
    description="Tickers that ship inside the package, with issuer and role.",
    columns=(
        _TICKER,
        day("valid_from", "First session of the ticker in the sample."),
        text("issuer_id", "Joins share classes."),
        text("exchange", "Calendar of the listing."),
        text("name", "Company.", nullable=True),
        text("role", "stock or benchmark."),
        _FETCHED_AT,
        _REQUEST,
    ),
)
SAMPLE_SECTORS = Table(
    layer="raw",
    name="sample_sectors",
    key=("ticker", "valid_from", "fetched_at"),
    description="Sectors that ship inside the package.",
    columns=(
        _TICKER,
        day("valid_from", "First day, inclusive."),
        day("valid_to", "Last day, inclusive; null is open.", nullable=True),
        text("sector", "Sector."),
        _FETCHED_AT,
        _REQUEST,
    ),
)
SAMPLE_MACRO = Table(
    layer="raw",
    name="sample_macro",
    year_of="date",
    key=("series", "date", "fetched_at"),
    description="Macro series that ship inside the package.",
    columns=(text("series", "Series."), _DATE, number("value", "percent", "Value."), _FETCHED_AT, _REQUEST),
)
OWN_BARS = Table(
    layer="raw",
    name="own_bars",
    year_of="date",
    key=("ticker", "date", "fetched_at"),
    description="A user's own files, column spellings mapped.",
    columns=(
        _TICKER,
        _DATE,
        *_OHLC,
        _VOLUME,
        number("dividend", "vendor", "Cash dividend going ex on the date."),
        number("split_ratio", "new / old", "Split going ex on the date."),
        number("splits_after", "new / old", "What turns the file's price into the price as traded: 1, or its later splits."),
        text("role", "stock or benchmark."),
        text("file", "File name the row came from."),
        _FETCHED_AT,
        _REQUEST,
    ),
)
YAHOO_BARS = Table(
    layer="raw",
    name="yahoo_bars",
    year_of="Date",
    key=("ticker", "Date", "fetched_at"),
    description="Yahoo's daily history at auto_adjust=False: split-adjusted as of the download day.",
    columns=(
        _TICKER,
        day("Date", "Session, exchange-local."),
        *(
            number(name, "vendor", f"Yahoo's {name}.")
            for name in ("Open", "High", "Low", "Close", "Adj Close", "Volume", "Dividends", "Stock Splits")
        ),
        text("currency", "Yahoo's currency of the quote.", nullable=True),
        text("exchange", "Yahoo's exchange code.", nullable=True),
        text("longName", "Yahoo's name of the company.", nullable=True),
        number(
            "splits_after",
            "new / old",
            "Ours: product of the splits that this answer dates after the row, rows left out included; Close x splits_after is as traded.",
            nullable=False,
        ),
        text("role", "Ours: stock, or benchmark (settings.benchmark when it was fetched)."),
        _FETCHED_AT,
        _REQUEST,
    ),
)
SIMULATED_BARS = Table(
    layer="raw",
    name="simulated_bars",
    year_of="date",
    key=("ticker", "date", "fetched_at"),
    description="The simulated market's bars.",
    columns=(_TICKER, _DATE, *_OHLC, _VOLUME, _FETCHED_AT, _REQUEST),
)
SIMULATED_FACTS = Table(
    layer="raw",
    name="simulated_facts",
    year_of="date",
    key=("kind", "ticker", "name", "date", "fetched_at"),
    description="The simulated market's observables and its oracle, long: kind is characteristic, macro, sector or oracle.",
    columns=(
        text("kind", "characteristic, macro, sector or oracle."),
        _TICKER,
        text("name", "Series; for the oracle the horizon in sessions."),
        _DATE,
        number("value", "vendor", "Value."),
        _FETCHED_AT,
        _REQUEST,
    ),
)
FETCH_ATTEMPTS = Table(
    layer="raw",
    name="fetch_attempts",
    year_of="at",
    key=("source", "ticker", "at"),
    description="Every attempt to fetch a ticker, with its outcome.",
    columns=(
        text("source", "Vendor."),
        _TICKER,
        instant("at", "When the attempt ended."),
        text("outcome", "ok, no_data, unknown_symbol, throttled, transient_exhausted or schema_change."),
        text("detail", "What the vendor said.", nullable=True),
        count("rows", "rows", "Rows received."),
        count("requests", "requests", "HTTP requests sent, retries included."),
        count("retries", "requests", "Requests that were retries."),
        day("first_session", "First session received.", nullable=True),
        day("last_session", "Last session received.", nullable=True),
        RUN_ID,
    ),
)
TABLES = (
    SAMPLE_BARS,
    SAMPLE_ACTIONS,
    SAMPLE_TICKERS,
    SAMPLE_SECTORS,
    SAMPLE_MACRO,
    OWN_BARS,
    YAHOO_BARS,
    SIMULATED_BARS,
    SIMULATED_FACTS,
    FETCH_ATTEMPTS,
)
