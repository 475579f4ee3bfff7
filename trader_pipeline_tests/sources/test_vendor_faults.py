"""Every feed of `vendors.py` against every fault of the fake servers: it recovers to the same rows, or ends in the right outcome."""

import datetime as dt
import functools
import logging
import threading
import time
from collections import deque

import pyarrow as pa
import pytest

from trader_pipeline.schema import core
from trader_pipeline.sources.gate import Limits, SqliteGate
from trader_pipeline_tests.fake_vendor import FAULTS, SOUND
from trader_pipeline_tests.feeds import fetched
from trader_pipeline_tests.sources.vendors import VENDORS

ENDS = {"401": "schema_change", "402": "schema_change", "403": "schema_change", "404": "unknown_symbol"}
MIX = ("500", "429", "truncated", SOUND, "reset", "malformed")
OPEN_SECONDS = 0.05
SUMS_UP = {core.LISTINGS, core.SYMBOL_CHANGES, core.UNIVERSE}
"""Tables of which a feed sends everything at once."""

each_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.feed.name)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    """Pauses of hundredths of a second, so that no test waits; every rule of the gate stays."""
    quick = functools.partial(Limits, pause_seconds=0.02, open_seconds=OPEN_SECONDS, longest_open_seconds=0.2)
    monkeypatch.setattr("trader_pipeline.sources.gate.Limits", quick)


def asked(vendor, server, home, *, settings=None, **changes):
    """Return all that the feed yields, and the gate that it passed."""
    found = settings or vendor.settings(home, server.url)
    result = fetched(vendor.feed, vendor.request(**changes), found)
    gate = SqliteGate(found.gate_path, vendor.feed.source, Limits(requests_per_hour=1))
    return result, gate.counters()


def one_ticker(vendor):
    return {} if vendor.tickers is None else {"tickers": vendor.tickers[:1]}


def clean_rows(vendor, home):
    with vendor.serve() as server:
        result, _ = asked(vendor, server, home, **one_ticker(vendor))
    assert {a.outcome for a in result.attempts} == {"ok"}
    return result


@each_vendor
def test_rows_come_with_their_attempts(vendor, tmp_path):
    with vendor.serve() as server:
        result, gate = asked(vendor, server, tmp_path)
    assert set(result.tables) == set(vendor.feed.raw_tables)
    for table, rows in result.tables.items():
        assert table.sorted(table.conform(rows)).num_rows == rows.num_rows
    assert {a.outcome for a in result.attempts} == {"ok"}
    assert sum(a.rows for a in result.attempts) == sum(rows.num_rows for rows in result.tables.values()) > 0
    assert sum(a.requests for a in result.attempts) == server.hits.total() == gate.granted
    assert sum(a.retries for a in result.attempts) == 0


@each_vendor
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_recovered_from_or_named(vendor, fault, tmp_path):
    end = vendor.ends.get(fault, ENDS.get(fault))
    with vendor.serve() as server:
        server.plan(vendor.path, fault)
        settings = vendor.settings(tmp_path, server.url, timeout_seconds=0.7 if fault == "slow" else 10)
        result, gate = asked(vendor, server, tmp_path, settings=settings, **one_ticker(vendor))
    (attempt,) = result.attempts
    assert attempt.requests == server.hits.total() == gate.granted
    if end:
        assert (attempt.outcome, attempt.rows, result.tables) == (end, 0, {})
        assert vendor.path.rpartition("/")[2] in attempt.detail
        assert fault in attempt.detail
        return
    assert attempt.outcome == "ok"
    assert attempt.retries == 1 or (fault == "slow" and attempt.retries > 1)  # a busy machine is slow twice
    assert attempt.throttled == gate.throttled == int(fault in {"429", "429-seconds", "429-date", "503-seconds"})
    assert result.tables == clean_rows(vendor, tmp_path / "clean").tables


@each_vendor
def test_a_mix_of_five_faults_is_recovered_from(vendor, tmp_path):
    with vendor.serve() as server:
        server.plan(vendor.path, *MIX)
        results = [asked(vendor, server, tmp_path, **one_ticker(vendor)) for _ in range(2)]
    attempts = [attempt for result, _ in results for attempt in result.attempts]
    assert [(a.outcome, a.retries, a.throttled) for a in attempts] == [("ok", 3, 1), ("ok", 2, 0)]
    assert sum(a.requests for a in attempts) == server.hits.total() == results[1][1].granted
    clean = clean_rows(vendor, tmp_path / "clean").tables
    assert all(result.tables == clean for result, _ in results)


@each_vendor
def test_seven_faults_in_a_row_of_one_ticker_open_no_circuit(vendor, tmp_path):
    with vendor.serve() as server:
        server.plan(vendor.path, *["500", "502", "503", "truncated", "reset", "500", "malformed"])
        result, gate = asked(vendor, server, tmp_path, **one_ticker(vendor))
    (attempt,) = result.attempts
    assert (attempt.outcome, attempt.retries, gate.failed) == ("ok", 7, 7)
    assert result.tables == clean_rows(vendor, tmp_path / "clean").tables


