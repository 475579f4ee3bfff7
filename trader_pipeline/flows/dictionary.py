"""What is generated from the code: the data dictionary and the README's table of settings. `python -m` writes both."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, SecretStr

from trader_pipeline import durable
from trader_pipeline.features import PANEL
from trader_pipeline.flows.lineage import LINEAGE
from trader_pipeline.schema import TABLES
from trader_pipeline.schema.dictionary import render
from trader_pipeline.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "data-dictionary.md"
_BEGIN, _END = "<!-- settings -->\n", "<!-- /settings -->"


def data_dictionary() -> str:
    """Return docs/data-dictionary.md: every table of the schema, and features.panel beside its targets."""
    first = next(i for i, table in enumerate(TABLES) if table.layer == PANEL.layer)
    return render((*TABLES[:first], PANEL, *TABLES[first:]), LINEAGE)


def settings_table() -> str:
    """Return the README's table of settings: variable, default, meaning."""
    rows = [f"| `{name}` | {default} | {meaning} |" for name, default, meaning in _settings(Settings, "TRADER_")]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def _settings(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, info in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        if isinstance(info.default, BaseModel):
            yield from _settings(type(info.default), f"{variable}__")
            continue
        secret = SecretStr in (info.annotation, *get_args(info.annotation))
        meaning = (info.description or "").replace("|", "\\|") + (" Secret." if secret else "")
        yield variable, _default(info.default), meaning


def _default(value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, Path):
        home = Path.home()
        return f"`~/{value.relative_to(home)}`" if value.is_relative_to(home) else f"`{value}`"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


if __name__ == "__main__":
    durable.write_atomic(PAGE, data_dictionary().encode())
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    before, after = readme.split(_BEGIN)[0], readme.split(_END)[1]
    durable.write_atomic(ROOT / "README.md", f"{before}{_BEGIN}{settings_table()}\n{_END}{after}".encode())
    sys.stdout.write(f"{PAGE}\n{ROOT / 'README.md'}\n")
