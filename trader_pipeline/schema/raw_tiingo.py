"""Tiingo's raw tables."""

from trader_pipeline.schema.columns import FETCHED_AT, REQUEST, VENDOR_DATE, VENDOR_TICKER, day, instant, number, text
from trader_pipeline.schema.table import Table

TIINGO_BARS = Table(
    layer="raw",
    name="tiingo_bars",
    year_of="date",
    key=("ticker", "date", "fetched_at"),
    description="Tiingo's daily prices: as traded, with Tiingo's own adjusted ones beside them (unused), and the day's dividend and split.",
    columns=(
        VENDOR_TICKER,
        VENDOR_DATE,
        *(
            number(name, "vendor", f"Tiingo's {name}.")
            for name in ("close", "high", "low", "open", "volume", "adjClose", "adjHigh", "adjLow", "adjOpen", "adjVolume")
        ),
        number("divCash", "vendor", "Cash per as-traded share on its ex-date; 0 is none."),
        number("splitFactor", "vendor", "New / old shares on the ex-date; 1 is none."),
        text("role", "Ours: stock, or benchmark (settings.benchmark when it was fetched)."),
        FETCHED_AT,
        REQUEST,
    ),
)
TIINGO_TICKERS = Table(
    layer="raw",
    name="tiingo_tickers",
    key=("ticker", "fetched_at"),
    description="What Tiingo says of a ticker, asked with its first prices.",
    columns=(
        VENDOR_TICKER,
        text("name", "Tiingo's name of the company.", nullable=True),
        text("exchangeCode", "Tiingo's exchange: NYSE, NASDAQ, ...", nullable=True),
        day("startDate", "First day of Tiingo's prices.", nullable=True),
        day("endDate", "Last day of Tiingo's prices: the end of a delisted name.", nullable=True),
        FETCHED_AT,
        REQUEST,
    ),
)
TIINGO_NEWS = Table(
    layer="raw",
    name="tiingo_news",
    year_of="publishedDate",
    key=("ticker", "id", "publishedDate", "fetched_at"),
    description="Tiingo's articles, by the ticker that was asked for.",
    columns=(
        VENDOR_TICKER,
        text("id", "Tiingo's id of the article."),
        instant("publishedDate", "When the publisher says that it appeared."),
        instant("crawlDate", "When Tiingo took it in.", nullable=True),
        text("title", "Headline."),
        text("description", "First lines.", nullable=True),
        text("url", "Where it is.", nullable=True),
        text("source", "Domain of the publisher.", nullable=True),
        text("tickers", "All tickers that Tiingo tags it with, joined by commas.", nullable=True),
        FETCHED_AT,
        REQUEST,
    ),
)

TABLES: tuple[Table, ...] = (TIINGO_BARS, TIINGO_TICKERS, TIINGO_NEWS)
