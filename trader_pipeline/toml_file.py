"""A user's own TOML file: read, and what it lists checked against what an entry may say."""

import datetime as dt
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trader_pipeline.errors import InputError

Kind = type[str] | type[dt.date]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What an entry must say and may say, each with its type. A text that must be there is not blank."""

    required: Mapping[str, Kind]
    optional: Mapping[str, Kind] = field(default_factory=dict)


def read_toml(path: Path) -> dict[str, Any]:
    """Return what the file says; nothing where there is none. Raises `InputError`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: {error}; mend the file") from error


def read_entries(path: Path, forms: Mapping[str, Form], *, example: str) -> dict[str, list[dict[str, Any]]]:
    """Return the entries of each of the lists `[[name]]` that `forms` names. `example` is the mend. Raises `InputError`."""
    found = read_toml(path)
    if unknown := sorted(set(found) - set(forms)):
        raise InputError(f"{path}: unknown {unknown}; write {example}")
    lists = {name: found.get(name, []) for name in forms}
    for name, entries in lists.items():
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise InputError(f"{path}: {name} is no list of tables; write {example}")
        for entry in entries:
            if wrong := _wrong(entry, forms[name]):
                raise InputError(f"{path}: {entry}: {wrong}; write {example}")
    return lists


def _wrong(entry: Mapping[str, Any], form: Form) -> str | None:
    wrong = sorted(key for key, kind in form.required.items() if type(entry.get(key)) is not kind or not str(entry[key]).strip())
    wrong += sorted(key for key, kind in form.optional.items() if key in entry and type(entry[key]) is not kind)
    if wrong:
        return f"{wrong} missing or of the wrong type"
    unknown = sorted(set(entry) - {*form.required, *form.optional})
    return f"unknown {unknown}" if unknown else None
