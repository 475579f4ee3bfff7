"""How rows of older versions become rows of the next one. A new version of a table adds its step here and a file to the tests."""

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.schema.table import Migration
from trader_pipeline.schema.vintages import FINAL, LATEST

_SIMULATED = "simulated"


def _as_it_was(rows: pa.Table) -> pa.Table:
    return rows


def _with_vintage(rows: pa.Table) -> pa.Table:
    simulated = pc.equal(rows["source"], _SIMULATED)
    basis = pc.if_else(simulated, "released", "assumed")
    return rows.append_column("known_at_basis", basis).append_column("vintage", pc.if_else(simulated, FINAL, LATEST))


def _of_bars(rows: pa.Table) -> pa.Table:
    constants = {"table_name": pa.repeat("core.daily_bars", rows.num_rows), "item": pa.repeat("", rows.num_rows)}
    for name, value in (constants | {"first_seen": rows["known_at"], "strikes": pa.repeat(1, rows.num_rows)}).items():
        rows = rows.append_column(name, value)
    return rows


def _standing(rows: pa.Table) -> pa.Table:
    instants = rows["known_at"]
    applied_since = pc.if_else(rows["applied"], instants, pa.scalar(None, instants.type))
    return rows.append_column("first_proposed", instants).append_column("applied_since", applied_since)


def _with_symbol(rows: pa.Table) -> pa.Table:
    return rows.append_column("symbol", rows["ticker"])


def _of_ensemble(rows: pa.Table) -> pa.Table:
    return rows.append_column("model", pa.repeat("ensemble", rows.num_rows))


CORPORATE_ACTIONS_2 = Migration(of=1, says="Rows stay: one source wrote them, and source became part of the key.", rows=_as_it_was)
MACRO_2 = Migration(
    of=1,
    says="vintage and known_at_basis as their sources tell them now: the simulated market final and released, all others latest and assumed, so barred from backtests.",
    rows=_with_vintage,
)
TICKER_MAP_2 = Migration(
    of=1, says="symbol is the ticker: no rename was known; why a symbol ended was not kept, so ended is null.", rows=_with_symbol
)
QUARANTINE_2 = Migration(of=1, says="Only bars were quarantined; first_seen is the instant of those checks, strikes is 1.", rows=_of_bars)
REPAIRS_2 = Migration(
    of=1,
    says="first_proposed, and applied_since where it was applied, are the instant of those checks: no earlier one was kept.",
    rows=_standing,
)
CALIBRATION_2 = Migration(
    of=1, says="Only the ensemble was calibrated; its one factor serves every coverage, and the miss rate starts at 0.1.", rows=_of_ensemble
)
