"""Commands that only look: status, sql, features, factors, export, universe."""

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer

from trader_pipeline.cli.output import grid, line, print_json, print_rows, warn
from trader_pipeline.errors import UsageError

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
_HEAD = {"worst": 10, "ended": 10}
"""Rows for people of lists that can be as long as the universe."""
_DETAIL = 80
universe_app = typer.Typer(no_args_is_help=True, help="Named lists of tickers in universe.toml.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(status)
    app.command()(sql)
    app.command()(features)
    app.command()(factors)
    app.command()(export)
    universe_app.command("add")(universe_add)
    universe_app.command("list")(universe_list)
    app.add_typer(universe_app, name="universe")


def status(*, as_json: Json = False) -> None:
    """Show how fresh data and predictions are, what the sources and the checks said, the worst tickers, and the disk."""
    from trader_pipeline.flows.status import status as read_status
    from trader_pipeline.lake import Lake
    from trader_pipeline.settings import Settings

    settings = Settings()
    lake = Lake(settings.dataset_home / "lake", settings.dataset)
    facts = read_status(lake, settings, now=dt.datetime.now(dt.UTC))
    if as_json:
        print_json("status", facts)
        return
    for name, value in facts.items():
        if isinstance(value, list) and value:
            line(f"\n{name}")
            grid([_readable(row) for row in value[: _HEAD.get(name)]])
            line(f"and {len(value) - _HEAD[name]} more; --json has them\n" if len(value) > _HEAD.get(name, len(value)) else "")
        else:
            line(f"{name:<24} {_fact(name, value)}")
    if facts["disk_alert"]:
        warn(f"{facts['disk_used']:.0%} of the disk is used; `trader clean` deletes what is not needed any more")
    if ": " in facts["daemon"]:
        warn(f"daemon {facts['daemon']}")
    for lost in facts["damage"]:
        warn(f"{lost['fact']}: {lost['error']}")
    if not facts["tables"]:
        line(f"\n{lake.snapshot().missing('core.accepted_bars')}.")


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row for people: instants in New York, a vendor's words cut, lists left to --json."""
    from trader_pipeline.formats import new_york

    return {
        name: new_york(value)
        if isinstance(value, dt.datetime)
        else value[:_DETAIL]
        if isinstance(value, str) and name == "detail"
        else value
        for name, value in row.items()
        if not isinstance(value, list)
    }


def _fact(name: str, value: object) -> object:
    if name == "free_bytes" and isinstance(value, int):
        return f"{value / 1e9:.1f} GB"
    if isinstance(value, dt.datetime):
        from trader_pipeline.formats import new_york

        return new_york(value)
    if isinstance(value, dict):
        return ", ".join(f"{number} {word}" for word, number in value.items())
    if isinstance(value, float):
        return f"{value:.1%}"
    return "-" if value is None else "none" if value == [] else value


def sql(
    query: Annotated[str, typer.Argument(help='One SELECT, for example "select * from predictions.daily".')], *, as_json: Json = False
) -> None:
    """Run one SELECT over the tables, read-only."""
    import duckdb

    from trader_pipeline import lake
    from trader_pipeline.settings import Settings

    try:
        rows = lake.open(Settings().dataset_home).sql(query).to_pylist()
    except duckdb.Error as error:
        mend = '`trader sql "select table_schema, table_name from information_schema.tables"` lists the tables'
        raise UsageError(f"{error}; {mend}") from error
    if as_json:
        print_rows(rows)
    else:
        grid(rows)


def features(family: Annotated[str | None, typer.Option(help="One family: momentum, say.")] = None, *, as_json: Json = False) -> None:
    """List the features: unit, look-back, clock, formula, and the share of values that the newest session and year have."""
    from trader_pipeline.features import FEATURES
    from trader_pipeline.flows.feature_list import feature_list
    from trader_pipeline.lake import Lake
    from trader_pipeline.settings import Settings

    families = list(dict.fromkeys(feature.family for feature in FEATURES))
    if family is not None and family not in families:
        raise UsageError(f"no family {family!r}; choose one of {', '.join(families)}")
    settings = Settings()
    rows = feature_list(Lake(settings.dataset_home / "lake", settings.dataset).snapshot(), family=family)
    if as_json:
        print_json("features", {"features": rows})
    else:
        grid(rows)


def factors(*, as_json: Json = False) -> None:
    """Hold the factors made from your own tickers against Ken French's (TRADER_SOURCES__FACTORS)."""
    from trader_pipeline.flows.due import default_as_of
    from trader_pipeline.flows.factor_agreement import factor_agreement
    from trader_pipeline.lake import Lake
    from trader_pipeline.settings import Settings

    settings = Settings()
    snapshot = Lake(settings.dataset_home / "lake", settings.dataset).snapshot()
    snapshot.require("core.accepted_bars")
    rows = factor_agreement(snapshot, default_as_of(settings, now=dt.datetime.now(dt.UTC)))
    if as_json:
        print_json("factors", {"factors": rows})
        return
    grid(rows)
    if not any(row["sessions"] for row in rows):
        line("\nNothing to compare: TRADER_SOURCES__FACTORS=french fetches the published factors; your own need nine tickers and a year.")


def export(
    table: Annotated[str, typer.Option(help="Table, for example predictions.daily.")] = "predictions.daily",
    to: Annotated[Path | None, typer.Option(help="File ending in .csv or .parquet.")] = None,
    duckdb_file: Annotated[Path | None, typer.Option("--duckdb", help="Write a DuckDB file with every table instead.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Write one table to a file, or all of them to a DuckDB database."""
    from trader_pipeline import lake
    from trader_pipeline.flows.export import export_duckdb, export_table
    from trader_pipeline.settings import Settings

    snapshot = lake.open(Settings().dataset_home)
    written = export_duckdb(snapshot, duckdb_file) if duckdb_file else export_table(snapshot, table, to or Path(f"{table}.csv"))
    if as_json:
        print_json("export", {"path": str(written)})
    else:
        line(str(written))


def universe_add(
    name: Annotated[str, typer.Argument(help="List.")],
    tickers: Annotated[list[str], typer.Argument(help="Tickers.")],
    *,
    as_json: Json = False,
) -> None:
    """Add tickers to a named list, with today's date."""
    from trader_pipeline.flows.universe import add
    from trader_pipeline.settings import Settings

    members = add(Settings().universe_file, name, tickers, added=dt.datetime.now(dt.UTC).date())
    if as_json:
        print_json("universe", {"lists": {name: members}})
    else:
        line(f"{name}: {len(members)} tickers")


def universe_list(*, as_json: Json = False) -> None:
    """Print the named lists."""
    from trader_pipeline.flows.universe import lists
    from trader_pipeline.settings import Settings

    found = lists(Settings().universe_file)
    if as_json:
        print_json("universe", {"lists": found})
    elif not found:
        line("no list yet; `trader universe add default AAPL MSFT SPY` makes one")
    else:
        grid([{"name": name, **member} for name, members in found.items() for member in members])