@each_vendor
def test_an_outage_opens_the_circuit_which_closes_again(vendor, tmp_path):
    """Two other tickers failed a moment ago, for another process."""
    with vendor.serve() as server:
        gate = SqliteGate(vendor.settings(tmp_path, server.url).gate_path, vendor.feed.source, Limits(requests_per_hour=1))
        for name in ("one", "two", "one", "two"):
            gate.failed(name)
        server.plans.default_factory = lambda: deque(["500"])  # whatever it is asked first
        tripped, _ = asked(vendor, server, tmp_path, **one_ticker(vendor))
        asked_before = server.hits.total()
        server.plans.default_factory = deque
        time.sleep(OPEN_SECONDS)
        closed, _ = asked(vendor, server, tmp_path, **one_ticker(vendor))
    (attempt,) = tripped.attempts
    assert (attempt.outcome, attempt.requests) == ("transient_exhausted", asked_before)
    assert "circuit open" in attempt.detail
    assert closed.tables == clean_rows(vendor, tmp_path / "clean").tables


@each_vendor
@pytest.mark.parametrize(("fault", "outcome"), [("429", "throttled"), ("500", "transient_exhausted"), ("reset", "transient_exhausted")])
def test_an_endless_fault_ends_in_its_outcome(vendor, fault, outcome, tmp_path):
    with vendor.serve() as server:
        server.forever[vendor.path] = fault
        result, gate = asked(vendor, server, tmp_path, **one_ticker(vendor))
    (attempt,) = result.attempts
    assert (attempt.outcome, attempt.rows) == (outcome, 0)
    assert attempt.requests == server.hits.total() == gate.granted
    assert attempt.requests >= 5


@each_vendor
def test_a_server_that_limits_the_rate_is_asked_to_the_end(vendor, tmp_path):
    with vendor.serve(rate=(3, 0.15)) as server:
        settings = vendor.settings(tmp_path, server.url, attempts=40)
        result, gate = asked(vendor, server, tmp_path, settings=settings)
    assert {a.outcome for a in result.attempts} == {"ok"}
    assert sum(a.requests for a in result.attempts) == server.hits.total() == gate.granted
    assert sum(a.throttled for a in result.attempts) == gate.throttled
    with vendor.serve() as server:
        unlimited, _ = asked(vendor, server, tmp_path / "unlimited")
    assert {t: sorted_rows(r) for t, r in result.tables.items()} == {t: sorted_rows(r) for t, r in unlimited.tables.items()}


@each_vendor
@pytest.mark.parametrize("fault", ["401", "500", "reset", "malformed", "html"])
def test_the_key_is_in_no_log_and_no_answer(vendor, fault, tmp_path, caplog, capfd):
    if vendor.key is None:
        return
    caplog.set_level(logging.DEBUG)
    with vendor.serve() as server:
        server.plan(vendor.path, fault)
        settings = vendor.settings(tmp_path, server.url)
        result, _ = asked(vendor, server, tmp_path, settings=settings)
        heard = " ".join(str(line) for line in server.log)
    assert vendor.key in heard, "the fake saw no key, so this test would prove nothing"
    printed = capfd.readouterr()
    for shown in (
        caplog.text,
        printed.out,
        printed.err,
        repr(result),
        repr(settings),
        str([r.to_pylist() for r in result.tables.values()]),
    ):
        assert vendor.key not in shown


@each_vendor
def test_core_tables_conform_and_are_made_row_by_row(vendor, tmp_path):
    later = vendor.as_of + dt.timedelta(hours=1)
    with vendor.serve() as server:
        first, _ = asked(vendor, server, tmp_path)
        second, _ = asked(vendor, server, tmp_path, fetched_at=later)
    halves = [{table.full_name: rows for table, rows in half.tables.items()} for half in (first, second)]
    both = {name: pa.concat_tables([half[name] for half in halves]) for name in halves[0]}
    together = vendor.feed.to_core(both)
    apart = [vendor.feed.to_core(half) for half in halves]
    assert set(together) == set(apart[0])
    assert any(rows.num_rows for rows in together.values())
    for table, rows in together.items():
        assert_conforms(table, rows, later)
        if table not in SUMS_UP:
            assert sorted_rows(rows) == sorted_rows(pa.concat_tables([half[table] for half in apart]))


def assert_conforms(table, rows, moment):
    """A clocked table comes with `fetched_at` and perhaps `known_at`, and without a basis; the others come complete."""
    if "fetched_at" in rows.column_names:
        assert "known_at_basis" not in rows.column_names
        if "known_at" not in rows.column_names:
            rows = rows.append_column("known_at", rows["fetched_at"])
        assert rows["known_at"].null_count == 0
        basis = pa.repeat("assumed", rows.num_rows)
        latest = rows.filter(pa.compute.equal(rows["fetched_at"], pa.scalar(moment, rows["fetched_at"].type)))
        rows = latest.drop_columns(["fetched_at"]).append_column("known_at_basis", basis.slice(0, latest.num_rows))
    conformed = table.conform(rows)
    assert table.sorted(conformed).num_rows == rows.num_rows


def sorted_rows(rows):
    return sorted(map(str, rows.to_pylist()))


@each_vendor
def test_a_reader_that_stops_ends_the_threads(vendor, tmp_path):
    with vendor.serve() as server:
        results = vendor.feed.fetch(vendor.request(), vendor.settings(tmp_path, server.url))
        next(results)
        results.close()
    assert not [t.name for t in threading.enumerate() if t.name.startswith(f"{vendor.feed.source}_")]
