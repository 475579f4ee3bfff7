"""Where `trader ablate` learns: a simulated market in memory, or the panel of a dataset."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from trader_pipeline.bench.ablate import Market
from trader_pipeline.bench.models import examples_of
from trader_pipeline.flows.train import prepare
from trader_pipeline.lake import Lake
from trader_pipeline.settings import CheckSettings
from trader_pipeline.sources.simulation import MarketSize, simulate
from trader_pipeline.training.data import TrainingData, load
from trader_pipeline.training.request import TrainingRequest


def simulated(*, tickers: int, sessions: int, seed: int, now: dt.datetime) -> Market:
    """Return a market of five planted signals, with the inputs of `trader bench models`."""
    examples = examples_of(simulate(MarketSize(tickers=tickers, sessions=sessions, seed=seed, null=False)), sessions)
    request = TrainingRequest(
        model_id=_name(now),
        run_id=_name(now),
        recipe="ablation",
        seed=0,
        as_of=now,
        last_session=examples.grid.sessions[-1].item(),
        data_version=f"simulated {tickers} x {sessions}, seed {seed}",
        out_folder="",
        panel_parts=(),
        target_parts=(),
        features=examples.features,
        sectors=examples.sectors,
        families=dict(examples.families),
    )
    return Market(TrainingData(examples.grid, examples.x_NTF, examples.every), request)


def of_lake(lake: Lake, *, recipe: str, as_of: dt.datetime, now: dt.datetime, checks: CheckSettings) -> Market:
    """Return the features and labels that a training at `as_of` would read. Raises what `flows.train.prepare` does."""
    with TemporaryDirectory(prefix="trader-ablate-") as folder:
        request = prepare(lake, models_dir=Path(folder), recipe=recipe, seed=0, as_of=as_of, run_id=_name(now), checks=checks)
        return Market(load(request), replace(request, model_id=_name(now)))


def _name(now: dt.datetime) -> str:
    return f"ablate-{now:%Y%m%d%H%M%S}"
