"""Signals that end training: noted at once, obeyed where the state is whole, so that nothing is lost.

SIGTERM and SIGHUP (a machine that is taken back, a connection that is lost) exit 75, which says "start me again"; SIGINT exits 130.
A second signal does not wait for a safe place; what was last saved stays.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_TEMPORARY_FAILURE = 75
_INTERRUPTED = 130


class Stopped(BaseException):
    """Training was asked to stop; `exit_code` is the status to leave with."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = _INTERRUPTED if number == signal.SIGINT else _TEMPORARY_FAILURE


class _Noted:
    number: int | None = None
    waits = False


def _handle(number: int, _: FrameType | None) -> None:
    if _Noted.waits and _Noted.number is None:
        _Noted.number = number
    else:
        raise Stopped(number)


@contextmanager
def listening() -> Iterator[None]:
    """Turn the signals into `Stopped` while the context lasts; main thread only."""
    before = {number: signal.signal(number, _handle) for number in _SIGNALS}
    _Noted.number = None
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def safe_places() -> Iterator[None]:
    """Let signals wait for `pause` while the context lasts."""
    _Noted.waits = True
    try:
        yield
    finally:
        _Noted.waits = False


def pause(agreed: Callable[[bool], bool] = bool) -> None:
    """Raise `Stopped` where a signal waits: weights and cursor are whole here. `agreed` says whether one waits at any rank."""
    if agreed(_Noted.number is not None):
        raise Stopped(_Noted.number or signal.SIGTERM)
