"""The jobs fetch from vendors on 127.0.0.1: stand-ins in their order, outcomes in the UI, and news that fail stop no bars."""

import datetime as dt
from hashlib import sha256

import dagster as dg
import pytest

from trader_pipeline.definitions import build_defs
from trader_pipeline.defs import raw
from trader_pipeline.errors import SchemaError, SourceUnavailableError
from trader_pipeline.flows import universe
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.lake import Lake
from trader_pipeline.settings import FmpSettings, PublicSettings, SourceSettings
from trader_pipeline_tests.fake_fmp import KEY, NEWS, STABLE, FakeFmp
from trader_pipeline_tests.fake_public import MEMBERS, FakePublic
from trader_pipeline_tests.fake_world import World
from trader_pipeline_tests.fake_yahoo import FakeYahoo
from trader_pipeline_tests.fast import FAST
from trader_pipeline_tests.sources.asking_yahoo import settings_for

pytestmark = pytest.mark.slow
TODAY = dt.date(2025, 6, 2)
TICKERS = ["AAA", "BBB", "CCC"]


@pytest.fixture
def vendors():
    first = dt.date(2024, 1, 2)
    with FakeYahoo(World(first=first, today=TODAY)) as yahoo, FakeFmp(World(first=first, today=TODAY)) as fmp:
        fmp.news = {ticker: [("2025-05-30 09:00:00", f"{ticker} opens a plant")] for ticker in (*TICKERS, "SPY")}
        yield yahoo, fmp


@pytest.fixture
def settings(tmp_path, vendors):
    yahoo, fmp = vendors
    asking = FmpSettings(base_url=fmp.url + STABLE, api_key=KEY, attempts=2, **FAST)
    chosen = {"dataset": "live", "live_first_session": "2024-01-02", "fmp": asking}
    chosen |= {"sources": SourceSettings(bars=("yahoo", "fmp"), news=("fmp",))}
    settings = settings_for(tmp_path / "home", yahoo.url).model_copy(update=chosen)
    universe.add(settings.universe_file, "default", TICKERS, added=dt.date(2025, 1, 2))
    return settings


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def launch(settings, instance, job, **options):
    config = {"resources": {"options": {"config": {"as_of": TODAY.isoformat(), **options}}}}
    definition = build_defs(settings).resolve_job_def(job)
    return definition.execute_in_process(run_config=config, instance=instance, raise_on_error=False)


def shown(result, key):
    """The metadata of an asset's materialization; a table as its rows."""
    found = result.asset_materializations_for_node(f"raw_{key}")[0].metadata
    return {name: [r.data for r in v.records] if isinstance(v, dg.TableMetadataValue) else v.value for name, v in found.items()}


def tickers(settings, table):
    query = f"select distinct ticker from {table} order by ticker"  # noqa: S608 - our own names
    return Lake(settings.dataset_home / "lake", "live").snapshot().sql(query)["ticker"].to_pylist()


def test_a_stand_in_brings_what_the_first_source_lacks(settings, vendors, instance):
    yahoo, _ = vendors
    yahoo.world.unknown.add("BBB")
    result = launch(settings, instance, "fetch")
    assert result.success
    assert tickers(settings, "raw.yahoo_bars") == ["AAA", "CCC", "SPY"]
    assert tickers(settings, "raw.fmp_bars") == ["BBB"]
    first, second = shown(result, "yahoo_bars"), shown(result, "fmp_bars")
    assert [(row["outcome"], row["tickers"]) for row in first["outcomes"]] == [("unknown_symbol", 1), ("ok", 3)]
    assert [(row["ticker"], row["outcome"]) for row in first["failed"]] == [("BBB", "unknown_symbol")]
    assert {name: first[name] for name in ("retries", "throttled", "restated")} == dict.fromkeys(("retries", "throttled", "restated"), 0)
    assert first["requests"] >= 4
    assert (first["new_rows"], second["new_rows"]) == (first["dagster/row_count"], second["dagster/row_count"])
    assert "failed" not in second
    again = launch(settings, instance, "fetch")
    assert again.success
    assert shown(again, "fmp_bars")["requests"] == 0


