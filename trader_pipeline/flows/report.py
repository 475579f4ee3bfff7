"""Write the report of one session."""

import datetime as dt
from pathlib import Path

from trader_pipeline import durable
from trader_pipeline.lake import Lake
from trader_pipeline.reports import SECTIONS
from trader_pipeline.reports.facts import Facts
from trader_pipeline.reports.render import render
from trader_pipeline.settings import Settings
from trader_pipeline.training.recipes import RECIPES
from trader_pipeline.training.splits import required_sessions


def report(lake: Lake, settings: Settings, *, session: dt.date, made_at: dt.datetime) -> Path:
    """Write the report of `session` atomically and return its path. The same lake, settings and instants give the same bytes.

    Without predictions of the session the report speaks of the data only, and says what is missing.
    """
    needed = required_sessions(RECIPES[settings.recipe]()) if settings.recipe in RECIPES else None
    facts = Facts(lake.snapshot(), settings, session=session, made_at=made_at, sessions_needed=needed)
    path = settings.report_path(session)
    durable.write_atomic(path, render(facts, SECTIONS).encode())
    return path
