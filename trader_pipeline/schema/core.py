"""Standardized tables: one meaning, whichever vendor it came from. Two clocks on every fact."""

from trader_pipeline.schema.columns import (
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
    number,
    text,
)
from trader_pipeline.schema.table import Table

_BASIS = text("known_at_basis", "assumed: history loaded later, dated at close + 30 min; observed: the moment fetched.")

DAILY_BARS = Table(
    layer="core",
    name="daily_bars",
    year_of="session",
    key=("ticker", "session", "source", "known_at"),
    description="As-traded bars of every source and version; a correction is a new row with a later known_at.",
    columns=(TICKER, SESSION, SOURCE, KNOWN_AT, _BASIS, OPEN, HIGH, LOW, CLOSE, VOLUME, CURRENCY, PRICE_UNIT),
)
ACCEPTED_BARS = Table(
    layer="core",
    name="accepted_bars",
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
    ),
)
CORPORATE_ACTIONS = Table(
    layer="core",
    name="corporate_actions",
    key=("ticker", "session", "kind", "known_at"),
    description="Splits and cash dividends by ex-date. A split takes effect at the open of `session`.",
    columns=(
        TICKER,
        SESSION,
        text("kind", "split or dividend."),
        KNOWN_AT,
        _BASIS,
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
    year_of="observed_on",
    key=("series", "observed_on", "known_at"),
    description="Economic and market-wide series, every vintage.",
    columns=(
        text("series", "Series."),
        day("observed_on", "Day it speaks of."),
        KNOWN_AT,
        SOURCE,
        number("value", "per series", "Value.", nullable=False),
    ),
)
TICKER_MAP = Table(
    layer="core",
    name="ticker_map",
    key=("ticker", "valid_from"),
    description="Which issuer and exchange a symbol meant, and when.",
    columns=(
        TICKER,
        day("valid_from", "First day, inclusive."),
        day("valid_to", "Last day, inclusive; null is open.", nullable=True),
        text("issuer_id", "Joins share classes: GOOG and GOOGL are one issuer."),
        text("exchange", "MIC of the listing's calendar: XNYS."),
        text("name", "Company.", nullable=True),
        text("role", "stock, or benchmark (never predicted)."),
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
TABLES = (DAILY_BARS, ACCEPTED_BARS, CORPORATE_ACTIONS, CHARACTERISTICS, MACRO, TICKER_MAP, UNIVERSE, SECTORS, ORACLE)
