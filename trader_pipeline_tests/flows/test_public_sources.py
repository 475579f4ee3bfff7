"""Tiingo, CBOE, Ken French and the S&P 500's members from the wire to the core tables of a live home, and asked again."""

import datetime as dt

import pytest

from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.lake import Lake
from trader_pipeline.schema import core
from trader_pipeline.schema.raw_public import FRENCH_FIVE_FACTORS, SP500_MEMBERS
from trader_pipeline.settings import PublicSettings, Settings, SourceSettings, TiingoSettings
from trader_pipeline.sources import feeds_of
from trader_pipeline_tests.fake_public import FIVE_FACTORS, MEMBERS, RECORDED, VIX, FakePublic, zipped
from trader_pipeline_tests.fake_tiingo import TOKEN
from trader_pipeline_tests.fake_world import World
from trader_pipeline_tests.sources.tiingo_market import FAST, tiingo_server

FIRST = dt.datetime(2026, 9, 22, 20, 30, tzinfo=dt.UTC)
LATER = dt.datetime(2026, 10, 1, 20, 30, tzinfo=dt.UTC)
SOURCES = {"bars": ("tiingo",), "news": ("tiingo",), "macro": ("cboe",), "factors": ("french",), "members": ("sp500",)}


class Home:
    """A live home that asks the fakes; `run` is one day's download and standardization."""

    def __init__(self, path, tiingo, public):
        self.tiingo, self.public = tiingo, public
        files = PublicSettings(**{"base_url": public.url} | FAST)
        self.settings = Settings(
            home=path,
            _env_file=None,
            dataset="live",
            benchmark="SPY",
            live_first_session="1963-07-01",
            sources=SourceSettings(**SOURCES),
            tiingo=TiingoSettings(**{"base_url": tiingo.url, "api_key": TOKEN} | FAST | {"timeout_seconds": 10}),
            cboe=files,
            french=files,
            sp500=files,
        )
        self.lake = Lake(self.settings.dataset_home, "live")

    def run(self, at):
        feeds = feeds_of(self.settings)
        found = {}
        for place, feed in enumerate(feeds):
            asked = {"as_of": at, "fetched_at": at + dt.timedelta(seconds=place), "run_id": "run", "tickers": ("KO",)}
            found[feed.name] = ingest(self.lake, feed, self.settings, **asked)
        standardize(self.lake, feeds, as_of=at, run_id="run")
        return found

    def rows(self, table, where="true"):
        return self.lake.snapshot().sql(f"select * from {table.full_name} where {where} order by all").to_pylist()  # noqa: S608 - constants of the test


@pytest.fixture
def home(tmp_path):
    with tiingo_server(world=World(first=dt.date(2025, 1, 2))) as tiingo, FakePublic() as public:
        tiingo.world.today = FIRST.date()
        yield Home(tmp_path, tiingo, public)


def test_everything_arrives_in_core(home):
    found = home.run(FIRST)
    assert {name: {a.outcome for a in outcome.attempts} for name, outcome in found.items()} == {
        "tiingo_bars": {"ok"},
        "tiingo_news": {"ok", "no_data"},  # none of SPY
        "cboe_macro": {"ok"},
        "french_factors": {"ok", "no_data"},  # no momentum since 1963 in the fake's file
        "sp500_members": {"ok"},
    }
    bars = home.rows(core.DAILY_BARS, "ticker = 'KO'")
    assert (bars[-1]["session"], bars[-1]["source"], bars[-1]["known_at_basis"]) == (dt.date(2026, 9, 22), "tiingo", "assumed")
    (split,) = home.rows(core.CORPORATE_ACTIONS, "kind = 'split'")
    assert (split["ticker"], split["value"]) == ("KO", 4.0)
    names = {row["ticker"]: (row["name"], row["role"]) for row in home.rows(core.TICKER_MAP)}
    assert names == {"KO": ("KO Inc", "stock"), "SPY": ("SPY Inc", "benchmark")}
    known = {row["news_id"]: row["known_at"] for row in home.rows(core.NEWS)}
    assert set(known) == {"70", "71", "72"}
    assert known["72"] == dt.datetime(2025, 5, 30, 13, 4, 10, 500_000, tzinfo=dt.UTC)  # taken in minutes after its publication
    (march,) = home.rows(core.MACRO, "observed_on = '2020-03-16'")
    assert (march["series"], march["value"], march["vintage"], march["known_at_basis"]) == ("vix_close", 82.690002, "final", "assumed")
    assert {row["factor"] for row in home.rows(core.FACTOR_RETURNS)} >= {"market_excess", "size", "value", "risk_free"}
    assert {row["known_at_basis"] for row in home.rows(core.FACTOR_RETURNS)} == {"assumed"}
    members = {row["ticker"] for row in home.rows(core.UNIVERSE, "universe = 'sp500' and valid_to is null")}
    assert members == {"AAPL", "AMD", "BRK-B", "META"}


def test_what_is_the_same_is_stored_once_and_what_changed_has_both_versions(home):
    home.run(FIRST)
    before = {table: home.lake.snapshot().rows(table) for table in (SP500_MEMBERS, FRENCH_FIVE_FACTORS)}
    home.public.files[VIX] = RECORDED["vix"] + "10/01/2026,15.000000,16.000000,14.000000,15.500000\r\n"
    home.public.files[FIVE_FACTORS] = zipped(x_csv=RECORDED["five_factors"].replace("0.79,", "0.80,"))
    home.tiingo.world.today = LATER.date()
    home.run(LATER)
    assert home.lake.snapshot().rows(SP500_MEMBERS) == before[SP500_MEMBERS]
    assert home.lake.snapshot().rows(FRENCH_FIVE_FACTORS) == before[FRENCH_FIVE_FACTORS] + 1
    versions = home.rows(core.FACTOR_RETURNS, "factor = 'market_excess' and session = '1963-07-02'")
    assert [(round(v["value"], 6), v["known_at_basis"]) for v in versions] == [(0.0079, "assumed"), (0.008, "observed")]
    assert LATER <= versions[1]["known_at"] < LATER + dt.timedelta(minutes=1)
    assert home.rows(core.MACRO)[-1]["observed_on"] == dt.date(2026, 10, 1)
    assert home.rows(core.DAILY_BARS, "ticker = 'KO'")[-1]["session"] == dt.date(2026, 10, 1)


def test_a_new_list_of_members_replaces_the_old_one_whole(home):
    home.run(FIRST)
    home.public.files[MEMBERS] = (
        RECORDED["members"].replace("AMD,2017-03-20,\n", "AMD,2017-03-20,2026-09-28\n").replace("LEHMQ,1998-01-12,2008-09-17\n", "")
    )
    home.tiingo.world.today = LATER.date()
    home.run(LATER)
    stays = {(row["ticker"], row["valid_from"]): row["valid_to"] for row in home.rows(core.UNIVERSE, "universe = 'sp500'")}
    assert len(stays) == 6
    assert stays["AMD", dt.date(2017, 3, 20)] == dt.date(2026, 9, 27)
    assert stays["AAPL", dt.date(1996, 1, 2)] is None
