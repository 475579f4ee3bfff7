"""Public files': CBOE, Ken French, S&P 500 membership raw tables."""

from trader_pipeline.schema.columns import FETCHED_AT, REQUEST, day, number, text
from trader_pipeline.schema.table import Table

CBOE_INDICES = Table(
    layer="raw",
    name="cboe_indices",
    year_of="DATE",
    key=("index", "DATE", "fetched_at"),
    description="CBOE's volatility indices, daily, from the history files of its website.",
    columns=(
        text("index", "Ours: name of the file, in lower case: vix."),
        day("DATE", "Session, New York."),
        *(number(name, "percent / year", f"CBOE's {name}.") for name in ("OPEN", "HIGH", "LOW", "CLOSE")),
        FETCHED_AT,
        REQUEST,
    ),
)
FRENCH_FIVE_FACTORS = Table(
    layer="raw",
    name="french_five_factors",
    year_of="date",
    key=("date", "fetched_at"),
    description="Ken French's five factors (2x3), daily; -99.99 and -999, his marks of a missing value, are null.",
    columns=(
        day("date", "Session."),
        *(number(name, "percent", f"Ken French's {name}.") for name in ("Mkt-RF", "SMB", "HML", "RMW", "CMA", "RF")),
        FETCHED_AT,
        REQUEST,
    ),
)
FRENCH_MOMENTUM = Table(
    layer="raw",
    name="french_momentum",
    year_of="date",
    key=("date", "fetched_at"),
    description="Ken French's momentum factor, daily; -99.99 and -999, his marks of a missing value, are null.",
    columns=(day("date", "Session."), number("Mom", "percent", "Ken French's Mom."), FETCHED_AT, REQUEST),
)
SP500_MEMBERS = Table(
    layer="raw",
    name="sp500_members",
    key=("ticker", "start_date", "fetched_at"),
    description="Membership of the S&P 500 since 1996, a row a stay (fja05680/sp500, MIT).",
    columns=(
        text("ticker", "Symbol, share class after a dot: BRK.B."),
        day("start_date", "First day in the index."),
        day("end_date", "First day out of it; null is still in.", nullable=True),
        FETCHED_AT,
        REQUEST,
    ),
)

TABLES: tuple[Table, ...] = (CBOE_INDICES, FRENCH_FIVE_FACTORS, FRENCH_MOMENTUM, SP500_MEMBERS)
