"""on_stale_data at chosen times, over lakes whose last session is known: it fetches once, tells once, and knows the exchange's days."""

import datetime as dt
import json

import dagster as dg
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from trader_pipeline import heartbeats
from trader_pipeline.definitions import build_defs
from trader_pipeline.defs.resources import Trader
from trader_pipeline.defs.stale import on_stale_data
from trader_pipeline.flows.freshness import freshness, react
from trader_pipeline.lake import Change, Lake
from trader_pipeline.operations import alerts
from trader_pipeline.schema import core, raw
from trader_pipeline.settings import Settings
from trader_pipeline_tests.flows.test_status import rows

BARS, ACCEPTED = "core.daily_bars", "core.accepted_bars"


class Market:
    """A live home whose bars end at a session, its sensor, and a clock that tests set."""

    def __init__(self, home, dataset="live"):
        self.settings = Settings(home=home, dataset=dataset, webhook_url=None, _env_file=None)
        self.lake = Lake(self.settings.dataset_home / "lake", dataset)
        self.now = None
        self.sensor = on_stale_data(Trader(self.settings), running=True, clock=lambda: self.now)
        self.cursor = ""
        self.instance = dg.DagsterInstance.ephemeral()
        self.defs = build_defs(self.settings)

    def through(self, session, **tables):
        """Fill both tables up to a session, or each up to its own."""
        for table in (core.DAILY_BARS, core.ACCEPTED_BARS):
            day = dt.date.fromisoformat(tables.get(table.name, session))
            bar = {"ticker": "AAA", "session": day, "known_at": dt.datetime(2000, 1, 1, tzinfo=dt.UTC)}
            self.lake.publish(Change.replace(table, rows(table, bar)))
        security = {"ticker": "AAA", "symbol": "AAA", "exchange": "XNYS"}
        self.lake.publish(Change.replace(core.TICKER_MAP, rows(core.TICKER_MAP, security)))
        return self

    def tick(self, at):
        """Evaluate the sensor at an instant (UTC) and keep its cursor, as the daemon does."""
        self.now = dt.datetime.fromisoformat(at).replace(tzinfo=dt.UTC)
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, repository_def=self.defs.get_repository_def())
        with capture_logs() as logs:
            tick = self.sensor.evaluate_tick(context)
        self.cursor = tick.cursor or self.cursor
        told = [log for log in logs if log["event"] == "stale_data"]
        return [request.run_key for request in tick.run_requests or []], told

    def ran(self, run_key, status=dg.DagsterRunStatus.SUCCESS):
        """Record the run that a tick asked for, with its tags, as the daemon does."""
        tags = {"dagster/run_key": run_key, "trader/source": "fallback", "trader/session": run_key.split(":")[1]}
        return self.instance.create_run_for_job(self.defs.resolve_job_def("refetch"), tags=tags, status=status)


@pytest.fixture
def market(tmp_path):
    market = Market(tmp_path / "home")
    yield market
    market.instance.dispose()


@pytest.mark.parametrize(
    ("through", "at", "stale_at"),
    [
        # a plain Tuesday, New York closes at 21:00 UTC: Friday's bars are one session behind until Tuesday's are known
        ("2026-11-13", "2026-11-17T21:29", None),
        ("2026-11-13", "2026-11-17T21:31", "2026-11-17"),
        ("2026-11-13", "2026-11-16T21:31", None),
        # clocks go forward on Sunday 2026-03-08: the close moves from 21:00 to 20:00 UTC
        ("2026-03-05", "2026-03-09T20:29", None),
        ("2026-03-05", "2026-03-09T20:31", "2026-03-09"),
        # and back on Sunday 2026-11-01
        ("2026-10-29", "2026-11-02T20:31", None),
        ("2026-10-29", "2026-11-02T21:29", None),
        ("2026-10-29", "2026-11-02T21:31", "2026-11-02"),
        # Thanksgiving 2026-11-26 is closed all day
        ("2026-11-24", "2026-11-26T21:31", None),
        ("2026-11-24", "2026-11-26T23:59", None),
        # the half day after it closes at 13:00 New York, 18:00 UTC
        ("2026-11-24", "2026-11-27T18:29", None),
        ("2026-11-24", "2026-11-27T18:31", "2026-11-27"),
        ("2026-11-25", "2026-11-27T18:31", None),
        # the weekend after it, and Monday before and after its close
        ("2026-11-25", "2026-11-28T12:00", None),
        ("2026-11-25", "2026-11-29T23:00", None),
        ("2026-11-25", "2026-11-30T21:29", None),
        ("2026-11-25", "2026-11-30T21:31", "2026-11-30"),
        # 2025-01-09, a day of mourning that no rule of the week knows
        ("2025-01-07", "2025-01-09T21:31", None),
        ("2025-01-08", "2025-01-10T21:31", None),
        ("2025-01-07", "2025-01-10T21:29", None),
        ("2025-01-07", "2025-01-10T21:31", "2025-01-10"),
        # Christmas Eve is a half day, Christmas is closed, then a weekend
        ("2026-12-23", "2026-12-25T22:00", None),
        ("2026-12-23", "2026-12-27T22:00", None),
        ("2026-12-22", "2026-12-24T18:31", "2026-12-24"),
    ],
)
def test_only_two_closed_sessions_that_lack_are_stale(market, through, at, stale_at):
    asked, told = market.through(through).tick(at)
    assert asked == ([f"stale:{stale_at}:{ACCEPTED}, {BARS}"] if stale_at else [])
    assert told == []


