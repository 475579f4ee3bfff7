"""Financial Modeling Prep's raw tables."""

from trader_pipeline.schema.table import Table

TABLES: tuple[Table, ...] = ()
