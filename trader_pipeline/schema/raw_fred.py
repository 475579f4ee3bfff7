"""FRED's and ALFRED's raw tables."""

from trader_pipeline.schema.columns import FETCHED_AT, REQUEST, VENDOR_DATE, day, number, text
from trader_pipeline.schema.table import Table

_SERIES = text("series_id", "FRED's id of the series.")
_VALUE = number("value", "per series", "Value; null where FRED writes a dot or nothing.")

FRED_LATEST = Table(
    layer="raw",
    name="fred_latest",
    year_of="date",
    key=("series_id", "date", "fetched_at"),
    description="Values as they stood when asked, without the day of their release: all that FRED tells without a key.",
    columns=(_SERIES, VENDOR_DATE, _VALUE, FETCHED_AT, REQUEST),
)
FRED_VINTAGES = Table(
    layer="raw",
    name="fred_vintages",
    year_of="date",
    key=("series_id", "date", "realtime_start", "fetched_at"),
    description="ALFRED's vintages: every value that a day ever had, and from when to when it was the newest.",
    columns=(
        _SERIES,
        VENDOR_DATE,
        day("realtime_start", "Day of the release."),
        day("realtime_end", "Last day on which it was the newest; 9999-12-31 while it is."),
        _VALUE,
        FETCHED_AT,
        REQUEST,
    ),
)

TABLES: tuple[Table, ...] = (FRED_LATEST, FRED_VINTAGES)
