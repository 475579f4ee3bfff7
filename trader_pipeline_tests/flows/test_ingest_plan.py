"""Which days a feed is asked for, what a refetch that says something else leads to, and which source is asked for what."""

import datetime as dt
from dataclasses import replace

import pytest

from trader_pipeline import calendar, sources
from trader_pipeline.errors import SourceUnavailableError, UsageError
from trader_pipeline.flows import ingest_batch
from trader_pipeline.flows.ingest import FetchProgress, ingest, is_due
from trader_pipeline.flows.ingest_stored import close_of
from trader_pipeline.lake import Lake
from trader_pipeline.schema import raw
from trader_pipeline.settings import Settings, SourceSettings
from trader_pipeline.sources import FEEDS
from trader_pipeline_tests.paper_vendor import FIRST, PaperVendor

MONDAY = dt.date(2025, 3, 10)
FRIDAY = dt.date(2025, 3, 7)
DAYS = calendar.sessions("XNYS", FIRST, FRIDAY).tolist()


def after(day):
    return calendar.known_at("XNYS", day)


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path, dataset="live", live_first_session=FIRST.isoformat(), _env_file=None)


@pytest.fixture
def lake(settings):
    return Lake(settings.dataset_home / "lake", "live")


@pytest.fixture
def vendor():
    return PaperVendor()


@pytest.fixture
def run(lake, settings):
    def run(vendor, *tickers, day=FRIDAY, later=dt.timedelta(), run_id="run", **options):
        moment = after(day)
        return ingest(
            lake, vendor.feed, settings, as_of=moment, fetched_at=moment + later, run_id=run_id, tickers=tickers or ("A",), **options
        )

    return run


def stored(lake, ticker="A"):
    rows = lake.snapshot().sql("select date, close from raw.own_bars where ticker = ? order by date, fetched_at", [ticker]).to_pylist()
    return [(row["date"], row["close"]) for row in rows]


def detail(lake, ticker="A"):
    query = 'select outcome, detail from raw.fetch_attempts where ticker = ? order by "at" desc limit 1'
    return tuple(lake.snapshot().sql(query, [ticker]).to_pylist()[0].values())


def test_the_overlap_is_15_sessions_before_the_last_one_with_a_close(run, vendor):
    vendor.closes["A"] = {FRIDAY: None, DAYS[-2]: None}
    run(vendor)
    run(vendor, day=MONDAY)
    assert vendor.since[1] == {"A": DAYS[-3 - 15], "SPY": DAYS[-1 - 15]}


def test_a_new_ticker_is_asked_for_from_the_first_session_and_a_second_run_for_nothing(run, vendor, lake, settings):
    run(vendor)
    assert vendor.since == [{}]
    assert not run(vendor, later=dt.timedelta(hours=1)).changed
    assert len(vendor.asked) == 1
    assert not is_due(lake, (vendor.feed,), settings, as_of=after(FRIDAY), tickers=("A",))
    assert is_due(lake, (vendor.feed,), settings, as_of=after(MONDAY), tickers=("A",))


@pytest.mark.parametrize(("back", "found"), [(30, True), (59, True), (70, False)])
def test_a_hole_inside_the_last_60_sessions_is_asked_for_again(run, vendor, back, found):
    hole = DAYS[-back]
    vendor.missing.add(("A", hole))
    vendor.closes["SPY"] = {hole: None}
    run(vendor)
    run(vendor, day=MONDAY)
    assert vendor.since[1] == dict.fromkeys(("A", "SPY"), hole if found else DAYS[-1 - 15])


def test_a_listing_that_began_inside_the_window_has_no_hole_before_it(run, vendor):
    vendor.missing |= {("A", day) for day in DAYS[:-30]}
    run(vendor)
    run(vendor, day=MONDAY)
    assert vendor.since[1]["A"] == DAYS[-1 - 15]


def test_a_hole_that_reaches_over_the_window_is_asked_for_from_its_start(run, vendor):
    vendor.missing |= {("A", day) for day in DAYS[-80:-40]}
    run(vendor)
    run(vendor, day=MONDAY)
    assert vendor.since[1]["A"] == calendar.offset("XNYS", MONDAY, -60)


