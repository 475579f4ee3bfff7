"""Bars with the repairs that are applied: what goes on, and so what the rules after the mending one judge."""

from collections.abc import Sequence

import pyarrow as pa

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.rule import Rule
from trader_pipeline.schema.core import DAILY_BARS

VALUES = ("open", "high", "low", "close", "volume_shares")
"""Columns of core.daily_bars that a repair may change."""

FACTORS = ", ".join(f"product(proposed / stored) filter (column_name = '{name}') as {name}" for name in VALUES)
"""By what a row's values are multiplied, of repairs that are grouped by row and none of which stores 0; null where by nothing."""

_FACTORS = f"""
create or replace temp table factors as
select ticker, session, source, {FACTORS}, product(proposed / stored) filter (column_name = 'adj_close') as adj_close
from applied_repairs where table_name = '{DAILY_BARS.full_name}' and stored <> 0 group by all
"""  # noqa: S608 - names of the schema
_ROW = ["ticker", "session", "source"]
_OF_VENDOR = {"volume_shares": "volume"}
_COMPUTED = ("price_steps", "steps", "shared_sessions", "peer_moves")
"""Tables that rules made of the bars once, for others to use."""


def applied(rule: Rule, repairs: pa.Table, *, judged: CheckContext, contexts: Sequence[CheckContext]) -> pa.Table:
    """Put the `repairs` of `rule` into the bars of all `contexts`; return those that hold.

    Where the rule, which looks at `judged`, objects to the mended row as well, the row gets its stored values back and has no repair.
    """
    if not repairs.num_rows:
        return repairs
    for context in contexts:
        _mend(context, repairs)
    still = rule.run(judged).quarantine
    if still is None or not still.num_rows:
        return repairs
    rows = still.select(_ROW).cast(pa.schema([repairs.schema.field(name) for name in _ROW]))
    failed = repairs.join(rows, keys=_ROW, join_type="left semi").select(repairs.column_names)
    undone = failed.rename_columns({"stored": "proposed", "proposed": "stored"})
    for context in contexts:
        _mend(context, undone)
    return repairs.join(rows, keys=_ROW, join_type="left anti").select(repairs.column_names).cast(repairs.schema)


def _mend(context: CheckContext, repairs: pa.Table) -> None:
    """Multiply values of `bars` and `vendor_prices` by proposed / stored: rules propose in the units of what they looked at."""
    connection = context.connection
    connection.register("applied_repairs", repairs)
    connection.execute(_FACTORS)
    connection.unregister("applied_repairs")
    connection.execute("insert into close_factors select ticker, session, source, close from factors where close is not null")
    held = connection.table("vendor_prices").to_arrow_table()
    connection.unregister("vendor_prices")
    connection.register("vendor_held", held)
    connection.execute("create or replace temp table vendor_prices as from vendor_held")
    connection.unregister("vendor_held")
    _multiply(context, "bars", {name: name for name in VALUES})
    _multiply(context, "vendor_prices", {_OF_VENDOR.get(name, name): name for name in (*VALUES, "adj_close")})
    for name in _COMPUTED:
        connection.execute(f"drop table if exists {name}")
    context.memo.clear()


def _multiply(context: CheckContext, table: str, factor_of: dict[str, str]) -> None:
    """Change rows in place, as their order is the file's. Where the context says only which values are there, that is closes alone."""
    relation = context.connection.table(table)
    numbers = {name for name, kind in zip(relation.columns, relation.types, strict=True) if str(kind) == "DOUBLE"}
    changed = ", ".join(f"{name} = t.{name} * coalesce(f.{factor}, 1)" for name, factor in factor_of.items() if name in numbers)
    context.connection.execute(
        f"update {table} t set {changed} from factors f where t.ticker = f.ticker and t.session = f.session and t.source = f.source"  # noqa: S608 - names of the schema
    )
