"""Raw tables keep the vendor's own columns; only the two fetch columns are ours. Rows are never changed."""

import pyarrow as pa

from trader_pipeline.schema import raw_fmp, raw_fred, raw_public, raw_sec, raw_tiingo, raw_yahoo
from trader_pipeline.schema.columns import (
    FETCHED_AT,
    REQUEST,
    RUN_ID,
    VENDOR_DATE,
    VENDOR_TICKER,
    count,
    day,
    instant,
    number,
    text,
)
from trader_pipeline.schema.raw_yahoo import YAHOO_BARS
from trader_pipeline.schema.table import Column, Table

_OHLC = tuple(number(name, "vendor", f"The vendor's {name}.") for name in ("open", "high", "low", "close"))
_VOLUME = number("volume", "vendor", "The vendor's volume.")

SAMPLE_BARS = Table(
    layer="raw",
    name="sample_bars",
    year_of="date",
    key=("ticker", "date", "fetched_at"),
    description="Bars that ship inside the package (PROVENANCE.md), as traded.",
    columns=(VENDOR_TICKER, VENDOR_DATE, *_OHLC, _VOLUME, FETCHED_AT, REQUEST),
)
SAMPLE_ACTIONS = Table(
    layer="raw",
    name="sample_actions",
    key=("ticker", "date", "kind", "fetched_at"),
    description="Splits that ship inside the package.",
    columns=(
        VENDOR_TICKER,
        VENDOR_DATE,
        text("kind", "split or dividend."),
        number("value", "vendor", "Ratio, or cash per share."),
        FETCHED_AT,
        REQUEST,
    ),
)
SAMPLE_TICKERS = Table(
    layer="raw",
    name="sample_tickers",
    key=("ticker", "valid_from", "fetched_at"),
    description="Tickers that ship inside the package, with issuer and role.",
    columns=(
        VENDOR_TICKER,
        day("valid_from", "First session of the ticker in the sample."),
        text("issuer_id", "Joins share classes."),
        text("exchange", "Calendar of the listing."),
        text("name", "Company.", nullable=True),
        text("role", "stock or benchmark."),
        FETCHED_AT,
        REQUEST,
    ),
)
SAMPLE_SECTORS = Table(
    layer="raw",
    name="sample_sectors",
    key=("ticker", "valid_from", "fetched_at"),
    description="Sectors that ship inside the package.",
    columns=(
        VENDOR_TICKER,
        day("valid_from", "First day, inclusive."),
        day("valid_to", "Last day, inclusive; null is open.", nullable=True),
        text("sector", "Sector."),
        FETCHED_AT,
        REQUEST,
    ),
)
SAMPLE_MACRO = Table(
    layer="raw",
    name="sample_macro",
    year_of="date",
    key=("series", "date", "fetched_at"),
    description="Macro series that ship inside the package.",
    columns=(text("series", "Series."), VENDOR_DATE, number("value", "percent", "Value."), FETCHED_AT, REQUEST),
)
OWN_BARS = Table(
    layer="raw",
    name="own_bars",
    version=2,
    year_of="date",
    key=("ticker", "date", "fetched_at"),
    description="A user's own files, column spellings mapped.",
    columns=(
        VENDOR_TICKER,
        VENDOR_DATE,
        *_OHLC,
        _VOLUME,
        number("dividend", "vendor", "Cash dividend going ex on the date."),
        number("split_ratio", "new / old", "Split going ex on the date."),
        number("splits_after", "new / old", "What turns the file's price into the price as traded: 1, or its later splits."),
        text("role", "stock or benchmark."),
        text("file", "File name the row came from."),
        FETCHED_AT,
        REQUEST,
        number("adj_close", "vendor", "The file's close adjusted for dividends; only checks look at it.", since=2),
        number("capital_gain", "vendor", "A fund's capital gain distributed on the date; `dividend` contains it.", since=2),
    ),
)
SIMULATED_BARS = Table(
    layer="raw",
    name="simulated_bars",
    year_of="date",
    key=("ticker", "date", "fetched_at"),
    description="The simulated market's bars.",
    columns=(VENDOR_TICKER, VENDOR_DATE, *_OHLC, _VOLUME, FETCHED_AT, REQUEST),
)
SIMULATED_FACTS = Table(
    layer="raw",
    name="simulated_facts",
    year_of="date",
    key=("kind", "ticker", "name", "date", "fetched_at"),
    description="The simulated market's observables and its oracle, long: kind is characteristic, macro, sector or oracle.",
    columns=(
        text("kind", "characteristic, macro, sector or oracle."),
        VENDOR_TICKER,
        text("name", "Series; for the oracle the horizon in sessions."),
        VENDOR_DATE,
        number("value", "vendor", "Value."),
        FETCHED_AT,
        REQUEST,
    ),
)
SIMULATED_FILINGS = Table(
    layer="raw",
    name="simulated_filings",
    year_of="period_end",
    key=("ticker", "metric", "period_end", "months", "filed_on", "fetched_at"),
    description="What the simulated market's companies file, long.",
    columns=(
        VENDOR_TICKER,
        text("metric", "Canonical name."),
        day("period_end", "Last day of the period."),
        count("months", "months", "Length of the period; 0 is a balance."),
        day("filed_on", "Day of filing."),
        number("value", "per unit", "Value in `unit`."),
        text("unit", "USD, shares or USD/shares."),
        FETCHED_AT,
        REQUEST,
    ),
)
SIMULATED_REPORTS = Table(
    layer="raw",
    name="simulated_reports",
    key=("ticker", "date", "fetched_at"),
    description="The simulated market's earnings reports.",
    columns=(
        VENDOR_TICKER,
        VENDOR_DATE,
        number("eps_estimate", "USD / share", "Expected earnings per share."),
        number("eps_actual", "USD / share", "Reported earnings per share."),
        FETCHED_AT,
        REQUEST,
    ),
)
SIMULATED_NEWS = Table(
    layer="raw",
    name="simulated_news",
    year_of="published_at",
    key=("ticker", "news_id", "published_at", "fetched_at"),
    description="The simulated market's headlines: their tone follows the characteristic z.",
    columns=(
        VENDOR_TICKER,
        text("news_id", "Number of the headline."),
        instant("published_at", "When it appeared."),
        text("title", "Headline."),
        FETCHED_AT,
        REQUEST,
    ),
)
SIMULATED_OPTIONS = Table(
    layer="raw",
    name="simulated_options",
    year_of="date",
    key=("ticker", "date", "expiry", "kind", "strike", "fetched_at"),
    description="The simulated market's option chains of its last quarter, priced from each ticker's true volatility.",
    columns=(
        VENDOR_TICKER,
        VENDOR_DATE,
        day("expiry", "Expiry of the contract."),
        text("kind", "call or put."),
        *(
            number(name, "vendor", meaning, nullable=name != "strike")
            for name, meaning in (
                ("strike", "Strike."),
                ("underlying", "Close of the underlying."),
                ("bid", "Bid; 0 is none."),
                ("ask", "Ask."),
            )
        ),
        number("volume", "contracts", "Contracts traded."),
        FETCHED_AT,
        REQUEST,
    ),
)
SIMULATED_MACRO = Table(
    layer="raw",
    name="simulated_macro",
    year_of="date",
    key=("series", "date", "released_at", "fetched_at"),
    description="The simulated market's macro series under FRED's names, every vintage with its release.",
    columns=(
        text("series", "Series."),
        VENDOR_DATE,
        instant("released_at", "Release of the vintage."),
        text("vintage", "final, or released: it is revised later."),
        number("value", "vendor", "Value."),
        FETCHED_AT,
        REQUEST,
    ),
)
FETCH_ATTEMPTS = Table(
    layer="raw",
    name="fetch_attempts",
    version=2,
    year_of="at",
    key=("source", "ticker", "at"),  # not `kind`: it is null in version 1, and nulls are unequal, so those rows would have no key
    description="Every attempt to fetch a ticker (or a series), with its outcome.",
    columns=(
        text("source", "Vendor."),
        VENDOR_TICKER,
        instant("at", "When the fetch began that asked, one a feed."),
        text("outcome", "ok, no_data, unknown_symbol, throttled, transient_exhausted or schema_change."),
        text("detail", "What the vendor said.", nullable=True),
        count("rows", "rows", "Rows received."),
        count("requests", "requests", "HTTP requests sent, retries included."),
        count("retries", "requests", "Requests that were retries."),
        day("first_session", "First session received.", nullable=True),
        day("last_session", "Last session received.", nullable=True),
        RUN_ID,
        text(
            "kind",
            "What was asked for: bars, news, macro, ...; null in attempts older than the column, which were for bars.",
            nullable=True,
            since=2,
        ),
        Column(
            name="throttled",
            dtype=pa.int64(),
            unit="requests",
            description="Answers of too many requests; null in attempts older than the column.",
            nullable=True,
            since=2,
        ),
    ),
)
TABLES = (
    SAMPLE_BARS,
    SAMPLE_ACTIONS,
    SAMPLE_TICKERS,
    SAMPLE_SECTORS,
    SAMPLE_MACRO,
    OWN_BARS,
    SIMULATED_BARS,
    SIMULATED_FACTS,
    SIMULATED_FILINGS,
    SIMULATED_REPORTS,
    SIMULATED_NEWS,
    SIMULATED_OPTIONS,
    SIMULATED_MACRO,
    *raw_yahoo.TABLES,
    *raw_fmp.TABLES,
    *raw_tiingo.TABLES,
    *raw_fred.TABLES,
    *raw_sec.TABLES,
    *raw_public.TABLES,
    FETCH_ATTEMPTS,
)

__all__ = [
    "FETCH_ATTEMPTS",
    "OWN_BARS",
    "SAMPLE_ACTIONS",
    "SAMPLE_BARS",
    "SAMPLE_MACRO",
    "SAMPLE_SECTORS",
    "SAMPLE_TICKERS",
    "SIMULATED_BARS",
    "SIMULATED_FACTS",
    "SIMULATED_FILINGS",
    "SIMULATED_MACRO",
    "SIMULATED_NEWS",
    "SIMULATED_OPTIONS",
    "SIMULATED_REPORTS",
    "TABLES",
    "YAHOO_BARS",
]