def test_it_is_fetched_once_and_told_once_a_session(market):
    market.through("2026-11-13")
    asked, _ = market.tick("2026-11-17T21:31")
    run = market.ran(asked[0])
    attempts = [{"run_id": run.run_id, "source": "yahoo", "ticker": t, "outcome": "ok", "kind": "bars"} for t in ("AAA", "BBB")]
    attempts += [{"run_id": run.run_id, "source": "fmp", "ticker": t, "outcome": "no_data", "kind": "bars"} for t in ("AAA", "BBB")]
    attempts += [{"run_id": run.run_id, "source": "fmp", "ticker": "CCC", "outcome": "throttled", "kind": "bars"}]
    attempts += [{"run_id": run.run_id, "source": "fmp", "ticker": "DDD", "outcome": "ok", "kind": "news"}]
    market.lake.publish(Change.append(raw.FETCH_ATTEMPTS, rows(raw.FETCH_ATTEMPTS, *attempts)))
    asked, told = market.tick("2026-11-17T21:36")
    assert asked == []
    assert [log["subject"] for log in told] == [ACCEPTED, BARS]
    assert told[1]["summary"] == "core.daily_bars ends 2026-11-13, 2 sessions before 2026-11-17, after a refetch"
    assert told[1]["facts"] == {
        "sessions behind": "2",
        "newest session": "2026-11-13",
        "last closed session": "2026-11-17",
        "tried": "fmp: 2 no_data, 1 throttled; yahoo: 2 ok",
        "run": run.run_id,
        "run ended": "SUCCESS",
    }
    assert "TRADER_SOURCES__BARS" in told[1]["mend"]
    for at in ("2026-11-17T21:41", "2026-11-18T03:00", "2026-11-18T21:29"):
        assert market.tick(at) == ([], [])
    assert market.tick("2026-11-18T21:31")[0] == [f"stale:2026-11-18:{ACCEPTED}, {BARS}"]  # the next session, from the start


def test_what_no_sink_took_is_told_again(market, monkeypatch):
    outcomes = {ACCEPTED: [None], BARS: ["HTTP 500", "HTTP 500", None]}
    monkeypatch.setitem(alerts._SINKS, "webhook", lambda _, message: outcomes[message.subject].pop(0))
    market.settings = market.settings.model_copy(update={"webhook_url": SecretStr("http://127.0.0.1:9/hook")})
    market.sensor = on_stale_data(Trader(market.settings), running=True, clock=lambda: market.now)
    market.through("2026-11-13")
    market.ran(market.tick("2026-11-17T21:31")[0][0])
    told = [[log["subject"] for log in market.tick(f"2026-11-17T21:{minute}")[1]] for minute in (36, 41, 46, 51)]
    assert told == [[ACCEPTED, BARS], [BARS], [BARS], []]
    assert outcomes == {ACCEPTED: [], BARS: []}


def test_a_refetch_that_mends_it_is_not_told(market):
    market.through("2026-11-13")
    asked, _ = market.tick("2026-11-17T21:31")
    market.ran(asked[0])
    market.through("2026-11-17")
    assert market.tick("2026-11-17T21:36") == ([], [])
    assert market.tick("2026-11-18T21:31") == ([], [])


