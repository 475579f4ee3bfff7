import datetime as dt

import pyarrow as pa
import pytest

from trader_pipeline import calendar
from trader_pipeline.errors import InputError, SourceUnavailableError, UsageError
from trader_pipeline.flows.check import accept, check
from trader_pipeline.flows.corrections import corrections_after
from trader_pipeline.flows.followed import not_followed
from trader_pipeline.flows.ingest import ingest, is_due
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.lake import Lake
from trader_pipeline.schema import core, raw
from trader_pipeline.settings import CheckSettings, Settings
from trader_pipeline.sources import FEEDS, last_session_of
from trader_pipeline.sources.source import Attempt, Feed, FetchResult
from trader_pipeline_tests.feeds import feed_of

AS_OF = calendar.known_at("XNYS", dt.date(2024, 1, 4))
NOW = AS_OF + dt.timedelta(minutes=10)
NEXT = calendar.known_at("XNYS", dt.date(2024, 1, 5))
LATER = calendar.known_at("XNYS", dt.date(2024, 1, 8))


class Vendor:
    """A vendor over no wire: `answers` says what becomes of a ticker, ok unless said otherwise. It notes what it is asked."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []
        self.since = []

    @property
    def source(self):
        return Feed(source="yahoo", kind="bars", raw_tables=(raw.OWN_BARS,), fetch=self.fetch, to_core=feed_of("own").to_core)

    def fetch(self, request, _settings):
        self.asked.append(request.tickers)
        self.since.append(dict(request.since))
        last = calendar.last_closed_session("XNYS", request.as_of)
        attempts, rows = [], []
        for ticker in request.tickers:
            outcome = self.answers.get(ticker, "ok")
            attempts.append(Attempt(ticker=ticker, outcome=outcome, at=request.fetched_at, requests=2))
            if outcome == "ok":
                days = calendar.sessions("XNYS", last - dt.timedelta(days=3), last).tolist()
                rows += [row(ticker, day, request.fetched_at) for day in days]
        tables = {raw.OWN_BARS: pa.Table.from_pylist(rows, schema=raw.OWN_BARS.arrow_schema)} if rows else {}
        yield FetchResult(tables=tables, attempts=tuple(attempts))


def row(ticker, day, fetched_at):
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), 10.0)
    stamps = {"fetched_at": fetched_at, "request_sha256": "x", "file": "-", "role": "stock", "splits_after": 1.0}
    return {"ticker": ticker, "date": day, **prices, **stamps, "dividend": None, "split_ratio": None}


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "live" / "lake", "live")


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path, dataset="live", _env_file=None)


def run(lake, vendor, settings, *tickers, as_of=AS_OF, fetched_at=NOW):
    return ingest(lake, vendor.source, settings, as_of=as_of, fetched_at=fetched_at, run_id="run", tickers=tickers or None)


def head(lake):
    return (lake.root / "HEAD").read_text()


def test_the_benchmark_is_asked_for_with_the_tickers(lake, settings):
    vendor = Vendor()
    outcome = run(lake, vendor, settings, "A", "B")
    assert vendor.asked == [("A", "B", "SPY")]
    assert (outcome.requests, outcome.new_rows, outcome.changed) == (6, 9, True)


def test_a_second_run_sends_no_request_and_leaves_head_alone(lake, settings):
    vendor = Vendor()
    run(lake, vendor, settings, "A")
    before = head(lake)
    again = run(lake, vendor, settings, "A", fetched_at=NOW + dt.timedelta(hours=2))
    assert len(vendor.asked) == 1
    assert (again.requests, again.changed, head(lake)) == (0, False, before)
    assert not is_due(lake, (vendor.source,), settings, as_of=AS_OF, tickers=("A",))


def test_the_next_session_is_asked_for_with_the_watermark(lake, settings):
    vendor = Vendor()
    run(lake, vendor, settings, "A")
    assert is_due(lake, (vendor.source,), settings, as_of=NEXT, tickers=("A",))
    run(lake, vendor, settings, "A", as_of=NEXT, fetched_at=NEXT)
    assert vendor.since[1] == {"A": dt.date(2023, 12, 12), "SPY": dt.date(2023, 12, 12)}  # 15 sessions before 2024-01-04


def test_only_what_is_missing_is_asked_for_after_a_failure(lake, settings):
    vendor = Vendor(B="throttled")
    run(lake, vendor, settings, "A", "B")
    vendor.answers = {}
    run(lake, vendor, settings, "A", "B", fetched_at=NOW + dt.timedelta(hours=1))
    assert vendor.asked[1] == ("B",)


@pytest.mark.parametrize("outcome", ["no_data", "unknown_symbol"])
def test_an_answer_without_rows_is_not_asked_again_until_the_next_session(lake, settings, outcome):
    vendor = Vendor(B=outcome)
    run(lake, vendor, settings, "A", "B")
    run(lake, vendor, settings, "A", "B", fetched_at=NOW + dt.timedelta(hours=1))
    assert len(vendor.asked) == 1
    run(lake, vendor, settings, "A", "B", as_of=NEXT, fetched_at=NEXT)
    assert "B" in vendor.asked[1]


def test_every_attempt_is_kept_with_its_outcome(lake, settings):
    run(lake, Vendor(B="unknown_symbol"), settings, "A", "B")
    rows = lake.snapshot().sql("select ticker, outcome, requests, run_id from raw.fetch_attempts order by ticker").to_pylist()
    assert [tuple(r.values()) for r in rows] == [("A", "ok", 2, "run"), ("B", "unknown_symbol", 2, "run"), ("SPY", "ok", 2, "run")]


def test_a_storm_fails_the_fetch_after_publishing_what_came(lake, settings):
    vendor = Vendor(A="throttled", B="throttled", C="transient_exhausted")
    with pytest.raises(SourceUnavailableError, match="throttled: A, B; transient_exhausted: C of 5 tickers"):
        run(lake, vendor, settings, "A", "B", "C", "D")
    assert set(lake.snapshot().read(raw.OWN_BARS)["ticker"].to_pylist()) == {"D", "SPY"}
    assert lake.snapshot().rows(raw.FETCH_ATTEMPTS) == 5


def test_two_failures_among_many_are_only_reported(lake, settings):
    assert run(lake, Vendor(A="throttled", B="unknown_symbol"), settings, "A", "B", "C").changed


def test_three_failures_of_two_hundred_are_only_reported(lake, settings):
    many = tuple(f"T{k:03d}" for k in range(200))
    failing = dict.fromkeys(many[:3], "throttled")
    assert run(lake, Vendor(**failing), settings, *many).changed


def test_nothing_but_failures_fail_even_for_one_ticker(lake, settings):
    with pytest.raises(SourceUnavailableError, match="transient_exhausted: SPY"):
        run(lake, Vendor(SPY="transient_exhausted"), settings, "SPY")


def test_a_leftover_of_a_universe_that_is_complete_does_not_fail_the_second_run(lake, settings):
    vendor = Vendor(B="throttled")
    run(lake, vendor, settings, "A", "B")
    again = run(lake, vendor, settings, "A", "B", fetched_at=NOW + dt.timedelta(hours=1))
    assert [a.ticker for a in again.attempts] == ["B"]


def test_tickers_that_were_unknown_before_fail_no_later_fetch(lake, settings):
    vendor = Vendor(**dict.fromkeys("ABC", "unknown_symbol"))
    with pytest.raises(SourceUnavailableError, match="unknown_symbol: A, B, C of 6 tickers"):
        run(lake, vendor, settings, *"ABCDE")
    assert run(lake, vendor, settings, *"ABCDE", as_of=NEXT, fetched_at=NEXT).new_rows > 0
    vendor.answers["D"] = "unknown_symbol"
    assert run(lake, vendor, settings, *"ABCDE", as_of=LATER, fetched_at=LATER).changed


def test_while_an_outage_holds_the_session_its_missing_tickers_are_asked_again(lake, settings):
    tickers = tuple(f"T{k}" for k in range(6))
    vendor = Vendor()
    run(lake, vendor, settings, *tickers)
    judged(lake, vendor, AS_OF)
    vendor.answers = dict.fromkeys(tickers[:2], "no_data")
    run(lake, vendor, settings, *tickers, as_of=NEXT, fetched_at=NEXT)
    assert judged(lake, vendor, NEXT).held_from == dt.date(2024, 1, 5)
    assert is_due(lake, (vendor.source,), settings, as_of=NEXT, tickers=tickers)
    vendor.answers = {}
    run(lake, vendor, settings, *tickers, as_of=NEXT, fetched_at=NEXT + dt.timedelta(hours=1))
    assert vendor.asked[2] == tickers[:2]
    assert judged(lake, vendor, NEXT).held_from is None
    assert not is_due(lake, (vendor.source,), settings, as_of=NEXT, tickers=tickers)


def judged(lake, vendor, as_of):
    standardize(lake, (vendor.source,), as_of=as_of, run_id="run")
    check(lake, as_of=as_of, settings=CheckSettings(), run_id=f"run-{lake.snapshot().commit.number}")
    return accept(lake, as_of=as_of, run_id="run")


def test_one_changed_schema_fails(lake, settings):
    with pytest.raises(SourceUnavailableError, match="schema_change: A"):
        run(lake, Vendor(A="schema_change"), settings, "A", "B", "C", "D")


def test_a_run_that_names_only_unknown_tickers_says_so_each_time(lake, settings):
    vendor = Vendor(NOSUCH="unknown_symbol")
    for _ in range(2):
        with pytest.raises(UsageError, match="yahoo knows none of NOSUCH"):
            run(lake, vendor, settings, "NOSUCH")
    assert len(vendor.asked) == 1


def test_a_ticker_that_the_vendor_does_not_know_enters_no_universe(lake, settings):
    vendor = Vendor(ZZZZ="unknown_symbol")
    run(lake, vendor, settings, "A", "ZZZZ")
    standardize(lake, (vendor.source,), as_of=AS_OF, run_id="run")
    assert lake.snapshot().sql("select ticker from core.universe")["ticker"].to_pylist() == ["A", "SPY"]


def test_what_is_fetched_by_name_alone_is_said_not_to_be_followed(lake, settings):
    today = AS_OF.date()
    assert not_followed(lake.snapshot(), settings, ("A", "B", "SPY"), today) == ["A", "B"]
    settings.universe_file.write_text('[default]\nmembers = [{ ticker = "A" }]\n')
    assert not_followed(lake.snapshot(), settings, ("A", "B", "SPY"), today) == ["B"]


def test_without_tickers_the_configured_universe_is_asked(lake, settings):
    vendor = Vendor()
    with pytest.raises(UsageError, match="trader universe add"):
        run(lake, vendor, settings)
    settings.universe_file.write_text('[default]\nmembers = [{ ticker = "A" }]\n')
    run(lake, vendor, settings)
    assert vendor.asked == [("A", "SPY")]


def test_a_first_session_that_is_no_date_is_named(lake, settings):
    with pytest.raises(UsageError, match="TRADER_LIVE_FIRST_SESSION"):
        run(lake, Vendor(), settings.model_copy(update={"live_first_session": "soon"}), "A")


def test_a_file_that_grows_daily_brings_its_new_days_and_what_may_not_have_been_final(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    settings = Settings(home=tmp_path, dataset="own", own_path=folder, _env_file=None)
    lake, source = Lake(settings.dataset_home / "lake", "own"), feed_of("own")
    lines, brought = ["Date,Open,High,Low,Close,Volume"], []
    for day, close in enumerate((10.5, 10.6, 10.7), start=2):
        lines.append(f"2024-01-{day:02d},10,11,9,{close},1000")
        (folder / "A.csv").write_text("\n".join(lines))
        fetched_at = dt.datetime(2024, 1, day + 10, tzinfo=dt.UTC) if day > 2 else dt.datetime(2024, 1, 2, 20, 0, tzinfo=dt.UTC)
        brought.append(ingest(lake, source, settings, as_of=AS_OF, fetched_at=fetched_at, run_id="run").new_rows)
        assert not is_due(lake, (source,), settings, as_of=AS_OF)
    assert brought == [1, 2, 1]  # the first was fetched before its close, so the next file brings it once more
    standardize(lake, (source,), as_of=AS_OF, run_id="run")
    assert lake.snapshot().sql("select close from core.daily_bars order by session")["close"].to_pylist() == [10.5, 10.6, 10.7]
    lines[1] = "2024-01-02,10,11,9,10.1,1000"
    (folder / "A.csv").write_text("\n".join(lines))
    again = ingest(lake, source, settings, as_of=AS_OF, fetched_at=dt.datetime(2024, 1, 20, tzinfo=dt.UTC), run_id="run")
    assert again.new_rows == 1
    standardize(lake, (source,), as_of=AS_OF, run_id="run")
    versions = lake.snapshot().sql("select close from core.daily_bars where session = date '2024-01-02' order by known_at")
    assert versions["close"].to_pylist() == [10.5, 10.1]
    then = calendar.known_at("XNYS", dt.date(2024, 1, 19))  # the mended file came on Saturday the 20th
    assert corrections_after(lake.snapshot(), then) == (1, dt.date(2024, 1, 22))
    assert corrections_after(lake.snapshot(), calendar.known_at("XNYS", dt.date(2024, 1, 22))) == (0, None)


def test_without_the_folder_what_is_stored_stands_and_nothing_stored_is_refused(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "A.csv").write_text("Date,Open,High,Low,Close,Volume\n2024-01-02,10,11,9,10.5,1000\n")
    settings = Settings(home=tmp_path, dataset="own", own_path=folder, _env_file=None)
    lake, source, nowhere = Lake(settings.dataset_home / "lake", "own"), feed_of("own"), settings.model_copy(update={"own_path": None})
    with pytest.raises(InputError, match="set TRADER_OWN_PATH"):
        ingest(lake, source, nowhere, as_of=AS_OF, fetched_at=NOW, run_id="run")
    ingest(lake, source, settings, as_of=AS_OF, fetched_at=NOW, run_id="run")
    assert not is_due(lake, (source,), nowhere, as_of=AS_OF)
    outcome = ingest(lake, source, nowhere, as_of=AS_OF, fetched_at=NOW, run_id="run")
    assert (outcome.changed, "TRADER_OWN_PATH" in outcome.skipped) == (False, True)


@pytest.mark.parametrize("dataset", ["deep", "broad", "simulated", "own"])
def test_a_second_run_of_a_local_source_changes_nothing(tmp_path, dataset):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "A.csv").write_text("Date,Open,High,Low,Close,Volume\n2024-01-02,10,11,9,10.5,1000\n")
    settings = Settings(home=tmp_path, dataset=dataset, own_path=folder, simulated_tickers=3, simulated_days=20, _env_file=None)
    lake, source = Lake(settings.dataset_home / "lake", dataset), feed_of(dataset)
    heads = []
    for hours in range(2):
        assert is_due(lake, (source,), settings, as_of=AS_OF) == (hours == 0)
        ingested = ingest(lake, source, settings, as_of=AS_OF, fetched_at=NOW + dt.timedelta(hours=hours), run_id=f"run {hours}")
        standardized = standardize(lake, (source,), as_of=AS_OF, run_id=f"run {hours}")
        assert (ingested.changed, standardized.changed, ingested.requests) == (hours == 0, hours == 0, 0)
        heads.append((head(lake), sorted(p.name for p in lake.root.rglob("*.parquet"))))
    assert heads[0] == heads[1]
    assert lake.snapshot().rows(core.DAILY_BARS) > 0


def test_every_dataset_has_its_source_and_every_source_a_dataset():
    found = {dataset: feed_of(dataset).name for dataset in ("deep", "broad", "own", "simulated", "live")}
    assert found == {"deep": "sample_bars", "broad": "sample_bars", "own": "own_bars", "simulated": "simulated_bars", "live": "yahoo_bars"}


def test_samples_end_and_live_data_do_not():
    ends = {dataset: last_session_of(dataset) for dataset in ("deep", "broad", "simulated", "own", "live")}
    day = dt.date(2020, 2, 7)
    assert ends == {"deep": day, "broad": dt.date(2010, 8, 20), "simulated": day, "own": None, "live": None}


def test_local_sources_and_only_they_name_what_they_would_read():
    assert all((source.request_hashes is not None) == source.local for source in FEEDS)
