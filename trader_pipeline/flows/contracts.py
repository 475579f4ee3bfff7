"""The rows of a session and its export, held against what consumers were promised."""

import datetime as dt
from pathlib import Path

import pyarrow as pa

from trader_pipeline.checks.contracts import Breach, breaches, export_breaches, told
from trader_pipeline.errors import BlockedByDataError
from trader_pipeline.inference.export import export_paths
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema.contracts import PREDICTIONS, Contract


def require_kept(contract: Contract, session: dt.date, rows: pa.Table) -> None:
    """Raise `BlockedByDataError` where the rows of the session, not published yet, break the contract: no reader shall see them."""
    if found := breaches(contract, rows):
        raise BlockedByDataError(f"{told(contract, found)}; nothing of {session} was published (docs/runbook.md, E300)")


def broken(snapshot: Snapshot, contract: Contract, session: dt.date, *, exports: Path | None = None) -> list[Breach]:
    """Return what the session's published rows break of `contract`; of predictions also what the file in `exports` does.

    Rows are read as they are published and not as this code declares them, so a column that the table lost is missed here.
    """
    table = contract.table.full_name
    rows = snapshot.sql(f"select * from {table} where session = ?", [session])  # noqa: S608 - a name of the schema
    found = breaches(contract, rows)
    if not rows.num_rows:
        found.append(Breach(about=table, rows=0, told=f"has no row of {session}"))
    if contract is PREDICTIONS and exports is not None:
        found += [Breach(about=f"export {b.about}", rows=b.rows, told=b.told) for b in export_breaches(*export_paths(exports, session))]
    return found
