"""Which bytes every number came from."""

from collections.abc import Sequence

from trader_pipeline import formats
from trader_pipeline.reports.facts import Facts
from trader_pipeline.reports.section import AnyBlock, Bullets, Grid, Section

READ = (
    *("core.accepted_bars", "core.corporate_actions", "core.ticker_map", "core.sectors"),
    *("quality.metrics", "quality.findings", "quality.quarantine"),
    *("training.runs", "training.trials", "training.calibration", "training.ensemble_weights", "training.diversity"),
    *("evaluation.scorecard", "evaluation.sessions", "evaluation.backtest", "predictions.daily", "decisions.daily"),
)
"""Every table that a report reads."""


def build(facts: Facts) -> Sequence[AnyBlock]:
    """List the tables with their data versions, and the model with its manifest."""
    rows = tuple((name, formats.count(facts.snapshot.rows(name)), facts.snapshot.data_version([name])) for name in READ)
    blocks: list[AnyBlock] = []
    if facts.run is not None:
        code = facts.run["git_revision"] or "not recorded"
        items = (
            f"Model {facts.model_id}: manifest sha256 {facts.run['manifest_sha256']}, code revision {code}.",
            f"It was trained on data version {facts.run['data_version']}.",
            f"Predictions of {facts.session} were computed from data version {facts.forecasts[0]['data_version']}.",
        )
        blocks.append(Bullets(items=items, sources=("training.runs", "predictions.daily")))
    blocks.append(
        Grid(
            title="Tables read",
            columns=("<Table", "Rows", "<Data version (sha256 over its parts)"),
            rows=rows,
            note=f"A number is found again with `trader sql` in the dataset {facts.settings.dataset!r}; the same data versions "
            "give the same report, byte for byte.",
            sources=READ,
        )
    )
    return blocks


SECTION = Section(key="sources", title="Sources", build=build, always=True)