def test_since_asks_for_a_day_again_though_everything_is_complete(run, vendor):
    run(vendor)
    run(vendor, since=DAYS[-100], later=dt.timedelta(hours=1))
    assert vendor.since[1] == dict.fromkeys(("A", "SPY"), DAYS[-100])


def test_shards_share_the_tickers_between_them(run, vendor):
    tickers = tuple(f"T{k}" for k in range(40))
    for part in range(4):
        run(vendor, *tickers, shard=(part, 4))
    assert sorted(t for asked in vendor.asked for t in asked) == sorted((*tickers, "SPY"))
    assert all(4 < len(asked) < 17 for asked in vendor.asked)
    with pytest.raises(UsageError, match="no shard 4 of 4"):
        run(vendor, shard=(4, 4))


def test_a_refetch_stores_what_is_new_and_what_says_something_else(run, vendor, lake):
    run(vendor)
    vendor.closes["A"] = {DAYS[-5]: 10.2}
    outcome = run(vendor, day=MONDAY)
    assert outcome.new_rows == 3  # A and SPY on Monday, and one correction
    assert [row for row in stored(lake) if row[0] == DAYS[-5]] == [(DAYS[-5], 10.0), (DAYS[-5], 10.2)]


def test_a_row_without_a_close_takes_no_stored_one_back(run, vendor, lake):
    run(vendor)
    vendor.closes["A"] = {DAYS[-5]: None}
    run(vendor, day=MONDAY)
    assert [row for row in stored(lake) if row[0] == DAYS[-5]] == [(DAYS[-5], 10.0)]


def test_one_ratio_over_the_overlap_fetches_the_whole_symbol_again(run, vendor, lake):
    run(vendor)
    vendor.closes["A"] = dict.fromkeys((*DAYS, MONDAY), 2.5)
    outcome = run(vendor, day=MONDAY)
    assert vendor.asked[1:] == [("A", "SPY"), ("A",)]
    assert vendor.since[2] == {"A": FIRST}
    assert outcome.restated == ("A",)
    assert [a.requests for a in outcome.attempts if a.ticker == "A"] == [4]
    assert detail(lake) == ("ok", "restated: ratio 0.2500 over 16 sessions")
    assert len(stored(lake)) == 2 * len(DAYS) + 1
    assert {close for _, close in stored(lake)[1::2]} == {2.5}


@pytest.mark.parametrize("kind", ["splits", "dividends"])
def test_an_action_told_late_fetches_the_whole_symbol_again(run, vendor, lake, kind):
    run(vendor)
    getattr(vendor, kind)["A"] = {DAYS[-4]: 4.0}
    assert run(vendor, day=MONDAY).restated == ("A",)
    assert detail(lake) == ("ok", f"restated: {kind[:-1]} 4 on {DAYS[-4]} was not known")
    assert run(vendor, day=dt.date(2025, 3, 11)).restated == ()


def test_a_split_of_a_new_session_fetches_nothing_again(run, vendor):
    run(vendor)
    vendor.splits["A"] = {MONDAY: 4.0}
    assert run(vendor, day=MONDAY).restated == ()
    assert len(vendor.asked) == 2


def test_a_restated_symbol_whose_second_answer_fails_is_asked_again_by_the_next_run(run, vendor, lake):
    run(vendor, "A", "B")
    vendor.closes["A"] = dict.fromkeys((*DAYS, MONDAY), 2.5)
    feed = vendor.feed
    answers = iter([{}, {"A": "throttled"}])

    def fetch(request, settings):
        vendor.answers = next(answers)
        yield from feed.fetch(request, settings)

    vendor.feed = replace(feed, fetch=fetch)
    assert run(vendor, "A", "B", day=MONDAY).restated == ()
    assert detail(lake) == ("throttled", "restated: ratio 0.2500 over 16 sessions")
    assert len(stored(lake)) == len(DAYS)
    vendor.answers, vendor.feed = {}, feed
    assert run(vendor, "A", "B", day=MONDAY, later=dt.timedelta(hours=1)).restated == ("A",)


