"""A small real market, trained once: twelve random walks and SPY over 1,100 sessions, ridge alone."""

import datetime as dt
import shutil
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from trader_pipeline import calendar
from trader_pipeline.flows import train
from trader_pipeline.flows.build_features import build_features
from trader_pipeline.flows.evaluate import evaluate
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.core import ACCEPTED_BARS, TICKER_MAP
from trader_pipeline.settings import Settings
from trader_pipeline.training import job
from trader_pipeline_tests.flows import days

SESSION = dt.date(2020, 2, 7)
AS_OF = dt.datetime(2020, 2, 7, 21, 30, tzinfo=dt.UTC)
MADE_AT = dt.datetime(2020, 2, 8, tzinfo=dt.UTC)
STOCKS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF", "GGG", "GOOG", "GOOGL", "HHH", "III", "JJJ")
SESSIONS = 1100


class Home(NamedTuple):
    settings: Settings
    lake: Lake


def bars(names=(*STOCKS, "SPY")):
    days = calendar.sessions("XNYS", dt.date(2012, 1, 1), SESSION)[-SESSIONS:]
    rng = np.random.default_rng(7)
    market = rng.normal(0.0004, 0.008, SESSIONS)
    tables = []
    for k, name in enumerate(names):
        own = 0 if name == "SPY" else rng.normal(0, 0.008 + 0.002 * k, SESSIONS)
        close = 100 * np.exp(np.cumsum(market + own))
        opened = close * np.exp(rng.normal(0, 0.003, SESSIONS))
        tables.append(
            pa.table(
                {
                    "ticker": [name] * SESSIONS,
                    "session": pa.array(days).cast(pa.date32()),
                    "known_at": pa.array(calendar.known_at_array("XNYS", days)).cast(pa.timestamp("us", tz="UTC")),
                    "source": ["sample"] * SESSIONS,
                    "open": opened,
                    "high": np.maximum(opened, close) * 1.002,
                    "low": np.minimum(opened, close) * 0.998,
                    "close": close,
                    "volume_shares": rng.uniform(1e6, 2e6, SESSIONS),
                    "close_usd": close,
                }
            )
        )
    return pa.concat_tables(tables)


def ticker_map(names=(*STOCKS, "SPY")):
    return pa.table(
        {
            "ticker": list(names),
            "symbol": list(names),
            "valid_from": pa.array([dt.date(2000, 1, 1)] * len(names), pa.date32()),
            "issuer_id": ["ALPHABET" if name.startswith("GOOG") else name for name in names],
            "exchange": ["XNYS"] * len(names),
            "role": ["benchmark" if name == "SPY" else "stock" for name in names],
        }
    )


@pytest.fixture(scope="session")
def small_market(tmp_path_factory) -> Home:
    """Trained, not yet evaluated. Read only."""
    settings = Settings(home=tmp_path_factory.mktemp("small") / "home", dataset="own", recipe="ridge")
    lake = Lake(settings.dataset_home / "lake", "own")
    lake.publish(Change.replace(ACCEPTED_BARS, bars()), Change.replace(TICKER_MAP, ticker_map()))
    build_features(lake, as_of=AS_OF, run_id="r")
    request = train.prepare(lake, models_dir=settings.dataset_home / "models", recipe="ridge", seed=0, as_of=AS_OF, run_id="r")
    job.run(request, lambda _: None)
    train.publish(lake, request, finished_at=MADE_AT)
    return Home(settings, lake)


def copied(home: Home, folder) -> Home:
    """Return a copy that a test may write to."""
    settings = Settings(home=folder / "home", dataset="own", recipe="ridge")
    shutil.copytree(home.settings.home, settings.home)
    return Home(settings, Lake(settings.dataset_home / "lake", "own"))


@pytest.fixture
def trained(small_market, tmp_path) -> Home:
    return copied(small_market, tmp_path)


@pytest.fixture(scope="session")
def small_market_judged(small_market, tmp_path_factory) -> Home:
    home = copied(small_market, tmp_path_factory.mktemp("judged"))
    evaluate(home.lake, as_of=AS_OF, run_id="r")
    return home


@pytest.fixture
def judged(small_market_judged, tmp_path) -> Home:
    return copied(small_market_judged, tmp_path)


@pytest.fixture(scope="session")
def lived_home(tmp_path_factory):
    """Trained at `days.FIRST`, predicted at all three sessions. Read only."""
    settings = days.settings_of(tmp_path_factory.mktemp("days") / "home")
    days.live_through(settings, bars((*days.NAMES, "SPY")))
    return settings


@pytest.fixture
def lived(lived_home, tmp_path):
    """A copy of `lived_home` to change."""
    settings = days.settings_of(tmp_path / "home")
    shutil.copytree(lived_home.home, settings.home)
    return settings
