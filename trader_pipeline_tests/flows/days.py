"""A small market of own files that is lived through for some sessions: what `lived_home` is made of and asked with."""

import datetime as dt

from pyarrow import csv

from trader_pipeline import calendar, durable
from trader_pipeline.flows import due, train
from trader_pipeline.flows.accept import accept
from trader_pipeline.flows.build_features import build_features
from trader_pipeline.flows.changes import tell_changes
from trader_pipeline.flows.check import check
from trader_pipeline.flows.decide import decide
from trader_pipeline.flows.evaluate import evaluate
from trader_pipeline.flows.explain import explain
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.market_state import market_state
from trader_pipeline.flows.paper_log import keep_paper_log
from trader_pipeline.flows.predict import predict
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.flows.verify import verify
from trader_pipeline.lake import Lake
from trader_pipeline.settings import Settings
from trader_pipeline.sources import bars_feed, feeds_of
from trader_pipeline.training import job

NAMES = ("AAA", "BBB", "CCC", "DDD", "EEE")
TICKERS = len(NAMES)
FIRST, SECOND, LAST = dt.date(2020, 2, 5), dt.date(2020, 2, 6), dt.date(2020, 2, 7)
EXCHANGE = "XNYS"
TODAY = dt.date(2026, 1, 5)


def settings_of(home, **changes):
    return Settings(home=home, dataset="own", own_path=home / "files", recipe="ridge", _env_file=None, **changes)


def close(session):
    return calendar.known_at(EXCHANGE, session)


def lake_of(settings):
    return Lake(settings.dataset_home / "lake", settings.dataset)


def at(lake, settings, session):
    """Bring bars and features to what was known at the session's close."""
    check(lake, as_of=close(session), settings=settings.checks, run_id=f"r{session}")
    accept(lake, as_of=close(session), run_id="r")
    market_state(lake, as_of=close(session), run_id="r")
    build_features(lake, as_of=close(session), run_id="r")


def day(lake, settings, session, *, made_at=None):
    made_at = made_at or close(session) + dt.timedelta(hours=1)
    outcome = predict(lake, settings, session=session, as_of=close(session), made_at=made_at, run_id="r")
    decide(lake, settings, session=session, made_at=made_at, run_id="r")
    explain(lake, settings, session=session, made_at=made_at, run_id="r")
    tell_changes(lake, settings, session=session, made_at=made_at, run_id="r")
    keep_paper_log(lake, as_of=close(session), logged_at=made_at, run_id="r")
    durable.write_atomic(settings.report_path(session), b"rendering one costs more than all above: reports/test_report.py does")
    return outcome


def live_through(settings, whole):
    """Bring the bars by file, train at FIRST, predict at all three sessions."""
    files = settings.home / "files"
    files.mkdir(parents=True)
    whole = whole.select(["ticker", "session", "open", "high", "low", "close", "volume_shares"])
    csv.write_csv(whole.rename_columns(["ticker", "date", "open", "high", "low", "close", "volume"]), files / "bars.csv")
    lake, feeds = lake_of(settings), feeds_of(settings)
    ingest(lake, bars_feed(settings), settings, as_of=close(LAST), fetched_at=close(LAST), run_id="r")
    standardize(lake, feeds, as_of=close(LAST), run_id="r")
    at(lake, settings, FIRST)
    request = train.prepare(lake, models_dir=settings.dataset_home / "models", recipe="ridge", seed=0, as_of=close(FIRST), run_id="r")
    job.run(request, lambda _: None)
    train.publish(lake, request, finished_at=close(FIRST))
    evaluate(lake, as_of=close(FIRST), run_id="r")
    for session in (FIRST, SECOND, LAST):
        at(lake, settings, session)
        day(lake, settings, session)


def rebuilt(settings, session=FIRST, **options):
    return verify(lake_of(settings), settings, session=session, as_of=close(session), run_id="v", today=TODAY, **options)


def told_again(settings, session):
    return tell_changes(lake_of(settings), settings, session=session, made_at=close(LAST), run_id="r")


def due_day(settings):
    lake = lake_of(settings)
    return due.daily(lake, settings, feeds_of(settings), session=LAST, as_of=close(LAST), now=close(LAST), tickers=())


def opens(session):
    return calendar.open_at(EXCHANGE, session)