def test_another_company_under_the_symbol_is_refused_until_it_is_restated(run, vendor, lake):
    run(vendor)
    before = stored(lake)
    vendor.closes["A"] = {day: 30.0 + 7 * (k % 3) for k, day in enumerate((*DAYS, MONDAY))}
    outcome = run(vendor, day=MONDAY)
    assert {a.ticker: a.outcome for a in outcome.attempts} == {"A": "no_data", "SPY": "ok"}
    assert stored(lake) == before
    assert "declare it in symbols.toml" in detail(lake)[1]
    assert "--restate" in detail(lake)[1]
    run(vendor, day=MONDAY, later=dt.timedelta(hours=1), restate=True)
    assert vendor.since[2] == dict.fromkeys(("A", "SPY"), FIRST)
    assert len(stored(lake)) == 2 * len(DAYS) + 1


def test_a_symbol_that_the_user_declared_as_another_company_starts_anew(run, vendor, settings):
    run(vendor)
    settings.symbols_file.write_text('[[end]]\nsymbol = "A"\non = 2025-03-10\n')
    vendor.closes["A"] = {day: 30.0 + 7 * (k % 3) for k, day in enumerate((*DAYS, MONDAY))}
    outcome = run(vendor, day=MONDAY)
    assert "A" not in vendor.since[1]
    assert {a.ticker: a.outcome for a in outcome.attempts}["A"] == "ok"


def test_a_renamed_security_goes_on_where_its_old_symbol_ended(run, vendor, settings):
    run(vendor, "FB")
    settings.symbols_file.write_text('[[rename]]\nfrom = "FB"\nto = "META"\non = 2025-03-10\n')
    run(vendor, "META", day=MONDAY)
    assert vendor.asked[1] == ("META", "SPY")
    assert vendor.since[1]["META"] == DAYS[-1 - 15]


def test_the_universe_list_may_name_a_symbol_that_was_renamed_since(lake, settings, vendor):
    settings.symbols_file.write_text('[[rename]]\nfrom = "FB"\nto = "META"\non = 2022-06-09\n')
    settings.universe_file.write_text('[default]\nmembers = [{ticker = "FB", added = 2020-01-02}, {ticker = "A"}]\n')
    ingest(lake, vendor.feed, settings, as_of=after(FRIDAY), fetched_at=after(FRIDAY), run_id="run")
    assert vendor.asked == [("A", "META", "SPY")]


def test_a_share_class_is_one_security_however_it_is_written(lake, settings, run, vendor):
    settings.universe_file.write_text('[default]\nmembers = [{ticker = "BRK.B"}, {ticker = "BRK-B"}]\n')
    ingest(lake, vendor.feed, settings, as_of=after(FRIDAY), fetched_at=after(FRIDAY), run_id="run")
    assert vendor.asked == [("BRK-B", "SPY")]
    run(vendor, "BRK.B", "VOD.L", day=MONDAY)
    assert vendor.asked[1] == ("BRK-B", "SPY", "VOD.L")


def test_a_bar_that_is_not_final_is_refused_whatever_the_vendor_sends(run, vendor, lake):
    run(vendor, later=-dt.timedelta(minutes=1))
    assert stored(lake)[-1][0] == DAYS[-2]


def test_an_interrupt_stores_what_came_and_the_next_run_asks_for_the_rest(run, vendor, lake):
    vendor.fails_after = 2
    with pytest.raises(KeyboardInterrupt):
        run(vendor, "A", "B", "C", "D")
    assert set(lake.snapshot().read(raw.OWN_BARS)["ticker"].to_pylist()) == {"A", "B"}
    vendor.fails_after = None
    run(vendor, "A", "B", "C", "D", later=dt.timedelta(hours=1))
    assert vendor.asked[1] == ("C", "D", "SPY")


def test_what_came_is_stored_while_the_fetch_goes_on(run, vendor, lake, monkeypatch):
    monkeypatch.setattr(ingest_batch, "BATCH_TICKERS", 2)
    seen = []
    run(vendor, "A", "B", "C", "D", report=lambda _: seen.append(lake.snapshot().rows(raw.FETCH_ATTEMPTS)))
    assert seen == [0, 0, 2, 2, 4]


def test_progress_is_told_after_every_answer(run, vendor):
    told = []
    outcome = run(vendor, "A", "B", report=told.append)
    assert [(p.feed, p.done, p.of, p.requests, p.retries) for p in told] == [("yahoo_bars", k, 3, 2 * k, k) for k in (1, 2, 3)]
    assert isinstance(told[0], FetchProgress)
    assert (outcome.requests, outcome.retries, outcome.throttled) == (6, 3, 0)


