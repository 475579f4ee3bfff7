"""Yahoo's raw tables."""

from trader_pipeline.schema.columns import FETCHED_AT, REQUEST, VENDOR_TICKER, day, number, text
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

TABLES: tuple[Table, ...] = (YAHOO_BARS,)
