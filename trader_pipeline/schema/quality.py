"""What the checks found, kept over time."""

from trader_pipeline.schema.columns import KNOWN_AT, RUN_ID, SESSION, SOURCE, TICKER, count, day, flag, instant, number, text
from trader_pipeline.schema.migrations import QUARANTINE_2, REPAIRS_2
from trader_pipeline.schema.table import Table

FORCED = "forced"
"""Rule under which a session says that it was made although the gate objected: a finding of predictions.daily, one a session."""
FORCED_SESSION = f"select message from quality.findings where table_name = 'predictions.daily' and rule = '{FORCED}' and first_session = ?"  # noqa: S608 - a constant

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
    version=2,
    migrations=(QUARANTINE_2,),
    key=("table_name", "ticker", "session", "item", "source", "rule"),
    description="Rows of a source that nothing downstream may read, as of the last checks. One that a later fetch heals is not here any more.",
    columns=(
        _TABLE,
        text("ticker", "Ticker, or series."),
        day("session", "Session or day that the row speaks of."),
        text("item", "What tells rows of one ticker and day apart: metric, headline, contract, dividend. Empty: bars."),
        SOURCE,
        _RULE,
        text("reason", "The fact."),
        instant("first_seen", "Instant of the first checks that kept the row out, without a break since."),
        count("strikes", "checks", "How many checks in a row kept it out; checks of one instant count once."),
        KNOWN_AT,
        RUN_ID,
    ),
)
REPAIRS = Table(
    layer="quality",
    name="repairs",
    version=2,
    migrations=(REPAIRS_2,),
    key=("table_name", "ticker", "session", "source", "column_name", "rule"),
    description="Values that a rule would put in the place of stored ones, as of the last checks. Applied only where the settings say so.",
    columns=(
        _TABLE,
        text("ticker", "Ticker."),
        SESSION,
        SOURCE,
        text("column_name", "Column of the table; of actions their kind."),
        _RULE,
        number("stored", "per column", "What is stored."),
        number("proposed", "per column", "What the rule makes of it."),
        text("reason", "Why."),
        flag("applied", "Whether it stands in for the stored value: in core.accepted_bars, and of dividends wherever actions are read."),
        instant("first_proposed", "Instant of the first checks that proposed it, by the same ratio, without a break since."),
        instant(
            "applied_since",
            "Instant of the first checks that applied it, without a break since: nobody could act on it before.",
            nullable=True,
        ),
        KNOWN_AT,
        RUN_ID,
    ),
)
JUDGED_PARTS = Table(
    layer="quality",
    name="judged_parts",
    key=("part",),
    description="Parts of core.daily_bars that the last checks saw. Rows of any other part are new, and what is near them is judged again.",
    columns=(
        text("part", "Path of the part in the lake."),
        instant("whole_at", "Instant of the newest checks that judged every row."),
        KNOWN_AT,
        RUN_ID,
    ),
)
JUDGED_ACTIONS = Table(
    layer="quality",
    name="judged_actions",
    key=("ticker",),
    description="What the last checks knew of each ticker's splits and dividends. Where that is another now, the ticker is judged whole.",
    columns=(TICKER, text("digest", "Of the ticker's known splits and dividends."), KNOWN_AT, RUN_ID),
)
PEER_MOVES = Table(
    layer="quality",
    name="peer_moves",
    key=("exchange", "sector", "session"),
    description="What the stocks of a sector, or of an exchange, returned: returns are judged beside it, known splits undone.",
    columns=(
        text("exchange", "Exchange, as a MIC code."),
        text("sector", "Sector. Empty: the whole exchange."),
        SESSION,
        number("typical", "log return", "Median."),
        number("spread", "log return", "Median absolute deviation from it."),
        KNOWN_AT,
        RUN_ID,
    ),
)
TABLES = (METRICS, FINDINGS, QUARANTINE, REPAIRS, JUDGED_PARTS, JUDGED_ACTIONS, PEER_MOVES)