def test_every_source_of_bars_has_a_close_that_we_know():
    assert all(close_of(feed) for feed in FEEDS if feed.kind == "bars" and not feed.local)


@pytest.fixture
def pair(monkeypatch, settings):
    """Two sources of bars, the second stands in for the first; and how to run them one after the other."""
    first, second = PaperVendor("yahoo"), PaperVendor("tiingo", replace(raw.OWN_BARS, name="paper_bars"))
    monkeypatch.setattr(sources, "FEEDS", (first.feed, second.feed))
    settings.sources = SourceSettings(bars=("yahoo", "tiingo"))
    return first, second


def test_a_stand_in_is_asked_only_for_what_the_first_source_lacks(run, pair, lake, settings):
    first, second = pair
    first.answers = {"B": "throttled", "C": "no_data"}
    run(first, "A", "B", "C")
    assert is_due(lake, (second.feed,), settings, as_of=after(FRIDAY), tickers=("A", "B", "C"))
    run(second, "A", "B", "C")
    assert second.asked == [("B", "C")]
    assert not is_due(lake, (second.feed,), settings, as_of=after(FRIDAY), tickers=("A", "B", "C"))


def test_a_stand_in_overlaps_what_the_first_source_has(run, pair):
    first, second = pair
    run(first, "A", "B")
    run(second, "A", "B")
    assert second.asked == []
    first.answers = {"B": "throttled"}
    run(first, "A", "B", day=MONDAY)
    run(second, "A", "B", day=MONDAY)
    assert second.since == [{"B": DAYS[-1 - 15]}]
    first.answers = {}
    run(first, "A", "B", day=dt.date(2025, 3, 11))
    assert first.since[-1]["B"] == DAYS[-1 - 15]


def test_only_the_last_source_answers_for_what_is_missing(run, pair):
    first, second = pair
    many = tuple(f"T{k}" for k in range(10))
    first.answers = dict.fromkeys(many[:4], "throttled")
    second.answers = dict.fromkeys(many[:3], "transient_exhausted")
    run(first, *many)
    with pytest.raises(SourceUnavailableError, match=r"yahoo \+ tiingo: transient_exhausted: T0, T1, T2 of 11 tickers"):
        run(second, *many)
    second.answers = {}
    assert run(second, *many, later=dt.timedelta(hours=1)).changed


def test_what_a_stand_in_answered_is_covered(run, pair):
    first, second = pair
    many = tuple(f"T{k}" for k in range(10))
    first.answers = dict.fromkeys(many, "throttled") | {"SPY": "throttled"}
    second.answers = dict.fromkeys(many[:5], "no_data")
    run(first, *many)
    assert not [a for a in run(second, *many).attempts if a.outcome not in {"ok", "no_data"}]


def test_a_changed_form_of_any_source_fails_though_the_rows_came_from_another(run, pair):
    first, second = pair
    first.answers = {"A": "schema_change"}
    run(first, "A", "B")
    with pytest.raises(SourceUnavailableError, match="schema_change: A"):
        run(second, "A", "B")


def test_a_ticker_that_one_source_of_two_does_not_know_is_no_usage_error(run, pair):
    first, second = pair
    first.answers = {"A": "unknown_symbol"}
    run(first, "A")
    assert run(second, "A").changed
    second.answers = first.answers = {"NOSUCH": "unknown_symbol"}
    run(first, "NOSUCH")
    with pytest.raises(UsageError, match="tiingo knows none of NOSUCH"):
        run(second, "NOSUCH")


def test_a_source_that_is_not_ready_is_skipped_and_the_last_ready_one_answers(run, pair, monkeypatch):
    first, second = pair
    unready = replace(second.feed, unready=lambda _: "tiingo wants a token; set TRADER_TIINGO__API_KEY")
    second.feed = unready
    monkeypatch.setattr(sources, "FEEDS", (first.feed, unready))
    assert run(second).skipped == "tiingo wants a token; set TRADER_TIINGO__API_KEY"
    first.answers = {"A": "throttled", "SPY": "throttled"}
    with pytest.raises(SourceUnavailableError, match="throttled: A, SPY of 2"):
        run(first)
    first.feed = replace(first.feed, unready=lambda _: "down for good")
    monkeypatch.setattr(sources, "FEEDS", (first.feed, unready))
    with pytest.raises(UsageError, match="no source of bars can be asked"):
        run(first)
