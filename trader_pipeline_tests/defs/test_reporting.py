"""A fetch tells how far it is: every second to a terminal, seldom to the event log."""

import pytest

from trader_pipeline.defs.reporting import LOG_SECONDS, describe, reporter
from trader_pipeline.flows.ingest import FetchProgress


def at(done, *, of=500, seconds=None, **counts):
    counts = {"requests": done, "retries": 0, "throttled": 0} | counts
    return FetchProgress(feed="yahoo_bars", done=done, of=of, seconds=done / 10 if seconds is None else seconds, **counts)


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (at(120, seconds=12.0, retries=3), "yahoo bars 120/500, 10.0/s, 3 retries, 0 throttled, 38 s left"),
        (at(1, of=5000, seconds=2.0, throttled=1), "yahoo bars 1/5000, 0.5/s, 0 retries, 1 throttled, 2 h 47 min left"),
        (at(100, of=1000, seconds=60.0), "yahoo bars 100/1000, 1.7/s, 0 retries, 0 throttled, 9 min left"),
        (at(500, seconds=50.0), "yahoo bars 500/500, 10.0/s, 0 retries, 0 throttled"),
        (at(0, seconds=0.0), "yahoo bars 0/500, 0.0/s, 0 retries, 0 throttled"),
    ],
)
def test_one_line_for_people(progress, text):
    assert describe(progress) == text


class Terminal:
    every_seconds = 1.0

    def __init__(self):
        self.shown = []

    def fetched(self, done, of, text):
        self.shown.append((done, of, text.split(",")[0]))


class Log:
    def __init__(self):
        self.lines = []

    def info(self, text):
        self.lines.append(text)


def test_a_terminal_sees_the_first_the_last_and_one_a_second():
    terminal, log, now = Terminal(), Log(), [0.0]
    report = reporter(log, terminal, clock=lambda: now[0])
    for done, moment in enumerate([0.0, 0.4, 0.9, 1.1, 1.2], start=1):
        now[0] = moment
        report(at(done, of=5))
    assert terminal.shown == [(done, 5, f"yahoo bars {done}/5") for done in (1, 4, 5)]
    assert log.lines == []


def test_the_event_log_gets_a_line_in_thirty_seconds():
    log, now = Log(), [0.0]
    report = reporter(log, None, clock=lambda: now[0])
    for done in range(1, 1001):
        now[0] = done / 10  # a hundred seconds
        report(at(done, of=1000))
    assert len(log.lines) == 100 // LOG_SECONDS + 2
    assert log.lines[-1].startswith("yahoo bars 1000/1000")
