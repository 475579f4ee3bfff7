"""A small published lake for tests of what reads it: every table that the dashboard and the report show, made up but plausible.

`publish` makes it of what the modules beside make: market, model, predictions, and what is told beside them; `facts` is what they share.
"""

import datetime as dt

import numpy as np

from trader_pipeline import calendar
from trader_pipeline.lake import Lake
from trader_pipeline.schema import outputs
from trader_pipeline.settings import Settings
from trader_pipeline_tests.published.facts import (
    DATA_VERSION,
    HOSTILE,
    ISSUERS,
    KNOWN,
    MADE_AT,
    MODEL_ID,
    NAMES,
    RUN_ID,
    SESSION,
    SPLIT_RATIO,
    SPLIT_SESSION,
    SPLIT_TICKER,
)
from trader_pipeline_tests.published.market import bars, checks, coverage, fetches
from trader_pipeline_tests.published.model import evaluation, training
from trader_pipeline_tests.published.predictions import forecasts
from trader_pipeline_tests.published.told import changes, explanations, paper_log

__all__ = [
    "DATA_VERSION",
    "HOSTILE",
    "ISSUERS",
    "KNOWN",
    "MADE_AT",
    "MODEL_ID",
    "NAMES",
    "RUN_ID",
    "SESSION",
    "SPLIT_RATIO",
    "SPLIT_SESSION",
    "SPLIT_TICKER",
    "publish",
    "publish_bars_only",
]


def publish(settings: Settings, *, sessions: int = 420, seed: int = 7) -> Lake:
    """Publish a whole lake under `settings.dataset_home` that ends at `SESSION`."""
    lake = Lake(settings.dataset_home / "lake", settings.dataset)
    rng = np.random.default_rng(seed)
    days = calendar.sessions("XNYS", dt.date(2015, 1, 1), SESSION)[-sessions:].astype(object).tolist()
    lake.publish(*bars(days, rng), *checks(), *fetches(), *coverage(days), *training(days), *forecasts(days, rng), *evaluation(days, rng))
    daily = lake.snapshot().read(outputs.DAILY).to_pylist()
    lake.publish(*explanations(daily, rng), *changes(daily), *paper_log(days, rng))
    return lake


def publish_bars_only(settings: Settings, *, sessions: int = 250) -> Lake:
    """Publish a lake that has bars and checks but no model."""
    lake = Lake(settings.dataset_home / "lake", settings.dataset)
    days = calendar.sessions("XNYS", dt.date(2015, 1, 1), SESSION)[-sessions:].astype(object).tolist()
    lake.publish(*bars(days, np.random.default_rng(7)), *checks(), *fetches())
    return lake
