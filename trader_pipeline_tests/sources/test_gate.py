"""The gate by injected clocks, and across real threads and processes by the moments it hands out."""

import datetime as dt
import multiprocessing
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from trader_pipeline.errors import NotWritableError, SourceUnavailableError
from trader_pipeline.sources.gate import TABLE, CircuitOpenError, Counters, Limits, SqliteGate
from trader_pipeline.sources.gate_states import gate_states
from trader_pipeline_tests.clock import Clock

LIMITS = Limits(requests_per_hour=3600, burst=3, pause_seconds=5, trip_failures=3, open_seconds=60, longest_open_seconds=200)
NEVER = 1e9


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def gate(tmp_path, clock):
    return SqliteGate(tmp_path / "gate.sqlite", "yahoo", LIMITS, clock=clock, sleep=clock.sleep)


def another(gate, clock):
    """As a second process would open it."""
    return SqliteGate(gate.path, "yahoo", LIMITS, clock=clock, sleep=clock.sleep)


def outage(gate):
    """Fail as often and for as many tickers as opens the circuit."""
    for ticker in ("AAA", "BBB", "CCC"):
        gate.failed(ticker)


def test_three_at_once_then_one_a_second(gate, clock):
    start = clock.now
    assert [gate.acquire(NEVER) - start for _ in range(6)] == [0, 0, 0, 1, 2, 3]
    assert clock.slept == [1, 1, 1]


def test_sources_do_not_share_a_pace(gate, clock):
    other = SqliteGate(gate.path, "fmp", LIMITS, clock=clock, sleep=clock.sleep)
    for _ in range(3):
        gate.acquire(NEVER)
    assert other.reserve(0) == clock.now


def test_retry_after_pauses_every_process_and_leaves_no_burst(gate, clock):
    start = clock.now
    gate.acquire(NEVER)
    gate.throttled(30)
    other = another(gate, clock)
    assert [g.reserve(NEVER) - start for g in (other, gate, other)] == [30, 31, 32]


def test_a_retry_after_of_years_is_asked_about_again_after_a_day(gate, clock):
    start = clock.now
    gate.throttled(1e300)
    assert gate.reserve(NEVER) - start == 86_400


def test_a_pause_without_retry_after_doubles_until_a_sound_answer(gate, clock):
    pauses = []
    for _ in range(2):
        gate.throttled(None)
        start = clock.now
        pauses.append(gate.acquire(NEVER) - start)
    gate.succeeded()
    gate.throttled(None)
    start = clock.now
    pauses.append(gate.acquire(NEVER) - start)
    assert pauses == [5, 10, 5]


def test_a_pause_that_begins_while_a_caller_waits_holds_it_too(tmp_path, clock):
    start = clock.now
    told = []

    def sleep(seconds):
        if not told:
            told.append(True)
            gate.throttled(20)
        clock.sleep(seconds)

    gate = SqliteGate(tmp_path / "gate.sqlite", "yahoo", Limits(requests_per_hour=3600), clock=clock, sleep=sleep)
    gate.acquire(NEVER)
    assert gate.acquire(NEVER) - start == 20
    assert gate.counters() == Counters(granted=2, throttled=1, failed=0)


def test_a_wait_past_the_deadline_is_refused_and_reserves_nothing(gate):
    gate.throttled(30)
    with pytest.raises(CircuitOpenError, match="30 s") as refused:
        gate.acquire(29)
    assert refused.value.cause == "throttled"
    assert gate.counters().granted == 0


def test_the_circuit_opens_for_every_process_and_doubles(gate, clock):
    other = another(gate, clock)
    outage(gate)
    opened = []
    for _ in range(4):
        with pytest.raises(CircuitOpenError) as refused:
            other.acquire(NEVER)
        assert refused.value.cause == "failed"
        opened.append(str(refused.value))
        until = gate_state(gate)["open_until"]
        clock.now = until
        other.acquire(NEVER)
        gate.failed("AAA")  # half open: one more failure is enough
    assert opened == [f"yahoo: circuit open for another {seconds} s" for seconds in (60, 120, 200, 200)]


def test_one_ticker_that_always_fails_opens_no_circuit(gate, clock):
    for _ in range(20):
        gate.failed("AAA")
        gate.failed("BBB")
    assert gate.reserve(0) == clock.now
    assert gate.counters().failed == 40


