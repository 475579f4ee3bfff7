"""The settings as TRADER_* variables: their names, what each may be, and which that are set are none."""

import difflib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from trader_pipeline.settings import Settings

PREFIX = "TRADER_"
_FOR_TESTS = frozenset({"TRADER_REQUIRE_BROWSER"})
_BOUNDS = {"ge": "at least {}", "gt": "more than {}", "le": "at most {}", "lt": "less than {}"}


def variables(model: type[BaseModel] = Settings, prefix: str = PREFIX) -> Iterator[tuple[str, FieldInfo]]:
    """Yield each variable with its field, in the order of the settings."""
    for name, info in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        if isinstance(info.default, BaseModel):
            yield from variables(type(info.default), f"{variable}__")
        else:
            yield variable, info


def name_of(place: Sequence[Any]) -> str:
    """Return the variable of a place in the settings, as pydantic tells it: ("sources", "bars", 0) is TRADER_SOURCES__BARS."""
    return PREFIX + "__".join(part.upper() for part in place if isinstance(part, str))


def allowed(variable: str) -> str:
    """Return the bounds of a number, "at least 0, at most 1"; nothing where it has none."""
    info = dict(variables()).get(variable)
    limits = [(key, getattr(limit, key)) for limit in (info.metadata if info else ()) for key in _BOUNDS if hasattr(limit, key)]
    return ", ".join(_BOUNDS[key].format(value) for key, value in limits)


def strange(names: Collection[str]) -> list[str]:
    """Return a line for each of `names` that begins as ours do and is no setting, with the settings that it may mean.

    A group as one JSON object, TRADER_YAHOO, is a setting. Other programs may use the prefix, so this is no error.
    """
    known = {name for name, _ in variables()}
    groups = {name.rpartition("__")[0] for name in known if "__" in name}
    told = []
    for name in sorted({name.upper() for name in names if name.upper().startswith(PREFIX)} - known - groups - _FOR_TESTS):
        like = difflib.get_close_matches(name.removeprefix(PREFIX), [other.removeprefix(PREFIX) for other in known], n=3, cutoff=0.75)
        mend = f"did you mean {' or '.join(PREFIX + other for other in like)}?" if like else "docs/settings.md has them all"
        told.append(f"{name} is no setting; {mend}")
    return told
