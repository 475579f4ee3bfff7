"""Public files': CBOE, Ken French, S&P 500 membership raw tables."""

from trader_pipeline.schema.table import Table

TABLES: tuple[Table, ...] = ()