def test_a_third_subject_opens_the_circuit_whichever_process_tells_of_it(gate, clock):
    for _ in range(3):
        gate.failed("/files/of \U0001f4c8, '\"[é\ud800")  # odd names too
    another(gate, clock).failed("AAA")
    gate.reserve(0)
    another(gate, clock).failed("BBB")
    assert refusal(gate, NEVER) == "failed"


def test_as_many_subjects_as_there_are_do_not_open_it_before_so_many_failures(tmp_path, clock):
    gate = SqliteGate(tmp_path / "gate.sqlite", "yahoo", replace(LIMITS, trip_failures=5), clock=clock, sleep=clock.sleep)
    for ticker in ("AAA", "BBB", "CCC", "DDD"):
        gate.failed(ticker)
    gate.reserve(0)
    gate.failed("AAA")
    assert refusal(gate, NEVER) == "failed"


def test_a_sound_answer_between_clears_the_subjects(gate):
    for ticker in ("AAA", "BBB", "CCC", "DDD", "EEE"):
        for _ in range(LIMITS.trip_failures):
            gate.failed(ticker)
        gate.reserve(NEVER)
        gate.succeeded()
    assert gate_state(gate)["open_until"] == 0
    assert gate.counters().failed == 5 * LIMITS.trip_failures


def test_too_many_requests_is_about_the_vendor_and_needs_no_subject(gate, clock):
    for _ in range(LIMITS.trip_failures):
        gate.reserve(NEVER)
        gate.throttled(0)
    assert gate_state(gate)["open_until"] == clock.now + 60
    assert refusal(gate, NEVER) == "throttled"


def test_too_many_requests_counts_as_a_subject_of_its_own(gate):
    gate.failed("AAA")
    gate.failed("AAA")
    gate.throttled(0)
    gate.reserve(NEVER)
    gate.throttled(0)
    assert refusal(gate, NEVER) == "throttled"


def test_failures_of_one_ticker_do_not_lengthen_the_pause(gate, clock):
    for _ in range(8):
        gate.failed("AAA")
    gate.throttled(None)
    assert gate.reserve(NEVER) - clock.now == LIMITS.pause_seconds


def test_years_of_failures_are_not_too_many(gate, clock):
    outage(gate)
    with closing(sqlite3.connect(gate.path)) as connection, connection:
        connection.execute(f"update {TABLE} set failures = 9999, throttles = 9999, trips = 9999, open_until = 0")  # noqa: S608 - constant
    gate.throttled(None)
    assert gate_state(gate)["open_until"] - clock.now == LIMITS.longest_open_seconds
    assert gate_state(gate)["paused_until"] - clock.now == LIMITS.longest_open_seconds


def test_a_sound_answer_closes_the_circuit(gate, clock):
    outage(gate)
    clock.now += 60
    gate.acquire(NEVER)
    gate.succeeded()
    gate.failed("AAA")
    assert gate.acquire(NEVER) >= clock.now - 1


def test_a_short_opening_is_waited_out_and_a_longer_one_is_not(tmp_path, clock):
    patient = SqliteGate(tmp_path / "gate.sqlite", "yahoo", replace(LIMITS, patience_seconds=90), clock=clock, sleep=clock.sleep)
    outage(patient)
    began = clock.now
    with pytest.raises(CircuitOpenError, match="open for another 60 s"):
        patient.acquire(30)  # the caller's own deadline comes first
    patient.acquire(300)
    assert clock.now - began == 60
    patient.failed("AAA")
    with pytest.raises(CircuitOpenError, match="open for another 120 s"):
        patient.acquire(300)


def patient_gate(tmp_path, clock):
    return SqliteGate(tmp_path / "gate.sqlite", "yahoo", replace(LIMITS, patience_seconds=90), clock=clock, sleep=clock.sleep)


def refusal(gate, max_wait_seconds):
    with pytest.raises(CircuitOpenError) as refused:
        gate.reserve(max_wait_seconds)
    return refused.value.cause


def test_a_deadline_that_passes_while_the_vendor_fails_is_no_throttling(tmp_path, clock):
    gate = patient_gate(tmp_path, clock)
    outage(gate)
    for _ in range(10):
        gate.reserve(NEVER)  # they wait for the end of the opening, one after the other
    assert refusal(gate, 61) == "failed"
    clock.now += 60
    assert refusal(gate, -1) == "failed"
    gate.succeeded()
    assert refusal(gate, 1) == "throttled", "the circuit is closed: now the pace holds the caller"


