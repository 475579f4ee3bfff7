"""`trader scorecard`: what the published model is worth, the user's own targets first."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from trader_pipeline.cli.output import grid, line, print_json
from trader_pipeline.cli.run import Sample, due, of_sample

_HEADLINE = ("horizon_sessions", "model", "accuracy", "base_rate", "accuracy_half_width", "rank_ic", "rank_ic_half_width")
_CALIBRATION = ("brier_skill", "brier_skill_half_width", "ece", "ece_noise_floor", "calibrated", "interval_90_coverage", "windows")
_STRATEGY = ("against", "cost_multiple", "sharpe", "baseline_sharpe", "difference")
_INTERVALS = ("low", "high", "hac_low", "hac_high", "bootstrap_low", "bootstrap_high")
_SEGMENT = ("horizon_sessions", "kind", "segment", "accuracy", "base_rate", "low", "high", "coverage", "n_effective", "windows", "rank_ic")
_NOT_TOLD = "not measured when this model was judged; `trader predict --force` has it judged again"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(scorecard)


def scorecard(
    sample: Annotated[Sample | None, typer.Option(help="A sample; it is run first where that was not done. Empty: TRADER_DATASET.")] = None,
    *,
    model: Annotated[str, typer.Option(help="A model's id, as `trader models` lists them; empty: the one that serves.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")] = False,
) -> None:
    """Print the published model's targets, scorecard, Sharpe ratio and error patterns, each beside what needs no model."""
    from trader_pipeline import lake
    from trader_pipeline.flows.due import default_as_of
    from trader_pipeline.flows.published_scorecard import published_scorecard
    from trader_pipeline.settings import Settings

    settings = Settings() if sample is None else of_sample(sample.value)
    if sample is not None:
        due(settings, as_of=None, tickers=(), quiet=as_json)
    as_of = default_as_of(settings, now=dt.datetime.now(dt.UTC))
    facts = published_scorecard(lake.open(settings.dataset_home), settings.dataset, as_of=as_of, model_id=model)
    if as_json:
        print_json("scorecard", facts)
        return
    _tell(facts)


def _tell(facts: Mapping[str, Any]) -> None:
    line(f"{facts['dataset']}, model {facts['model_id']} ({facts['state']}). Names: {facts['names']}.")
    years = [f"{row['year']} {row['tickers']}" for row in facts["members_by_year"]]
    line(f"Names with labels by year: {', '.join(years)}\n")
    width = max(len(row["name"]) for row in facts["tasks"])
    for row in facts["tasks"]:
        line(f"{row['name']:<{width}}  {row['line']}")
    line("\nWhere it is furthest under its base rate: " + ("; ".join(facts["worst"]) or "nowhere, of segments with 20 windows"))
    line("\nCalibration of the ensemble out of fold; met: the ECE is within what a perfect forecaster shows, Brier skill 0 or more,")
    line("told from 20 windows on")
    for row in (row for row in facts["scorecard"] if row["model"] == "ensemble"):
        line(f"{row['horizon_sessions']:>2} sessions  {row['calibration'] or _NOT_TOLD}")
    line("\nOut of fold, by horizon and model")
    grid(_columns(facts["scorecard"], (*_HEADLINE, *_CALIBRATION)))
    line("\nPaper portfolio, annual Sharpe ratios, risk-free rate 0; low and high by Ledoit and Wolf's studentised bootstrap,")
    line("hac by their kernel error, bootstrap by the stationary one")
    grid(_columns(facts["strategy"], (*_STRATEGY, *_INTERVALS)))
    if facts["strategy"]:
        net = next(row for row in facts["strategy"] if row["cost_multiple"] == 1)
        line(
            f"probability that the Sharpe ratio is over the best of {net['trials']} trials without skill "
            f"({net['trials_effective']:.1f} independent ones): {_or_dash(net['deflated_sharpe'])}; "
            f"probability of overfitting {_or_dash(net['overfitting_probability'])}"
        )
        line(_paths_line(net))
    line("\nEnsemble by segment; under 20 windows read the number of windows first")
    grid(_columns([row for row in facts["segments"] if row["model"] == "ensemble"], _SEGMENT))


def _paths_line(net: Mapping[str, Any]) -> str:
    if net["paths"] is None:
        return f"backtest paths: {_NOT_TOLD}"
    if not net["paths"]:
        return "backtest paths: none, too few sessions or fewer than two recorded trials that differ: nothing could be chosen"
    below = [f"{100 * net[name]:.0f} %" for name in ("paths_below_zero", "paths_below_baseline")]
    return (
        f"backtest paths, the trial that was best in the train blocks held in the test blocks, net of costs once: {net['paths']} paths, "
        f"Sharpe ratio {net['path_sharpe_median']:.2f} in the median, {net['path_sharpe_05']:.2f} to {net['path_sharpe_95']:.2f} "
        f"from 5 to 95 %; {below[0]} under 0, {below[1]} under {net['against']}'s"
    )


def _columns(rows: Iterable[Mapping[str, Any]], names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{name: round(row[name], 4) if isinstance(row[name], float) else row[name] for name in names} for row in rows]


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
