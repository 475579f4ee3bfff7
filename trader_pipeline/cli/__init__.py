"""`trader …`: one module a group of commands; heavy imports live inside the commands."""

import logging
import os
import sys
from typing import NoReturn

import typer

from trader_pipeline.cli import ablate, alert, bench, beside, check, faults, fetch, keep, leaks, look, models, run, schema, scorecard, serve
from trader_pipeline.cli.output import fail, warn
from trader_pipeline.errors import TraderError, UsageError

_INTERRUPTED = 130

app = typer.Typer(
    name="trader",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Daily equity predictions: download, check, train, predict, decide, report.",
)
run.register(app)
beside.register(app)
fetch.register(app)
look.register(app)
scorecard.register(app)
check.register(app)
leaks.register(app)
models.register(app)
schema.register(app)
keep.register(app)
serve.register(app)
alert.register(app)
bench.register(app)
faults.register(app)
ablate.register(app)


def main() -> NoReturn:
    """Run the command line.

    Exit status: 0 done, 1 failure, 2 usage, 3 blocked by data, 4 no data, model or history yet, 5 source unavailable, 130 interrupted.
    """
    _leave(carry_out(sys.argv[1:]))


def carry_out(arguments: list[str]) -> int:
    """Carry one command out, say what went wrong on stderr, and return its exit status."""
    _warn_of_strange_variables()
    try:
        app(arguments, standalone_mode=True)
    except SystemExit as done:
        if done.code == _INTERRUPTED:  # typer makes this of a KeyboardInterrupt, without a word
            sys.stderr.write("interrupted; what was published stays, run the same command again to go on\n")
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except TraderError as error:
        fail(error)
        return error.exit_code
    except ValueError as error:
        fail(_unreadable(error))
        return UsageError.exit_code
    return 0


def _unreadable(error: ValueError) -> UsageError:
    """Return what is wrong with the settings, without what was set: it may be a key. Any other error is a bug and goes on."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from trader_pipeline.variables import name_of

    if isinstance(error, SettingsError):
        return UsageError(
            f"""{error}; write one variable a setting, TRADER_YAHOO__WORKERS=4, or a JSON object, TRADER_YAHOO='{{"workers": 4}}'"""
        )
    if isinstance(error, ValidationError) and error.title == "Settings":
        wrong = [_wrong(name_of(e["loc"]), e["msg"]) for e in error.errors(include_input=False, include_url=False)]
        return UsageError(f"{'; '.join(wrong)}; docs/settings.md has them all")
    raise error


def _wrong(variable: str, said: str) -> str:
    from trader_pipeline.variables import allowed

    limits = allowed(variable)
    return f"{variable}: {said}{f' ({limits})' if limits else ''}"


def _warn_of_strange_variables() -> None:
    from pydantic_settings import DotEnvSettingsSource

    from trader_pipeline.settings import Settings
    from trader_pipeline.variables import strange

    for told in strange({*os.environ, *DotEnvSettingsSource(Settings).env_vars}):
        warn(told)


def _leave(code: int) -> NoReturn:
    """End without tearing the interpreter down: DuckDB's binding prints pages of its own bookkeeping when Dagster still holds it."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
