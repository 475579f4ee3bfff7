"""Commands about schemas: what the code declares, and how the lake differs from it."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from trader_pipeline.cli.output import grid, line, print_json

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
schema_app = typer.Typer(no_args_is_help=True, help="Schemas of the tables: declared, and stored.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    schema_app.command("diff")(schema_diff)
    schema_app.command("list")(schema_list)
    app.add_typer(schema_app, name="schema")


def schema_diff(*, as_json: Json = False) -> None:
    """Compare the lake with the code: versions, columns, and what becomes of each table when it is read.

    Exit 0 when everything can be read, 1 when a table is refused.
    """
    from trader_pipeline import lake
    from trader_pipeline.flows.schema_diff import schema_diff as compare
    from trader_pipeline.settings import Settings

    tables = compare(lake.open(Settings().dataset_home))
    refused = [found.table for found in tables if found.fate == "refused"]
    if as_json:
        print_json("schema_diff", {"tables": [asdict(found) for found in tables], "refused": refused})
    else:
        grid([{"table": t.table, "stored": t.stored, "declared": t.declared, "rows": t.rows, "read": t.fate} for t in tables])
        for found in tables:
            for change in found.columns:
                line(f"{found.table}.{change.column}: {change.change}, stored {change.stored or '-'}, declared {change.declared or '-'}")
            if found.why:
                line(f"{found.table}: {found.why}")
    if refused:
        sys.exit(1)


def schema_list(*, as_json: Json = False) -> None:
    """Print the tables that the code declares, with versions, keys, and what consumers are promised."""
    from trader_pipeline.flows.schema_diff import EVERY
    from trader_pipeline.schema.contracts import CONTRACTS

    contracts = {contract.table.full_name: contract.version for contract in CONTRACTS}
    rows = [
        {
            "table": table.full_name,
            "version": table.version,
            "reads_from": table.reads,
            "contract": contracts.get(table.full_name),
            "columns": len(table.columns),
            "key": ", ".join(table.key),
        }
        for table in EVERY
    ]
    if as_json:
        print_json("schema_list", {"tables": rows})
    else:
        grid(rows)
