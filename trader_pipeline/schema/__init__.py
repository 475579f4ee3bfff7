"""The data dictionary: every table, every column, with its type, unit and meaning."""

from trader_pipeline.schema import core, evaluation, features, outputs, predicted, quality, raw, serving, training
from trader_pipeline.schema.table import Column, Table

_OUTPUTS = (*outputs.TABLES, *training.TABLES, *evaluation.TABLES, *serving.TABLES, *predicted.TABLES)
TABLES: tuple[Table, ...] = (*raw.TABLES, *core.TABLES, *quality.TABLES, *features.TABLES, *_OUTPUTS)
"""Every table but features.panel, whose columns the features themselves declare."""

__all__ = ["TABLES", "Column", "Table"]
