"""Columns that more than one table shares, and short constructors for the rest."""

import pyarrow as pa

from trader_pipeline.schema.table import Column

INSTANT = pa.timestamp("us", tz="UTC")
DATE = pa.date32()

HORIZONS_SESSIONS = (1, 5, 20, 60)
"""How many sessions ahead a forecast looks. A label enters at the next open and leaves at the close of t + h."""


def text(name: str, description: str, *, nullable: bool = False, since: int = 1) -> Column:
    """Return a string column without a unit."""
    return Column(name=name, dtype=pa.string(), unit="-", description=description, nullable=nullable, since=since)


def number(name: str, unit: str, description: str, *, nullable: bool = True, since: int = 1) -> Column:
    """Return a float64 column."""
    return Column(name=name, dtype=pa.float64(), unit=unit, description=description, nullable=nullable, since=since)


def count(name: str, unit: str, description: str, *, nullable: bool = False, since: int = 1) -> Column:
    """Return an int64 column."""
    return Column(name=name, dtype=pa.int64(), unit=unit, description=description, nullable=nullable, since=since)


def flag(name: str, description: str, *, nullable: bool = False, since: int = 1) -> Column:
    """Return a boolean column."""
    return Column(name=name, dtype=pa.bool_(), unit="-", description=description, nullable=nullable, since=since)


def day(name: str, description: str, *, nullable: bool = False) -> Column:
    """Return a date column (exchange-local)."""
    return Column(name=name, dtype=DATE, unit="date", description=description, nullable=nullable)


def instant(name: str, description: str, *, nullable: bool = False) -> Column:
    """Return a timestamp column in UTC."""
    return Column(name=name, dtype=INSTANT, unit="UTC", description=description, nullable=nullable)


TICKER = text("ticker", "Symbol on the session, as the exchange of listing writes it.")
SESSION = day("session", "Exchange session, local date.")
KNOWN_AT = instant("known_at", "First moment at which the row could have been acted on.")
SOURCE = text("source", "Vendor that the row came from: sample, own, simulated, yahoo, fmp, tiingo, ...")
FETCHED_AT = instant("fetched_at", "When we asked; part of the key, so a later answer never overwrites an earlier one.")
REQUEST = text("request_sha256", "sha256 of the bytes that the row was read from.")
VENDOR_TICKER = text("ticker", "The vendor's symbol.")
VENDOR_DATE = day("date", "The vendor's date, exchange-local.")
BASIS = text(
    "known_at_basis", "assumed: history loaded later, dated by rule; observed: the moment fetched; released: the publisher's own moment."
)
RUN_ID = text("run_id", "Dagster's run id, outside Dagster a uuid7.")
DATA_VERSION = text("data_version", "sha256 over the table parts that were read.")
MODEL_ID = text("model_id", "Identity of the trained model: folder under models/ and key of training.runs.")
HORIZON = Column(name="horizon_sessions", dtype=pa.int16(), unit="sessions", description="How far ahead: 1, 5, 20 or 60.")
FOLD = Column(name="fold", dtype=pa.int16(), unit="-", description="Walk-forward fold, 0 is the earliest.")
MODEL = text("model", "Member, a key of MODELS: ridge, lightgbm, panel_former, ...; or ensemble.")
OPEN = number("open", "price_unit / share", "First price of the session, as traded.")
HIGH = number("high", "price_unit / share", "Highest price of the session, as traded.")
LOW = number("low", "price_unit / share", "Lowest price of the session, as traded.")
CLOSE = number("close", "price_unit / share", "Official close, as traded: neither split- nor dividend-adjusted.")
VOLUME = number("volume_shares", "shares", "Shares traded, as traded.")
CURRENCY = text("currency", "ISO 4217 code of the listing.")
PRICE_UNIT = text("price_unit", "Unit of the quote; London quotes pence: GBp.")
