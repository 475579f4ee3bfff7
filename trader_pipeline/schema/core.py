"""Standardized tables: one meaning, whichever vendor it came from. Two clocks on every fact."""

import pyarrow as pa

from trader_pipeline.schema.columns import (
    BASIS,
    CLOSE,
    CURRENCY,
    HIGH,
    HORIZON,
    KNOWN_AT,
    LOW,
    OPEN,
    PRICE_UNIT,
    SESSION,
    SOURCE,
    TICKER,
    VOLUME,
    day,
    instant,
    number,
    text,
)
from trader_pipeline.schema.migrations import CORPORATE_ACTIONS_2, MACRO_2, TICKER_MAP_2
from trader_pipeline.schema.table import Column, Table

DAILY_BARS = Table(
    layer="core",
    name="daily_bars",
    year_of="session",
    key=("ticker", "session", "source", "known_at"),
    description="As-traded bars of every source and version; a correction is a new row with a later known_at.",
    columns=(TICKER, SESSION, SOURCE, KNOWN_AT, BASIS, OPEN, HIGH, LOW, CLOSE, VOLUME, CURRENCY, PRICE_UNIT),
)
ACCEPTED_BARS = Table(
    layer="core",
    name="accepted_bars",
    version=2,
    year_of="session",
    key=("ticker", "session", "known_at"),
    description="Bars that passed the checks, one source a ticker-session: what features read.",
    columns=(
        TICKER,
        SESSION,
        KNOWN_AT,
        SOURCE,
        OPEN,
        HIGH,
        LOW,
        CLOSE,
        VOLUME,
        number("close_usd", "USD / share", "Close in dollars; null until a currency table is configured for other currencies."),
        text("repaired", "Rules whose proposed values stand in for the stored ones; null: as the source has it.", nullable=True, since=2),
    ),
)
CORPORATE_ACTIONS = Table(
    layer="core",
    name="corporate_actions",
    version=2,
    migrations=(CORPORATE_ACTIONS_2,),
    key=("ticker", "session", "kind", "source", "known_at"),
    description="Splits and cash dividends by ex-date, of every source. A split takes effect at the open of `session`; ratio 1 or cash 0 takes an earlier one back.",
    columns=(
        TICKER,
        SESSION,
        text("kind", "split or dividend."),
        KNOWN_AT,
        BASIS,
        SOURCE,
        number("value", "new / old shares, or currency / share", "Split ratio (4.0 is 4:1), or cash per as-traded share.", nullable=False),
    ),
)
CHARACTERISTICS = Table(
    layer="core",
    name="characteristics",
    year_of="observed_on",
    key=("ticker", "name", "observed_on", "known_at"),
    description="Slow facts about a company, long.",
    columns=(
        TICKER,
        text("name", "Characteristic."),
        day("observed_on", "Session it speaks of."),
        KNOWN_AT,
        SOURCE,
        number("value", "per name", "Value.", nullable=False),
    ),
)
MACRO = Table(
    layer="core",
    name="macro",
    version=2,
    migrations=(MACRO_2,),
    year_of="observed_on",
    key=("series", "observed_on", "source", "known_at"),
    description="Economic and market-wide series, every vintage. A revised series without vintages (`vintage` latest) is barred from backtests.",
    columns=(
        text("series", "Series."),
        day("observed_on", "Day it speaks of."),
        KNOWN_AT,
        BASIS,
        SOURCE,
        text("vintage", "released: one row a vintage; latest: revised later, so only the newest value is known; final: never revised."),
        number("value", "per series", "Value.", nullable=False),
    ),
)
TICKER_MAP = Table(
    layer="core",
    name="ticker_map",
    version=2,
    migrations=(TICKER_MAP_2,),
    key=("ticker", "valid_from"),
    description="Which security, issuer and exchange a symbol meant, and when. A security keeps one `ticker` through renames.",
    columns=(
        text("ticker", "The security: its last symbol; with -YYYYMM of its end where another company took the symbol over."),
        text("symbol", "Its symbol on those days."),
        day("valid_from", "First day, inclusive."),
        day("valid_to", "Last day, inclusive; null is open.", nullable=True),
        text("issuer_id", "Joins share classes: GOOG and GOOGL are one issuer."),
        text("exchange", "MIC of the listing's calendar: XNYS."),
        text("name", "Company.", nullable=True),
        text("role", "stock, or benchmark (never predicted)."),
        text("ended", "Why valid_to is set: renamed, delisted, or presumed (unknown at the only source for 5 sessions).", nullable=True),
    ),
)
UNIVERSE = Table(
    layer="core",
    name="universe",
    key=("universe", "ticker", "valid_from"),
    description="Membership of named universes by date.",
    columns=(
        text("universe", "Name."),
        TICKER,
        day("valid_from", "First day, inclusive."),
        day("valid_to", "Last day, inclusive; null is open.", nullable=True),
    ),
)
SECTORS = Table(
    layer="core",
    name="sectors",
    key=("ticker", "valid_from"),
    description="Sector by date.",
    columns=(
        TICKER,
        day("valid_from", "First day, inclusive."),
        day("valid_to", "Last day, inclusive; null is open.", nullable=True),
        text("sector", "Sector."),
    ),
)
ORACLE = Table(
    layer="core",
    name="oracle",
    year_of="session",
    key=("ticker", "session", "horizon_sessions"),
    description="The simulated market's own conditional expectation. Only evaluation may read it.",
    columns=(
        TICKER,
        SESSION,
        HORIZON,
        number("expected_log_return", "fraction", "E[idiosyncratic log return from t+1 to t+h] at t.", nullable=False),
    ),
)
LISTINGS = Table(
    layer="core",
    name="listings",
    key=("source", "symbol"),
    description="What each source says of a symbol, newest answer: name, calendar, and the sessions it has sent bars of.",
    columns=(
        SOURCE,
        text("symbol", "Symbol that the source was asked for."),
        day("first_session", "First session with a bar."),
        day("last_session", "Last session with a bar."),
        text("exchange", "MIC of the listing's calendar: XNYS."),
        text("name", "Company.", nullable=True),
        text("issuer_id", "Joins share classes, where the source tells.", nullable=True),
        text("role", "stock, or benchmark (never predicted)."),
    ),
)
SYMBOL_CHANGES = Table(
    layer="core",
    name="symbol_changes",
    key=("symbol", "changed_on", "source"),
    description="Renames and ends of symbols, as vendors and the user's symbols.toml tell them. "
    "A row of source `bars` repeats one after which answers about the symbol still are of the security that left it.",
    columns=(
        text("symbol", "Symbol until the day before."),
        day("changed_on", "First day on which the symbol meant the security no more."),
        text("new_symbol", "Its symbol from that day on; null: the security ended.", nullable=True),
        SOURCE,
        text("name", "Company.", nullable=True),
    ),
)
FUNDAMENTALS = Table(
    layer="core",
    name="fundamentals",
    year_of="period_end",
    key=("ticker", "metric", "period_end", "months", "source", "known_at"),
    description="Figures as filed, every version: a restated figure is a new row. Usable strictly after the day it was filed.",
    columns=(
        TICKER,
        text("metric", "Canonical name: total_revenue, net_income, earnings_per_share, ..."),
        day("period_end", "Last day of the period, or the day of a balance."),
        Column(
            name="months",
            dtype=pa.int16(),
            unit="months",
            description="Length of the period: 3, 6, 9 or 12 (year to date where so filed); 0 is a balance.",
        ),
        KNOWN_AT,
        BASIS,
        SOURCE,
        number("value", "per unit", "Value in `unit`; per-share figures in shares of the filing, not rescaled.", nullable=False),
        text("unit", "ISO currency, shares, currency/shares, or pure."),
        day("filed_on", "Day of filing.", nullable=True),
        instant("accepted_at", "Moment at which the filing was accepted.", nullable=True),
        text("form", "10-K, 10-Q, 8-K, ...", nullable=True),
        text("accession", "Accession number of the filing: the citation.", nullable=True),
    ),
)
EARNINGS = Table(
    layer="core",
    name="earnings",
    key=("ticker", "report_date", "source", "known_at"),
    description="Earnings reports: what was expected and what came. A report ahead has no actual.",
    columns=(
        TICKER,
        day("report_date", "Day of the report."),
        KNOWN_AT,
        BASIS,
        SOURCE,
        number("eps_estimate", "currency / share", "Expected earnings per share."),
        number("eps_actual", "currency / share", "Reported earnings per share."),
        number("revenue_estimate", "currency", "Expected revenue."),
        number("revenue_actual", "currency", "Reported revenue."),
    ),
)
NEWS = Table(
    layer="core",
    name="news",
    year_of="published_at",
    key=("ticker", "published_at", "news_id", "source", "known_at"),
    description="Headlines by ticker. Known when published, but never before our own fetch once a ticker's feed is followed.",
    columns=(
        TICKER,
        text("news_id", "The vendor's id, else sha256 of the URL."),
        instant("published_at", "When the vendor says that it appeared."),
        KNOWN_AT,
        BASIS,
        SOURCE,
        text("title", "Headline."),
        text("summary", "First lines.", nullable=True),
        text("publisher", "Who wrote it.", nullable=True),
        text("url", "Where it is.", nullable=True),
    ),
)
NEWS_SCORES = Table(
    layer="core",
    name="news_scores",
    key=("text_sha256", "model"),
    description="What text models say of headlines, one row a text: one that names several tickers, or comes again, is scored once. Another revision replaces all rows of its model.",
    columns=(
        text("text_sha256", "sha256 of the title as UTF-8: sha256(title) in SQL."),
        text("model", "finbert or vader; the scales differ, so they are never mixed."),
        text("revision", "Which version of the model: commit or sha256 of its files, release of its package."),
        day("released_on", "When the model came out. Of older headlines it may know what came of them."),
        number("p_negative", "fraction", "Negative: probability (finbert), share of the words (vader).", nullable=False),
        number("p_neutral", "fraction", "Neutral.", nullable=False),
        number("p_positive", "fraction", "Positive.", nullable=False),
        number("score", "-", "From -1 to 1: p_positive - p_negative (finbert), compound (vader).", nullable=False),
    ),
)
OPTION_QUOTES = Table(
    layer="core",
    name="option_quotes",
    year_of="session",
    key=("ticker", "session", "expiry", "kind", "strike", "source"),
    description="Option chains as they stood when asked: one snapshot a session. History starts when storing starts.",
    columns=(
        TICKER,
        day("session", "Last session closed at the snapshot."),
        KNOWN_AT,
        SOURCE,
        day("expiry", "Expiry of the contract."),
        text("kind", "call or put."),
        number("strike", "price_unit / share", "Strike.", nullable=False),
        number("underlying", "price_unit / share", "Price of the underlying in the snapshot."),
        number("bid", "price_unit / share", "Bid; 0 is no bid."),
        number("ask", "price_unit / share", "Ask; 0 is no ask."),
        number("last", "price_unit / share", "Last trade."),
        number("volume_contracts", "contracts", "Contracts traded in the session."),
        number("open_interest_contracts", "contracts", "Open contracts."),
        number("implied_volatility", "fraction / year", "The vendor's own."),
        text("currency", "ISO 4217 code of the listing."),
    ),
)
FACTOR_RETURNS = Table(
    layer="core",
    name="factor_returns",
    year_of="session",
    key=("factor", "session", "source", "known_at"),
    description="Published factor returns. They come weeks late: for validation only, never a feature.",
    columns=(
        text("factor", "market_excess, size, value, profitability, investment, momentum or risk_free."),
        SESSION,
        KNOWN_AT,
        BASIS,
        SOURCE,
        number("value", "fraction", "Simple return of the session.", nullable=False),
    ),
)
TABLES = (
    DAILY_BARS,
    ACCEPTED_BARS,
    CORPORATE_ACTIONS,
    CHARACTERISTICS,
    MACRO,
    FACTOR_RETURNS,
    FUNDAMENTALS,
    EARNINGS,
    NEWS,
    NEWS_SCORES,
    OPTION_QUOTES,
    LISTINGS,
    SYMBOL_CHANGES,
    TICKER_MAP,
    UNIVERSE,
    SECTORS,
    ORACLE,
)

MADE_LATER = (ACCEPTED_BARS, NEWS_SCORES)
"""Core tables that flows of their own make from the standardized ones."""
