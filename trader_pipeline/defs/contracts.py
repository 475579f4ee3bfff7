"""What consumers were promised of predictions and decisions, checked on each session before anything reads them."""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from trader_pipeline.checks.contracts import told
from trader_pipeline.defs.resources import Trader
from trader_pipeline.errors import BlockedByDataError
from trader_pipeline.flows.contracts import broken
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema.contracts import CONTRACTS, Contract


def contract_check(contract: Contract) -> dg.AssetChecksDefinition:
    """Return the check of one contract; what reads the table waits for it."""
    key = dg.AssetKey(list(contract.table.path))
    spec = dg.AssetCheckSpec(
        "contract",
        asset=key,
        blocking=True,
        description=f"{contract.name}: columns, types, nulls, ranges and keys that the dashboard, `trader predict` and exports rely on.",
    )

    @dg.multi_asset_check(name=f"{'_'.join(contract.table.path)}_contract", specs=[spec])
    def check(
        context: dg.AssetCheckExecutionContext, trader: dg.ResourceParam[Trader]
    ) -> Iterator[dg.AssetCheckResult | dg.AssetCheckEvaluation]:
        snapshot = trader.lake.snapshot()
        session = _session(context, snapshot, contract)
        found = broken(snapshot, contract, session, exports=trader.settings.dataset_home / "exports") if session else []
        facts = {"contract": contract.name, "session": str(session), "broken": [f"{b.about} {b.told}" for b in found]}
        verdict = {"asset_key": key, "check_name": "contract", "passed": not found, "metadata": facts}
        if found:
            yield dg.AssetCheckEvaluation(**verdict)  # stored before the step fails
            raise BlockedByDataError(f"{told(contract, found)}; what reads {session} of it was not run")
        yield dg.AssetCheckResult(**verdict)

    return check


def _session(context: dg.AssetCheckExecutionContext, snapshot: Snapshot, contract: Contract) -> dt.date | None:
    """Return the run's session; of a check that is run alone, the newest that is published."""
    if day := context.run.tags.get("dagster/partition"):
        return dt.date.fromisoformat(day)
    newest: dt.date | None = snapshot.sql(f"select max(session) as day from {contract.table.full_name}")["day"][0].as_py()  # noqa: S608 - a name of the schema
    return newest


CHECKS_DEFS = [contract_check(contract) for contract in CONTRACTS]
