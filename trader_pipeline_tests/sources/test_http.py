"""Answers and what they mean; no socket is opened here."""

import time

import pytest

from trader_pipeline.sources.http import (
    RefusedError,
    RetryPolicy,
    ThrottledError,
    TransientError,
    UnknownSymbolError,
    UpstreamError,
    json_body,
    json_of,
    path_segment,
    raise_if_throttled,
    retry_after_seconds,
    retrying,
)

NOW = 1_445_412_360.0  # 2015-10-21 07:26:00 UTC


@pytest.fixture
def far_from_greenwich(monkeypatch):
    """A machine whose own clock is not UTC's."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 120.0),  # RFC 9110's own example of a date
        ("Wed, 21 Oct 2015 07:00:00 GMT", 0.0),
        ("Wed Oct 21 07:28:00 2015", 120.0),  # the obsolete form names no zone and means UTC
        ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
        ("-5", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        (None, None),
    ],
)
@pytest.mark.usefixtures("far_from_greenwich")
def test_retry_after_is_seconds_or_a_date(header, seconds):
    assert retry_after_seconds(header, NOW) == seconds


@pytest.mark.parametrize(("status", "header", "seconds"), [(429, None, None), (999, None, None), (503, "7", 7.0)])
def test_throttled(status, header, seconds):
    with pytest.raises(ThrottledError) as error:
        raise_if_throttled(status, header, NOW)
    assert error.value.retry_after_seconds == seconds


def test_503_without_retry_after_is_upstream_trouble():
    raise_if_throttled(503, None, NOW)
    with pytest.raises(UpstreamError, match="503"):
        json_body(503, b"{}")


@pytest.mark.parametrize("body", [b"", b"<html>consent?</html>", b'{"chart": {"res', b"\xff\xfe"])
def test_a_body_that_is_no_json_is_transient(body):
    with pytest.raises(TransientError):
        json_body(200, body)


@pytest.mark.parametrize("status", [401, 402, 403])
def test_refusals_are_final(status):
    with pytest.raises(RefusedError, match=str(status)):
        json_body(status, b"{}")


POLICY = RetryPolicy(attempts=4, deadline_seconds=100, backoff_seconds=0.5)


def attempts_of(errors, policy=POLICY):
    """Return (outcome, calls, sleeps) of a call that raises `errors` in turn and then answers."""
    calls, sleeps, errors = [], [], list(errors)

    def call():
        calls.append(1)
        if errors:
            raise errors.pop(0)
        return "answer"

    try:
        return retrying(policy, sleeps.append)(call), len(calls), sleeps
    except OSError as error:
        return error, len(calls), sleeps


def test_transient_errors_are_retried_with_full_jitter():
    outcome, calls, sleeps = attempts_of([UpstreamError("500")] * 3)
    assert (outcome, calls) == ("answer", 4)
    assert all(0 <= pause <= most for pause, most in zip(sleeps, (0.5, 1.0, 2.0), strict=True))
    assert len(set(sleeps)) == 3


def test_retry_after_wins_over_the_backoff():
    assert attempts_of([ThrottledError("429", 17.0), UpstreamError("500")])[2][0] == 17.0


def test_attempts_stop_it_and_the_last_error_is_raised():
    outcome, calls, _ = attempts_of([UpstreamError(f"no {n}") for n in range(9)])
    assert (str(outcome), calls) == ("no 3", 4)


def test_a_wait_past_the_deadline_stops_it_at_once():
    outcome, calls, sleeps = attempts_of([ThrottledError("429", 101.0)])
    assert (type(outcome), calls, sleeps) == (ThrottledError, 1, [])


@pytest.mark.parametrize("error", [RefusedError("403"), UnknownSymbolError("404")])
def test_final_answers_are_never_retried(error):
    assert attempts_of([error]) == (error, 1, [])


def test_json_that_would_break_the_reader_is_no_json():
    with pytest.raises(UpstreamError, match=r"^/a: 200000 bytes that are no JSON"):
        json_of(b"[" * 200_000, "/a")
    with pytest.raises(UpstreamError):
        json_of(b"1" * 5000, "/a")


def test_half_an_emoji_is_no_text_and_a_whole_one_is():
    assert json_of(rb'{"title": "up \ud83d\ude00 and cut \uD83D"}', "/a") == {"title": "up \U0001f600 and cut ?"}


@pytest.mark.parametrize(("symbol", "segment"), [("BRK-B", "BRK-B"), ("VOD.L", "VOD.L"), ("^GSPC", "%5EGSPC"), ("EURUSD=X", "EURUSD=X")])
def test_symbols_are_segments_of_a_path(symbol, segment):
    assert path_segment(symbol) == segment


@pytest.mark.parametrize(("symbol", "segment"), [("A#B", "A%23B"), ("A?x=1", "A%3Fx=1"), ("A/B", "A%2FB"), ("../x", "..%2Fx")])
def test_a_symbol_leads_to_no_other_path(symbol, segment):
    assert path_segment(symbol) == segment


@pytest.mark.parametrize("symbol", ["", ".", ".."])
def test_dots_are_no_symbol(symbol):
    with pytest.raises(UnknownSymbolError):
        path_segment(symbol)
