"""A simulated market as far as the tables that features read."""

import datetime as dt
from pathlib import Path

from trader_pipeline.flows.accept import accept
from trader_pipeline.flows.check import check
from trader_pipeline.flows.due import default_as_of
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.market_state import market_state
from trader_pipeline.flows.score_news import score_news, text_scorers
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.lake import Lake
from trader_pipeline.settings import Settings
from trader_pipeline.sources import bars_feed

_RUN = "bench"


def simulated_lake(home: Path, *, tickers: int, sessions: int, seed: int) -> tuple[Lake, dt.datetime]:
    """Return a lake in `home` whose market is checked and accepted, and the instant that it reaches to."""
    settings = Settings(home=home, dataset="simulated", simulated_tickers=tickers, simulated_days=sessions, seed=seed)
    lake, source = Lake(settings.dataset_home / "lake", settings.dataset), bars_feed(settings)
    now = dt.datetime.now(dt.UTC)
    as_of = default_as_of(settings, now=now)
    ingest(lake, source, settings, as_of=as_of, fetched_at=now, run_id=_RUN)
    standardize(lake, (source,), as_of=as_of, run_id=_RUN)
    check(lake, as_of=as_of, settings=settings.checks, run_id=_RUN)
    accept(lake, as_of=as_of, run_id=_RUN)
    score_news(lake, text_scorers(settings), as_of=as_of, run_id=_RUN)
    market_state(lake, as_of=as_of, run_id=_RUN)
    return lake, as_of
