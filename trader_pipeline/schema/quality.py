"""What the checks found, kept over time."""

from trader_pipeline.schema.columns import KNOWN_AT, RUN_ID, SESSION, SOURCE, TICKER, count, day, flag, number, text
from trader_pipeline.schema.table import Table

_TABLE = text("table_name", "Table that was checked.")
_RULE = text("rule", "Rule: missing_dates, nan_ratio, staleness, ohlc_order, duplicates, ...")
_SEVERITY = text("severity", "error or warning.")

METRICS = Table(
    layer="quality",
    name="metrics",
    key=("run_id", "table_name", "rule", "name"),
    description="One row a run, table, rule and measured quantity.",
    columns=(
        RUN_ID,
        _TABLE,
        _RULE,
        text("name", "Quantity."),
        number("value", "per name", "Value."),
        flag("passed", "Whether the rule passed at table scope."),
        KNOWN_AT,
    ),
)
FINDINGS = Table(
    layer="quality",
    name="findings",
    key=("run_id", "table_name", "rule", "ticker", "source", "first_session"),
    description="What a rule objected to. Ticker '*' speaks of the session or the table, source '*' of every source.",
    columns=(
        RUN_ID,
        _TABLE,
        _RULE,
        TICKER,
        SOURCE,
        _SEVERITY,
        text("scope", "ticker_day, ticker, session or table."),
        day("first_session", "First session concerned."),
        day("last_session", "Last session concerned."),
        count("sessions", "sessions", "How many sessions."),
        number("value", "per rule", "Measured value."),
        text("message", "The fact and the mend."),
        KNOWN_AT,
    ),
)
QUARANTINE = Table(
    layer="quality",
    name="quarantine",
    key=("ticker", "session", "source", "rule"),
    description="Ticker-days of a source that features must not read, as of the last checks.",
    columns=(TICKER, SESSION, SOURCE, _RULE, text("reason", "The fact."), KNOWN_AT, RUN_ID),
)
TABLES = (METRICS, FINDINGS, QUARANTINE)
