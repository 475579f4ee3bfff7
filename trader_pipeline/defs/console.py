"""What a run says to the terminal that started it: one call a step or epoch, instead of Dagster's event lines."""

import logging
from collections.abc import Callable

import dagster as dg

Progress = Callable[[str], None]


class _Handler(logging.Handler):
    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        meta = getattr(record, "dagster_meta", {})
        event = meta.get("dagster_event")
        if event is None:
            text = str(meta.get("orig_message") or record.getMessage())
            if record.levelno >= logging.INFO and not text.startswith("[pipes]"):
                self.progress(text)
        elif event.event_type_value == "STEP_START":
            self.progress(f"{meta.get('step_key')} …")


def console_logger(progress: Progress) -> dg.LoggerDefinition:
    """Return the Dagster logger that forwards step starts and the steps' own lines to `progress`."""

    @dg.logger
    def console(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("trader.console", level=logging.DEBUG)  # noqa: LOG001 - one of its own, not shared by name
        logger.addHandler(_Handler(progress))
        return logger

    return console
