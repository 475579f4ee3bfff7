"""`trader …`: one module a group of commands; heavy imports live inside the commands."""

import logging
import os
import sys
from typing import NoReturn

import typer

from trader_pipeline.cli import bench, fetch, keep, look, run, serve
from trader_pipeline.cli.output import fail
from trader_pipeline.errors import TraderError

_INTERRUPTED = 130

app = typer.Typer(
    name="trader",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Daily equity predictions: download, check, train, predict, decide, report.",
)
run.register(app)
fetch.register(app)
look.register(app)
keep.register(app)
serve.register(app)
bench.register(app)


def main() -> NoReturn:
    """Run the command line.

    Exit status: 0 done, 1 failure, 2 usage, 3 blocked by data, 4 no model or history, 5 source unavailable, 130 interrupted.
    """
    try:
        app(standalone_mode=True)
        _leave(0)
    except SystemExit as done:
        _leave(done.code if isinstance(done.code, int) else int(done.code is not None))
    except TraderError as error:
        fail(error)
        _leave(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was published stays, run the same command again to go on\n")
        _leave(_INTERRUPTED)


def _leave(code: int) -> NoReturn:
    """End without tearing the interpreter down: DuckDB's binding prints pages of its own bookkeeping when Dagster still holds it."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
