"""One download that may be killed: what the child process of test_ingest_killed runs, with everything imported that it needs."""

import datetime as dt
from pathlib import Path

from trader_pipeline import calendar
from trader_pipeline.flows import ingest_batch
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.lake import Lake
from trader_pipeline.sources import yahoo_client
from trader_pipeline.sources.yahoo import YAHOO
from trader_pipeline_tests.sources.asking_yahoo import AFTER_CLOSE, FIRST, settings_for

TICKERS = tuple(f"T{k:03d}" for k in range(199))
"""With the benchmark 200."""

CALENDAR = calendar.last_closed_session("XNYS", AFTER_CLOSE)  # built before the children are forked
CLIENT = yahoo_client.__name__


def download(home: Path, url: str, number: int) -> None:
    """Bring the lake under `home` up to date: the `number`-th try, some seconds after the one before. It stores every 6 tickers."""
    ingest_batch.BATCH_TICKERS = 6
    settings = settings_for(home, url).model_copy(update={"dataset": "live", "live_first_session": FIRST.isoformat()})
    lake = Lake(settings.dataset_home / "lake", "live")
    moment = AFTER_CLOSE + dt.timedelta(seconds=number)
    ingest(lake, YAHOO, settings, as_of=AFTER_CLOSE, fetched_at=moment, run_id=f"run {number}", tickers=TICKERS)
    standardize(lake, (YAHOO,), as_of=AFTER_CLOSE, run_id=f"run {number}")
