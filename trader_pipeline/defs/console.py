"""What a run says to the terminal that started it, instead of Dagster's event lines."""

import logging
from typing import Protocol

import dagster as dg


class Progress(Protocol):
    """Where a run that this process executes shows how far it is."""

    every_seconds: float
    """Between two looks at one fetch."""

    def plan(self, steps: int) -> None:
        """Announce so many more steps."""

    def step(self, name: str) -> None:
        """Begin a step."""

    def say(self, text: str) -> None:
        """Show what the current step does."""

    def fetched(self, done: int, of: int, text: str) -> None:
        """Show how far the fetch of the current step is, in tickers, and in words."""


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
                self.progress.say(text)
        elif event.event_type_value == "STEP_START":
            self.progress.step(str(meta.get("step_key")))
        elif "blocked by limit for pool" in (event.message or ""):
            self.progress.say(f"{meta.get('step_key')} waits for another run: {event.message}")


def console_logger(progress: Progress) -> dg.LoggerDefinition:
    """Return the Dagster logger that forwards step starts and the steps' own lines to `progress`."""

    @dg.logger
    def console(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("trader.console", level=logging.DEBUG)  # noqa: LOG001 - one of its own, not shared by name
        logger.addHandler(_Handler(progress))
        return logger

    return console
