"""`trader …`: one module a group of commands; heavy imports live inside the commands."""

import sys
from typing import NoReturn

import typer

from trader_pipeline.cli import look, run, serve
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
look.register(app)
serve.register(app)


def main() -> NoReturn:
    """Run the command line.

    Exit status: 0 done, 1 failure, 2 usage, 3 blocked by data, 4 no model or history, 5 source unavailable, 130 interrupted.
    """
    try:
        app(standalone_mode=True)
    except TraderError as error:
        fail(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was published stays, run the same command again to go on\n")
        sys.exit(_INTERRUPTED)
    sys.exit(0)
