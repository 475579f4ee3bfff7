"""The data dictionary: every table, every column, with its type, unit and meaning."""

from trader_pipeline.schema import core, features, outputs, quality, raw, serving
from trader_pipeline.schema.table import Column, Table

TABLES: tuple[Table, ...] = (*raw.TABLES, *core.TABLES, *quality.TABLES, *features.TABLES, *outputs.TABLES, *serving.TABLES)
"""Every table but features.panel, whose columns the features themselves declare."""

__all__ = ["TABLES", "Column", "Table"]
