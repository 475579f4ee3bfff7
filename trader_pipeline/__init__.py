"""Daily equity predictions, from ticker downloads to decisions, dashboard and report."""

__version__ = "0.1.0"
