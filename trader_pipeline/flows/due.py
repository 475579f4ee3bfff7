"""What is due, and the instant that a run speaks of when nobody says."""

import datetime as dt
from collections.abc import Sequence

from trader_pipeline import calendar
from trader_pipeline.flows import changes, explain, ingest, paper_log, predict, standardize
from trader_pipeline.lake import Lake
from trader_pipeline.settings import Settings
from trader_pipeline.sources import last_session_of
from trader_pipeline.sources.source import Feed

EXCHANGE = "XNYS"


def default_as_of(settings: Settings, *, now: dt.datetime) -> dt.datetime:
    """Return close + 30 min of a sample's last session; for data that grows, of the last session closed at `now`."""
    session = last_session_of(settings.dataset) or calendar.last_closed_session(EXCHANGE, now)
    return calendar.known_at(EXCHANGE, session)


def newest_session(lake: Lake) -> dt.date | None:
    """Return the last session whose bars are accepted, None of an empty lake."""
    day: dt.date | None = lake.snapshot().sql("select max(session) from core.accepted_bars").column(0)[0].as_py()
    return day


def model(lake: Lake, *, as_of: dt.datetime) -> bool:
    """Say whether no model that is trained and calibrated could have been used at `as_of`."""
    served = "select count(*) from training.runs join training.calibration using (model_id) where as_of <= ? and fold = -1"
    return bool(lake.snapshot().sql(served, [as_of]).column(0)[0].as_py() == 0)


def daily(
    lake: Lake,
    settings: Settings,
    feeds: Sequence[Feed],
    *,
    session: dt.date,
    as_of: dt.datetime,
    now: dt.datetime,
    tickers: tuple[str, ...],
    force: bool = False,
) -> bool:
    """Say whether the session has no prediction, its inputs changed, a feed has something to ask for, or core is behind raw.

    A prediction that nothing says why of, or what changed before it, is due, too, one that came to its end and is not logged, core and
    features of an older schema version, and a report that is gone.
    """
    return (
        ingest.is_due(lake, feeds, settings, as_of=as_of, tickers=tickers or None)
        or predict.is_due(lake, settings, session=session, as_of=as_of, now=now, force=force)
        or explain.is_due(lake.snapshot(), session)
        or changes.is_due(lake.snapshot(), settings, session)
        or paper_log.is_due(lake.snapshot(), as_of)
        or standardize.is_due(lake, tuple(feeds), symbols_file=settings.symbols_file)
        or bool(lake.snapshot().stale())
        or not settings.report_path(session).exists()
    )
