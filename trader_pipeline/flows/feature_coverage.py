"""How far each family of features has values: a family without data is absent, which is not 0 %."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from trader_pipeline import parts
from trader_pipeline.features import FEATURES, PANEL
from trader_pipeline.lake import Snapshot

Row = dict[str, Any]


def feature_coverage(snapshot: Snapshot) -> list[Row]:
    """Return a row a family: the share of values that are there in the newest session and in the year up to it, and since when.

    `state` is present, or absent where the whole panel has no value of the family; shares and `first` are None then.
    """
    if not snapshot.rows(PANEL):
        return []
    stored = set(snapshot.sql("select * from features.panel limit 0").column_names)
    families: dict[str, list[str]] = {}
    for feature in FEATURES:
        if feature.name in stored:
            families.setdefault(feature.family, []).append(feature.name)
    sums = ", ".join(f'{" + ".join(f"count({_quoted(name)})" for name in names)} as "{family}"' for family, names in families.items())
    newest = "(select max(session) from features.panel)"
    spans = {"newest": f"session = {newest}", "year": f"session > {newest} - interval 1 year"}
    counted = {
        span: snapshot.sql(f"select count(*) as n, {sums} from features.panel where {where}").to_pylist()[0]  # noqa: S608 - declared features
        for span, where in spans.items()
    }
    rows = []
    for family, names in families.items():
        first = _first(snapshot, names)
        shares = {span: round(found[family] / (found["n"] * len(names)), 4) if first else None for span, found in counted.items()}
        rows.append({"family": family, "features": len(names), "state": "present" if first else "absent", **shares, "first": first})
    return rows


def _first(snapshot: Snapshot, names: Sequence[str]) -> dt.date | None:
    """Return the first session at which one of the features has a value; what the parts' footers rule out is not read."""
    found: dict[int | None, dt.date] = {}
    for part in snapshot.parts(PANEL):
        if (not found or part.year in found) and _may_have(snapshot, part, names):
            rows = parts.read(snapshot.root, PANEL, part, ("session", *names))
            valued = [session for name in names if (session := pc.min(rows["session"].filter(pc.is_valid(rows[name]))).as_py())]
            if valued:
                found[part.year] = min([*valued, found.get(part.year, dt.date.max)])
    return min(found.values(), default=None)


def _may_have(snapshot: Snapshot, part: parts.Part, names: Sequence[str]) -> bool:
    footer = pq.read_metadata(snapshot.root / part.path)
    for group in (footer.row_group(i) for i in range(footer.num_row_groups)):
        for chunk in (group.column(i) for i in range(group.num_columns)):
            said = chunk.statistics
            if chunk.path_in_schema in names and (said is None or said.null_count is None or said.null_count < group.num_rows):
                return True
    return False


def _quoted(name: str) -> str:
    return '"' + name + '"'
