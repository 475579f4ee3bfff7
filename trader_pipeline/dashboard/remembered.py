"""Answers that are asked again and again of one snapshot, which never changes."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from trader_pipeline.lake import Snapshot

KEPT = 8
"""Answers a question and snapshot; a session of 5,000 names takes some megabytes."""
_P = ParamSpec("_P")
_T = TypeVar("_T")


def once_a_snapshot(function: Callable[Concatenate[Snapshot, _P], _T]) -> Callable[Concatenate[Snapshot, _P], _T]:
    """Return the function with a memory of its `KEPT` newest answers, which go with their snapshot. Nobody may change an answer."""
    known: WeakKeyDictionary[Snapshot, dict[Any, _T]] = WeakKeyDictionary()

    @wraps(function)
    def remembered(snapshot: Snapshot, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        answers, key = known.setdefault(snapshot, {}), (args, *kwargs.items())
        if key not in answers:
            answers[key] = function(snapshot, *args, **kwargs)
            for old in list(answers)[:-KEPT]:
                answers.pop(old, None)
        return answers[key]

    return remembered
