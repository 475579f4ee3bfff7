"""FRED: what is asked for with and without a key, what the rows mean, and what was known when."""

import datetime as dt

import pyarrow.compute as pc
import pytest

from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema import core
from trader_pipeline.schema.raw_fred import FRED_LATEST, FRED_VINTAGES
from trader_pipeline.schema.vintages import allowed_in_backtest
from trader_pipeline.settings import FredSettings, Settings
from trader_pipeline.sources.fred import FRED
from trader_pipeline.sources.fred_api import windows
from trader_pipeline.sources.source import FetchRequest
from trader_pipeline_tests.fake_fred import CHART, KEY, OBSERVATIONS, VINTAGE_DATES, FakeFred, gdp
from trader_pipeline_tests.fast import FAST
from trader_pipeline_tests.feeds import fetched

NOW = dt.datetime(2014, 8, 1, 21, 0, tzinfo=dt.UTC)


@pytest.fixture
def fred():
    with FakeFred() as server:
        yield server


def settings_for(home, url, **changes):
    fast = FAST | {
        "timeout_seconds": 5,
        "attempts": 3,
    }
    return Settings(home=home, _env_file=None, fred=FredSettings(base_url=url, **(fast | changes)))


@pytest.fixture
def keyless(tmp_path, fred):
    return settings_for(tmp_path, fred.url)


@pytest.fixture
def keyed(tmp_path, fred):
    return settings_for(tmp_path, fred.url, api_key=KEY)


def ask(settings, *series, **changes):
    result = fetched(FRED, FetchRequest(**({"as_of": NOW, "fetched_at": NOW, "tickers": series} | changes)), settings)
    return {attempt.ticker: attempt for attempt in result.attempts}, result.tables


def macro(tables):
    rows = FRED.to_core({table.full_name: tables.get(table, table.empty()) for table in FRED.raw_tables})[core.MACRO]
    return rows.sort_by([("series", "ascending"), ("observed_on", "ascending"), ("known_at", "ascending")])