def test_a_pause_that_outlasts_an_opening_is_throttling(tmp_path, clock):
    gate = patient_gate(tmp_path, clock)
    outage(gate)
    gate.throttled(80)
    assert refusal(gate, 70) == "throttled"
    clock.now += 80
    assert refusal(gate, -1) == "failed"


def test_answers_to_requests_sent_before_the_pause_do_not_open_the_circuit(gate, clock):
    for _ in range(10):
        gate.throttled(2)
    clock.now += 2
    gate.acquire(NEVER)
    assert gate.counters().throttled == 10


def test_a_clock_set_back_does_not_lock_everybody_out(gate, clock):
    gate.acquire(NEVER)
    gate.throttled(30)
    clock.now -= 86_400
    assert gate.reserve(60) - clock.now == pytest.approx(30)


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "gate.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(SourceUnavailableError, match="delete the file"):
        SqliteGate(path, "yahoo", LIMITS).reserve(1)


def test_a_file_of_the_first_shape_goes_on(tmp_path, clock):
    """Its table had no subjects; a release that has it open still finds its own row."""
    path = tmp_path / "gate.sqlite"
    columns = "next_at, paused_until, open_until, failures, trips, cause, granted, throttled, failed, seen_at"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"create table gate (source text primary key, {columns})")
        connection.execute("insert into gate values ('yahoo', 9e9, 9e9, 9e9, 4, 1, 'failed', 7, 0, 4, 9e9)")
    gate = SqliteGate(path, "yahoo", LIMITS, clock=clock, sleep=clock.sleep)
    gate.succeeded()
    assert gate.acquire(0) == clock.now
    outage(gate)
    assert refusal(gate, NEVER) == "failed"
    assert gate.counters() == Counters(granted=1, throttled=0, failed=3)
    assert [state.failed for state in gate_states(path, now=dt.datetime.fromtimestamp(clock.now, dt.UTC))] == [3]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("select granted from gate").fetchall() == [(7,)]


def test_a_sound_answer_with_nothing_to_forget_writes_nothing(gate):
    gate.acquire(NEVER)
    before = gate.path.read_bytes()
    gate.succeeded()
    assert gate.path.read_bytes() == before
    gate.failed("AAA")
    gate.succeeded()
    assert gate_state(gate)["subjects"] == "[]"


def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritableError, match="make the folder writable"):
        SqliteGate(tmp_path / "file" / "gate.sqlite", "yahoo", LIMITS)


def test_no_connection_stays_open(gate):
    gate.acquire(NEVER)
    assert not [name for name in Path("/proc/self/fd").iterdir() if str(gate.path) in str(name.resolve())]


def gate_state(gate):
    with sqlite3.connect(gate.path) as connection:
        connection.row_factory = sqlite3.Row
        row = dict(connection.execute(f"select * from {TABLE}").fetchone())  # noqa: S608 - constant
    connection.close()
    return row


PACE = Limits(requests_per_hour=50 * 3600, burst=5)
PERMITS, THREADS, PROCESSES = 20, 2, 4
ROUNDING = 1e-4


def reserve_many(path, queue):
    """Take permits in threads; runs in a child process."""
    gate = SqliteGate(path, "yahoo", PACE)
    moments = []
    threads = [threading.Thread(target=lambda: moments.extend(gate.reserve(600) for _ in range(PERMITS))) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.put(moments)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 warns of threads that other tests left; the child uses none
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_the_rate_holds_across_threads_and_processes(tmp_path, method):
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    SqliteGate(tmp_path / "gate.sqlite", "yahoo", PACE).counters()
    children = [context.Process(target=reserve_many, args=(tmp_path / "gate.sqlite", queue)) for _ in range(PROCESSES)]
    for child in children:
        child.start()
    moments = sorted(moment for _ in children for moment in queue.get(timeout=60))
    for child in children:
        child.join()
    assert len(moments) == PERMITS * THREADS * PROCESSES
    in_a_second = max(sum(start <= moment < start + 1 - ROUNDING for moment in moments) for start in moments)
    assert in_a_second <= 50 + PACE.burst - 1
    assert SqliteGate(tmp_path / "gate.sqlite", "yahoo", PACE).counters().granted == len(moments)
