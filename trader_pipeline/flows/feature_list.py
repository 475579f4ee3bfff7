"""Every feature with what it is and how far the panel has it: `trader features`."""

from typing import Any

from trader_pipeline.features import FEATURES, PANEL
from trader_pipeline.features.clock import clock_of
from trader_pipeline.snapshot import Snapshot

Row = dict[str, Any]


def feature_list(snapshot: Snapshot, *, family: str | None = None) -> list[Row]:
    """Return a row a feature, in the order of the panel: family, unit, look-back, clock, formula, and its coverage.

    `newest` and `year` are the shares of the rows of the newest session, and of the year up to it, that have a value; None without rows.
    """
    chosen = [feature for feature in FEATURES if family in (None, feature.family)]
    shares = (
        {name: _shares(snapshot, [feature.name for feature in chosen], since) for name, since in _SINCE.items()}
        if snapshot.rows(PANEL)
        else {}
    )
    return [
        {
            "feature": feature.name,
            "family": feature.family,
            "unit": feature.unit,
            "look_back": feature.lookback_sessions,
            "clock": clock_of(feature.inputs),
            **{name: shares.get(name, {}).get(feature.name) for name in _SINCE},
            "formula": feature.formula,
        }
        for feature in chosen
    ]


_SINCE = {
    "newest": "session = (select max(session) from {panel})",
    "year": "session > (select max(session) from {panel}) - interval 1 year",
}


def _shares(snapshot: Snapshot, names: list[str], since: str) -> dict[str, float | None]:
    counted = ", ".join(f'round(count("{name}") / nullif(count(*), 0), 4) as "{name}"' for name in names)
    found: Row = snapshot.sql(
        f"select {counted} from {PANEL.full_name} where {since.format(panel=PANEL.full_name)}"  # noqa: S608 - names of the schema
    ).to_pylist()[0]
    return found