def test_a_table_that_is_stale_later_is_fetched_for_itself(market):
    market.through("2026-11-17", accepted_bars="2026-11-13")
    assert market.tick("2026-11-17T21:31")[0] == [f"stale:2026-11-17:{ACCEPTED}"]
    market.through("2026-11-13")
    asked, told = market.tick("2026-11-17T21:36")
    assert (asked, [log["subject"] for log in told]) == ([f"stale:2026-11-17:{BARS}"], [ACCEPTED])
    assert told[0]["facts"]["tried"] == "nothing: no run was started for this session"


def test_the_run_asks_the_stand_ins(market):
    market.through("2026-11-13")
    market.now = dt.datetime(2026, 11, 17, 21, 31, tzinfo=dt.UTC)
    context = dg.build_sensor_context(market.instance, cursor=None, repository_def=market.defs.get_repository_def())
    [request] = market.sensor.evaluate_tick(context).run_requests
    assert request.run_config == {"resources": {"options": {"config": {"source": "fallback"}}}}
    assert {name: request.tags[name] for name in ("trader/source", "trader/session", "trader/reason")} == {
        "trader/source": "fallback",
        "trader/session": "2026-11-17",
        "trader/reason": f"stale {ACCEPTED}, {BARS}",
    }
    assert dg.validate_run_config(market.defs.resolve_job_def("refetch"), request.run_config)


@pytest.mark.parametrize("job", ["refetch", "fetch", "daily", "backfill"])
def test_a_fetch_under_way_is_awaited(market, job):
    market.through("2026-11-13")
    run = market.instance.create_run_for_job(market.defs.resolve_job_def(job), status=dg.DagsterRunStatus.STARTED)
    assert market.tick("2026-11-17T21:31") == ([], [])
    assert market.cursor == ""
    market.instance.report_run_failed(run)
    assert len(market.tick("2026-11-17T21:36")[0]) == 1


def test_an_empty_lake_is_not_stale(market):
    assert market.tick("2026-11-17T21:31") == ([], [])


def test_historical_data_is_never_fetched_again(tmp_path):
    market = Market(tmp_path / "home", dataset="deep").through("2020-02-07")
    assert market.tick("2026-11-17T21:31") == ([], [])
    market.instance.dispose()


def test_every_tick_says_what_it_decided(market):
    market.through("2026-11-13")
    for at, said in (("2026-11-17T21:29", f"sessions behind 2026-11-16: {BARS} 1, {ACCEPTED} 1"), ("2026-11-17T21:31", "refetch started")):
        market.tick(at)
        assert heartbeats.read(market.settings.heartbeats) == [heartbeats.Beat(sensor="on_stale_data", at=market.now, said=said)]


@pytest.mark.parametrize("cursor", ["", "{}", "[]", "no json", json.dumps({"core.daily_bars:2026-11-17": 1})])
def test_a_cursor_of_another_time_remembers_nothing(cursor):
    assert react({BARS: 2}, dt.date(2026, 11, 17), cursor, limit=2).fetch == (BARS,)


def test_the_decision_depends_on_its_arguments_alone():
    target, behind = dt.date(2026, 11, 20), {BARS: 3, ACCEPTED: 1}
    first = react(behind, target, "", limit=2)
    assert (first.fetch, first.tell) == ((BARS,), ())
    second = react(behind, target, first.cursor(()), limit=2)
    assert (second.fetch, second.tell) == ((), (BARS,))
    again = react(behind, target, second.cursor(()), limit=2)
    assert (again.fetch, again.tell) == ((), (BARS,))
    told = second.cursor((BARS,))
    third = react(behind, target, told, limit=2)
    assert (third.fetch, third.tell, third.cursor(())) == ((), (), told)
    assert react(behind, dt.date(2026, 11, 23), told, limit=2).fetch == (BARS,)
    assert react(behind, target, "", limit=4).fetch == ()


def test_the_calendar_is_that_of_most_tickers(market):
    market.through("2026-11-25")
    tokyo = [{"ticker": t, "symbol": t, "exchange": "XTKS"} for t in ("7203.T", "6758.T")]
    market.lake.publish(Change.replace(core.TICKER_MAP, rows(core.TICKER_MAP, *tokyo)))
    found = freshness(market.lake, as_of=dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC))
    assert (found.target, found.behind[BARS]) == (dt.date(2026, 11, 26), 1)  # open on Thanksgiving
