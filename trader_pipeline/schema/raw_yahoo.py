"""Yahoo's raw tables."""

from trader_pipeline.schema.columns import FETCHED_AT, REQUEST, VENDOR_TICKER, count, day, flag, number, text
from trader_pipeline.schema.table import Table

YAHOO_BARS = Table(
    layer="raw",
    name="yahoo_bars",
    year_of="Date",
    key=("ticker", "Date", "fetched_at"),
    description="Yahoo's daily history at auto_adjust=False: split-adjusted as of the download day.",
    columns=(
        VENDOR_TICKER,
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
        FETCHED_AT,
        REQUEST,
    ),
)

YAHOO_NEWS = Table(
    layer="raw",
    name="yahoo_news",
    year_of="fetched_at",
    key=("ticker", "uuid", "fetched_at"),
    description="Headlines that Yahoo's search gives for a symbol and relates to it; it serves the newest only.",
    columns=(
        VENDOR_TICKER,
        text("uuid", "Yahoo's id of the article."),
        text("title", "Headline."),
        text("publisher", "Who wrote it.", nullable=True),
        text("link", "Where it is.", nullable=True),
        count("providerPublishTime", "seconds since 1970 UTC", "When the publisher brought it."),
        text("type", "STORY or VIDEO.", nullable=True),
        text("relatedTickers", "Symbols that Yahoo relates to it, comma between.", nullable=True),
        FETCHED_AT,
        REQUEST,
    ),
)
YAHOO_OPTIONS = Table(
    layer="raw",
    name="yahoo_options",
    year_of="session",
    key=("ticker", "contractSymbol", "session", "fetched_at"),
    description="Option chains as they stood when asked.",
    columns=(
        VENDOR_TICKER,
        text("contractSymbol", "Root, expiry, C or P, strike in thousandths."),
        text("side", "Ours: call or put, the list that the contract stood in."),
        count("expiration", "seconds since 1970 UTC", "Midnight UTC of the expiry's date."),
        number("strike", "vendor", "Yahoo's strike.", nullable=False),
        *(
            number(name, "vendor", f"Yahoo's {name}.")
            for name in ("bid", "ask", "lastPrice", "volume", "openInterest", "impliedVolatility")
        ),
        count("lastTradeDate", "seconds since 1970 UTC", "Last trade of the contract.", nullable=True),
        flag("inTheMoney", "Yahoo's inTheMoney.", nullable=True),
        text("contractSize", "REGULAR is 100 shares.", nullable=True),
        text("currency", "Yahoo's currency of the contract."),
        number("regularMarketPrice", "vendor", "Price of the underlying in the same answer."),
        day("session", "Ours: last session closed when it was fetched."),
        FETCHED_AT,
        REQUEST,
    ),
)

TABLES: tuple[Table, ...] = (YAHOO_BARS, YAHOO_NEWS, YAHOO_OPTIONS)