def instant(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def test_without_a_key_the_newest_values_come_and_a_revised_series_is_barred_from_backtests(fred, keyless):
    fred.releases["DGS10"] = {"2014-07-03": [("2014-07-07", "2.65")], "2014-07-04": [("2014-07-07", ".")], "2014-07-07": [("", "")]}
    attempts, tables = ask(keyless, "GDP", "DGS10")
    assert (attempts["GDP"].outcome, attempts["GDP"].rows, attempts["GDP"].requests) == ("ok", 3, 1)
    assert attempts["DGS10"].last_session == dt.date(2014, 7, 7)
    rows = macro(tables).to_pylist()
    assert [(r["series"], str(r["observed_on"]), r["value"], r["vintage"]) for r in rows] == [
        ("DGS10", "2014-07-03", 2.65, "final"),  # the dot of Independence Day and the empty cell are no values
        ("GDP", "2013-10-01", 17078.3, "latest"),
        ("GDP", "2014-01-01", 17044.0, "latest"),
        ("GDP", "2014-04-01", 17294.7, "latest"),
    ]
    assert tables[FRED_LATEST]["value"].null_count == 2
    assert [allowed_in_backtest(r["vintage"]) for r in rows] == [True, False, False, False]


def test_a_value_without_a_release_is_known_after_its_lag_but_never_after_our_own_fetch(fred, keyless):
    fred.releases["DGS10"] = {"2014-07-03": [("2014-07-07", "2.65")], "2014-07-31": [("2014-08-01", "2.58")]}
    rows = macro(ask(keyless, "DGS10")[1])
    assert rows["known_at"].to_pylist() == [instant("2014-07-07T20:30"), NOW]  # four days on; fetched before those were over


@pytest.mark.parametrize("name", ["DATE", "observation_date"])
def test_both_headers_of_the_charts_file_are_read(fred, keyless, name):
    fred.date_name = name
    assert ask(keyless, "GDP")[0]["GDP"].outcome == "ok"


def test_another_header_is_a_schema_change(fred, keyless):
    fred.date_name = "day"
    attempt = ask(keyless, "GDP")[0]["GDP"]
    assert attempt.outcome == "schema_change"
    assert "observation_date,GDP" in attempt.detail


def test_with_a_key_every_vintage_is_a_row_known_at_the_close_of_its_release_day(keyed):
    attempts, tables = ask(keyed, "GDP")
    assert (attempts["GDP"].outcome, attempts["GDP"].rows, attempts["GDP"].requests) == ("ok", 9, 1)
    rows = macro(tables).to_pylist()
    said = [(str(r["observed_on"]), r["known_at"], r["value"], r["vintage"]) for r in rows if str(r["observed_on"]) == "2014-01-01"]
    assert said == [
        ("2014-01-01", instant("2014-04-30T20:30"), 17149.6, "released"),
        ("2014-01-01", instant("2014-05-29T20:30"), 17101.3, "released"),
        ("2014-01-01", instant("2014-06-25T20:30"), 17016.0, "released"),
        ("2014-01-01", instant("2014-07-30T20:30"), 17044.0, "released"),
    ]


def test_a_reader_as_of_a_day_ignores_a_vintage_not_yet_known(tmp_path, keyed):
    rows = macro(ask(keyed, "GDP")[1]).drop_columns(["fetched_at"])
    rows = rows.append_column("known_at_basis", rows["vintage"])  # standardize fills it
    lake = Lake(tmp_path / "lake", dataset="live")
    lake.publish(Change.replace(core.MACRO, core.MACRO.conform(rows)))

    def first_quarter(moment):
        known = lake.snapshot().known(core.MACRO, instant(moment))
        return known.filter(pc.equal(known["observed_on"], dt.date(2014, 1, 1)))["value"].to_pylist()

    assert first_quarter("2014-04-30T20:29") == []
    assert first_quarter("2014-04-30T20:30") == [17149.6]
    assert first_quarter("2014-06-01T00:00") == [17101.3]
    assert first_quarter("2014-08-01T00:00") == [17044.0]  # today's answer, 0.6 % below the first print


def daily(first, days, revise_every=7):
    """A daily series, each value released the day after; each `revise_every`-th is revised five days later."""
    found = {}
    for number in range(days):
        day = first + dt.timedelta(days=number)
        said = [((day + dt.timedelta(days=1)).isoformat(), f"{number}.5")]
        if number % revise_every == 0:
            said.append(((day + dt.timedelta(days=6)).isoformat(), f"{number}.75"))
        found[day.isoformat()] = said
    return found


def vintages(tables):
    rows = tables[FRED_VINTAGES].select(["date", "realtime_start", "value"])
    return sorted((str(r["date"]), str(r["realtime_start"]), f"{r['value']:g}") for r in rows.to_pylist())


@pytest.mark.parametrize("most", [1000, 10, 7, 2])
def test_more_vintages_than_a_request_may_span_come_in_windows_that_invent_none(fred, keyed, monkeypatch, most):
    fred.releases["WALCL"] = daily(dt.date(2010, 1, 1), 50)
    whole = vintages(ask(keyed, "WALCL")[1])
    fred.most_vintages = most
    monkeypatch.setattr("trader_pipeline.sources.fred_api.MOST_VINTAGES", most)
    monkeypatch.setattr("trader_pipeline.sources.fred_api.windows", lambda days: windows(days, most))
    fred.hits.clear()
    attempts, tables = ask(keyed, "WALCL")
    assert attempts["WALCL"].outcome == "ok"
    assert vintages(tables) == whole
    assert whole == sorted((day, release, value) for day, said in fred.releases["WALCL"].items() for release, value in said)
    assert fred.hits[VINTAGE_DATES] == (most < 1000)


def test_long_answers_come_in_pages(fred, keyed):
    fred.releases["WALCL"] = daily(dt.date(2010, 1, 1), 50)
    whole = vintages(ask(keyed, "WALCL")[1])
    fred.page = 9
    attempts, tables = ask(keyed, "WALCL")
    assert vintages(tables) == whole
    assert attempts["WALCL"].requests == 7  # 58 rows


def test_asked_again_only_what_was_released_since_comes(keyed):
    attempts, tables = ask(keyed, "GDP", since={"GDP": dt.date(2014, 6, 10)})
    assert vintages(tables) == [
        ("2013-10-01", "2014-07-30", "17078.3"),
        ("2014-01-01", "2014-06-25", "17016"),
        ("2014-01-01", "2014-07-30", "17044"),
        ("2014-04-01", "2014-07-30", "17294.7"),
    ]
    attempts, tables = ask(keyed, "GDP", since={"GDP": dt.date(2014, 7, 31)})
    assert (attempts["GDP"].outcome, attempts["GDP"].rows, tables) == ("ok", 0, {})


def test_asked_again_without_vintages_the_overlap_comes(fred, keyless):
    fred.releases["DGS10"] = daily(dt.date(2014, 1, 1), 200)
    tables = ask(keyless, "DGS10", since={"DGS10": dt.date(2014, 7, 1)})[1]
    assert min(tables[FRED_LATEST]["date"].to_pylist()) == dt.date(2014, 6, 1)


def test_a_series_that_is_never_revised_is_asked_for_its_values_only(fred, keyed):
    fred.releases["DGS10"] = {"2014-07-03": [("2014-07-07", "2.65")]}
    tables = ask(keyed, "DGS10")[1]
    assert macro(tables)["vintage"].to_pylist() == ["final"]
    assert "realtime_start" not in fred.log[-1].query


def test_a_revised_series_that_alfred_does_not_keep_is_latest_and_says_so(fred, keyed):
    fred.not_in_alfred.add("GDP")
    attempts, tables = ask(keyed, "GDP")
    assert attempts["GDP"].outcome == "ok"
    assert "no vintages" in attempts["GDP"].detail
    assert set(macro(tables)["vintage"].to_pylist()) == {"latest"}


def test_an_unknown_series_is_an_unknown_symbol_either_way(keyless, keyed):
    for settings in (keyless, keyed):
        assert ask(settings, "NOSUCH")[0]["NOSUCH"].outcome == "unknown_symbol"


def test_a_value_that_is_no_number_is_null_and_told(fred, keyless):
    fred.releases["GDP"] = {"2014-01-01": [("2014-04-30", "n/a")], "2014-04-01": [("2014-07-30", "17294.7")]}
    attempts, tables = ask(keyless, "GDP")
    assert tables[FRED_LATEST]["value"].to_pylist() == [None, 17294.7]
    assert "1 values are no numbers (first 'n/a')" in attempts["GDP"].detail


def test_all_series_of_the_settings_are_asked_for(fred, tmp_path):
    settings = settings_for(tmp_path, fred.url, series=("GDP", "GDPC1"))
    assert FRED.subjects(settings) == ("GDP", "GDPC1")
    result = fetched(FRED, FetchRequest(as_of=NOW, fetched_at=NOW), settings)
    assert {a.ticker: a.outcome for a in result.attempts} == {"GDP": "ok", "GDPC1": "unknown_symbol"}


def test_to_core_is_row_by_row(keyless, keyed):
    together = {**ask(keyless, "GDP")[1], **ask(keyed, "GDP")[1]}
    parts = [macro({table: rows}).to_pylist() for table, rows in together.items()]
    assert sorted(map(str, macro(together).to_pylist())) == sorted(map(str, parts[0] + parts[1]))


@pytest.mark.parametrize("fault", ["500", "429", "malformed", "truncated", "reset", "empty", "html", "403", "400"])
def test_the_key_is_nowhere_to_be_read(fred, keyed, caplog, fault):
    caplog.set_level("DEBUG")
    fred.retry_after = "0"
    if fault == "400":
        keyed = settings_for(keyed.home, fred.url, api_key="z" * 32)
    else:
        fred.forever[OBSERVATIONS] = fault
    attempts, _ = ask(keyed, "GDP")
    shown = " ".join([caplog.text, repr(attempts), repr(keyed), str(keyed.model_dump())])
    assert attempts["GDP"].outcome != "ok"
    assert KEY not in shown
    assert "z" * 32 not in shown
    if fault == "400":
        assert "TRADER_FRED__API_KEY" in attempts["GDP"].detail


def test_no_error_chain_holds_the_key(fred, keyed, monkeypatch):
    seen = []

    def watched(*asked):
        try:
            return asked[-1]()
        except Exception as error:
            seen.append(error)
            raise

    monkeypatch.setattr("trader_pipeline.sources.rest.answer_of", watched)
    fred.forever[OBSERVATIONS] = "reset"
    with pytest.raises(OSError, match="ConnectionError"):
        ask(keyed, "GDP")
    chain = [seen[0]]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    assert not any(KEY in repr(error) for error in chain)


def test_windows_overlap_by_one_vintage_date():
    days = [dt.date(2020, 1, 1) + dt.timedelta(days=n) for n in range(5)]
    last = dt.date(9999, 12, 31)
    assert windows([], 3) == []
    assert windows(days[:1], 3) == [(days[0], last)]
    assert windows(days[:3], 3) == [(days[0], last)]
    assert windows(days[:4], 3) == [(days[0], days[2]), (days[2], last)]
    assert windows(days, 3) == [(days[0], days[2]), (days[2], last)]


def test_a_keyless_home_asks_the_charts_file_alone(fred, keyless):
    ask(keyless, "GDP")
    assert set(fred.hits) == {CHART}
    assert gdp()["2014-04-01"] == [("2014-07-30", "17294.7")]


@pytest.mark.parametrize("fault", ["malformed", "truncated", "html", "empty", "reset", "500"])
def test_a_charts_file_that_is_not_whole_is_asked_for_again(fred, keyless, fault):
    whole = ask(keyless, "GDP")[1][FRED_LATEST]
    fred.plan(CHART, fault)
    attempts, tables = ask(keyless, "GDP")
    assert (attempts["GDP"].outcome, attempts["GDP"].retries) == ("ok", 1)
    assert tables[FRED_LATEST] == whole
