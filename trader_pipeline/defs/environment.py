"""Where Dagster and the libraries keep their files: under TRADER_HOME, never elsewhere."""

import logging
import os
import sys
from importlib import resources

import structlog

from trader_pipeline import durable
from trader_pipeline.settings import Settings

_CACHES = {"NUMBA_CACHE_DIR": "numba", "MPLCONFIGDIR": "matplotlib", "TORCHINDUCTOR_CACHE_DIR": "inductor", "HF_HOME": "huggingface"}


def prepare_environment(settings: Settings) -> None:
    """Point DAGSTER_HOME and the library caches below the home, put the packaged dagster.yaml there, and logs on stderr."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # stdout belongs to --json
    )
    home = settings.home.expanduser().absolute()
    for variable, folder in _CACHES.items():
        os.environ.setdefault(variable, str(home / "cache" / folder))
    os.environ["DAGSTER_HOME"] = str(home / "dagster")
    os.environ["TRADER_HOME"] = str(home)
    wanted = resources.files("trader_pipeline.defs").joinpath("dagster.yaml").read_bytes()
    path = home / "dagster" / "dagster.yaml"
    if not path.exists() or path.read_bytes() != wanted:
        durable.write_atomic(path, wanted)
