"""The one place that composes stages: read tables, call pure functions, publish. No Dagster."""
