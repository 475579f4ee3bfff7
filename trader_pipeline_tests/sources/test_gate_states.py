"""Looking at the gates shows what they hold and changes nothing."""

import datetime as dt

from trader_pipeline.sources.gate import Limits, SqliteGate
from trader_pipeline.sources.gate_states import GateState, gate_states

START = 1_700_000_000.0
NOW = dt.datetime.fromtimestamp(START, dt.UTC)


def gate(path, source, **limits):
    return SqliteGate(path, source, Limits(requests_per_hour=3600, **limits), clock=lambda: START, sleep=lambda _: None)


def test_a_pause_and_an_open_circuit_are_told_with_their_ends(tmp_path):
    path = tmp_path / "gate.sqlite"
    paused, opened = gate(path, "yahoo"), gate(path, "fmp", trip_failures=1, trip_subjects=1, open_seconds=60)
    paused.acquire(10)
    paused.throttled(120)
    opened.failed("AAA")
    assert gate_states(path, now=NOW) == [
        GateState(source="fmp", paused_until=None, open_until=NOW + dt.timedelta(seconds=60), granted=0, throttled=0, failed=1),
        GateState(source="yahoo", paused_until=NOW + dt.timedelta(seconds=120), open_until=None, granted=1, throttled=1, failed=0),
    ]
    later = gate_states(path, now=NOW + dt.timedelta(seconds=121))
    assert [(s.paused_until, s.open_until) for s in later] == [(None, None)] * 2


def test_no_file_and_a_strange_file_are_no_gates(tmp_path):
    path = tmp_path / "gate.sqlite"
    assert gate_states(path, now=NOW) == []
    assert not path.exists()
    path.write_text("no database")
    assert gate_states(path, now=NOW) == []
