"""FRED over several fetches: what a key that is set later brings."""

import datetime as dt

import pytest

from trader_pipeline.errors import SourceUnavailableError
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.lake import Lake
from trader_pipeline.schema import core
from trader_pipeline.schema.raw_fred import FRED_LATEST, FRED_VINTAGES
from trader_pipeline.settings import FredSettings, Settings
from trader_pipeline.sources.fred import FRED
from trader_pipeline.sources.yahoo import YAHOO
from trader_pipeline_tests.fake_fred import CHART, KEY, OBSERVATIONS, FakeFred
from trader_pipeline_tests.fast import FAST

FRIDAY, MONDAY, TUESDAY = (dt.datetime(2014, 8, day, 21, 0, tzinfo=dt.UTC) for day in (1, 4, 5))


@pytest.fixture
def fred():
    with FakeFred() as server:
        yield server


@pytest.fixture
def home(tmp_path, fred):
    """Fetch the series at a moment, with a key or without one, and return the lake."""

    def home(moment, *, name="home", key=None, series=("GDP", "DGS10"), **options):
        own = FredSettings(base_url=fred.url, series=series, api_key=key, **FAST)
        settings = Settings(home=tmp_path / name, dataset="live", _env_file=None, fred=own)
        lake = Lake(settings.dataset_home / "lake", "live")
        ingest(lake, FRED, settings, as_of=moment, fetched_at=moment, run_id="run", **options)
        standardize(lake, (YAHOO, FRED), as_of=moment, run_id="run")
        return lake

    return home


def rows(lake, table):
    return lake.snapshot().rows(table)


def released(lake):
    query = "select series, observed_on, known_at, value from core.macro where vintage = 'released' order by all"
    return lake.snapshot().sql(query).to_pylist()


def asked(fred, path=OBSERVATIONS):
    return [one.query for one in fred.log if one.path == path]


def test_a_key_that_is_set_later_brings_every_vintage_once(fred, home):
    lake = home(FRIDAY)
    assert rows(lake, FRED_VINTAGES) == 0
    before = rows(lake, FRED_LATEST)
    home(MONDAY, key=KEY)
    assert rows(lake, FRED_VINTAGES) == 9
    assert rows(lake, FRED_LATEST) == before
    of_gdp, of_rates = sorted(asked(fred), key=lambda query: query["series_id"], reverse=True)
    assert of_gdp["realtime_start"] == "1776-07-04"
    assert "observation_start" in of_rates, "a series that is never revised was answered before"
    home(TUESDAY, key=KEY)
    assert [q["realtime_start"] for q in asked(fred) if q["series_id"] == "GDP"] == ["1776-07-04", "2014-08-01"]
    assert rows(lake, FRED_VINTAGES) == 9


def test_what_a_key_brings_later_is_what_it_would_have_brought_at_first(home):
    lake = home(FRIDAY)
    home(MONDAY, key=KEY)
    assert released(lake) == released(home(MONDAY, name="keyed at once", key=KEY))
    assert len(released(lake)) == 9


def test_a_release_on_the_day_of_a_fetch_without_a_key_is_no_repeat_of_what_that_brought(home):
    morning = dt.datetime(2014, 7, 30, 14, 0, tzinfo=dt.UTC)  # the release of 8:30 in New York counts from the close on
    lake = home(morning)
    home(FRIDAY, key=KEY)
    assert released(lake) == released(home(FRIDAY, name="keyed at once", key=KEY))


def test_the_whole_comes_though_a_day_to_ask_from_is_named(fred, home):
    home(FRIDAY)
    lake = home(MONDAY, key=KEY, since=dt.date(2014, 7, 1))
    assert rows(lake, FRED_VINTAGES) == 9
    home(MONDAY + dt.timedelta(hours=1), key=KEY, since=dt.date(2014, 7, 1))
    assert asked(fred)[-1].get("realtime_start", "2014-07-01") == "2014-07-01"


def test_a_whole_that_failed_is_asked_for_again(fred, home):
    home(FRIDAY)
    fred.forever[OBSERVATIONS] = "500"
    with pytest.raises(SourceUnavailableError, match="transient_exhausted: DGS10, GDP"):
        home(MONDAY, key=KEY)
    fred.forever.clear()
    lake = home(MONDAY + dt.timedelta(hours=2), key=KEY)
    assert rows(lake, FRED_VINTAGES) == 9


def test_without_the_key_again_the_newest_values_come_whole(fred, home):
    home(FRIDAY, key=KEY)
    lake = home(MONDAY)
    assert [query.get("cosd") for query in asked(fred, CHART) if query["id"] == "GDP"] == [None]
    assert set(lake.snapshot().read(core.MACRO)["vintage"].to_pylist()) == {"final", "latest", "released"}
