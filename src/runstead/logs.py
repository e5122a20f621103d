"""Logging: one line an event, for people on a terminal, as JSON everywhere else. Always to standard error."""

import logging
import re
import sys

import structlog


def configure(level: str) -> None:
    """Set structlog up, and let the standard library's loggers speak through it from warnings on."""
    on_terminal = sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if on_terminal else "iso", utc=not on_terminal),
    ]
    if on_terminal:
        final: list[structlog.typing.Processor] = [structlog.dev.ConsoleRenderer()]
    else:
        final = [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, *final],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final], foreign_pre_chain=shared
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def without_credentials(text: str) -> str:
    """A text with the user and password of every address in it hidden."""
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", text)
