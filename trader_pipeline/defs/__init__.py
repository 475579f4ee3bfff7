"""Dagster wiring and nothing else: what to run, in which order, with which resources."""