def test_news_that_fail_fail_the_run_when_the_rest_is_done(settings, vendors, instance):
    _, fmp = vendors
    fmp.forever[NEWS] = "500"
    result = launch(settings, instance, "refetch")
    failed = [event.step_key for event in result.all_events if event.is_step_failure]
    assert failed == ["fmp_news_coverage"]
    assert [event.step_key for event in result.all_events if event.is_step_skipped] == []
    assert tickers(settings, "core.accepted_bars") == ["AAA", "BBB", "CCC", "SPY"]
    last_step = [event.step_key for event in result.all_events if event.is_step_start][-1]
    assert last_step == "fmp_news_coverage"
    assert "transient_exhausted: AAA, BBB, CCC" in shown(result, "fmp_news")["unavailable"]
    checked = {e.check_name: e.passed for e in result.get_asset_check_evaluations() if e.asset_key.path[0] == "raw"}
    assert checked == {"coverage": False}
    with pytest.raises(SourceUnavailableError, match="AAA, BBB, CCC"):
        build_defs(settings).resolve_job_def("fetch").execute_in_process(
            run_config={"resources": {"options": {"config": {"as_of": TODAY.isoformat()}}}}, instance=instance
        )
    del fmp.forever[NEWS]
    (settings.home / "gate.sqlite").unlink()  # the circuit is open, and the test does not wait for it
    assert launch(settings, instance, "fetch").success
    assert tickers(settings, "raw.fmp_news") == ["AAA", "BBB", "CCC", "SPY"]


def test_a_feed_beside_the_bars_that_breaks_is_told_at_the_end_and_stops_nothing(settings, instance, monkeypatch):
    def breaks(lake, feed, *options, **named):
        if feed.kind == "news":
            raise SchemaError("raw.fmp_news: unknown columns ['x']")
        return ingest(lake, feed, *options, **named)

    monkeypatch.setattr(raw, "ingest", breaks)
    result = launch(settings, instance, "refetch")
    assert [event.step_key for event in result.all_events if event.is_step_failure] == ["fmp_news_coverage"]
    assert tickers(settings, "core.accepted_bars") == ["AAA", "BBB", "CCC", "SPY"]


def test_too_few_bars_stop_what_follows_and_name_the_tickers(settings, vendors, instance):
    for vendor in vendors:
        vendor.world.unknown |= set(TICKERS)
    result = launch(settings, instance, "fetch")
    assert not result.success
    assert [event.step_key for event in result.all_events if event.is_step_failure] == ["raw_fmp_bars"]
    observed = [e.event_specific_data.asset_observation for e in result.all_events if e.event_type_value == "ASSET_OBSERVATION"]
    rows = [record.data for record in observed[0].metadata["failed"].records]
    assert [(row["ticker"], row["outcome"]) for row in rows] == [(ticker, "unknown_symbol") for ticker in TICKERS]


def test_the_first_run_on_an_index_asks_for_its_members_of_that_day(settings, vendors, instance):
    yahoo, _ = vendors
    with FakePublic() as public:
        public.files[MEMBERS] = (
            "ticker,start_date,end_date\nAAA,2001-01-02,\nCCC,2001-01-02,2025-01-02\nDDD,2030-01-02,\nBRK.B,2010-02-16,\n"
        )
        sources = SourceSettings(bars=("yahoo",), members=("sp500",))
        index = settings.model_copy(
            update={"sources": sources, "live_universe": "sp500", "sp500": PublicSettings(base_url=public.url, **FAST)}
        )
        assert launch(index, instance, "refetch").success
        assert tickers(settings, "core.accepted_bars") == ["AAA", "BRK-B", "SPY"]
        assert yahoo.requests("CCC") == 0
        asked = public.hits[MEMBERS]
        assert launch(index, instance, "refetch").success
        assert (asked, public.hits[MEMBERS], yahoo.requests("AAA")) == (1, 1, 1)


def test_a_backfill_of_all_shards_brings_every_ticker_once(settings, vendors, instance):
    yahoo, _ = vendors
    job = build_defs(settings).resolve_job_def("backfill")
    shards = {}
    for ticker in (*TICKERS, "SPY"):
        shards.setdefault(shard_of(ticker), []).append(ticker)
    for shard, expected in sorted(shards.items()):
        before = set(tickers(settings, "raw.yahoo_bars"))
        config = {"resources": {"options": {"config": {}}}}
        assert job.execute_in_process(run_config=config, instance=instance, partition_key=shard).success
        assert set(tickers(settings, "raw.yahoo_bars")) - before == set(expected)
    assert tickers(settings, "raw.yahoo_bars") == ["AAA", "BBB", "CCC", "SPY"]
    assert {yahoo.requests(ticker) for ticker in (*TICKERS, "SPY")} == {1}


def shard_of(ticker):
    """Where its name puts it: 01 to 32 by sha256."""
    return f"{int(sha256(ticker.encode()).hexdigest(), 16) % 32 + 1:02d}"
