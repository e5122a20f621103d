"""Logging: one line an event, for people on a terminal, as JSON everywhere else. Always to standard error."""

import contextlib
import io
import logging
import os
import re
import sys
from typing import TextIO, cast

import structlog

# Without the locals of the frames: they hold keys, and what clients wrote.
_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


class _Lossy(io.TextIOBase):
    """Standard error, whose lines are lost when nobody takes them: a full disk must not end what it is told about."""

    def __init__(self) -> None:
        self._pending: list[str] = []

    def write(self, text: str) -> int:
        self._pending.append(text)
        return len(text)

    def flush(self) -> None:
        line = "".join(self._pending).encode("utf-8", "backslashreplace")
        self._pending.clear()
        if line:
            # Past Python's own buffer, which would keep a refused line and fail with it again at exit.
            with contextlib.suppress(OSError):
                os.write(2, line)


def configure(level: str) -> None:
    """Set structlog up, and let the standard library's loggers speak through it from warnings on."""
    on_terminal = sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if on_terminal else "iso", utc=not on_terminal),
    ]
    if on_terminal:
        final: list[structlog.typing.Processor] = [
            # Named, because the default shows locals as soon as somebody installs rich or better-exceptions.
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        ]
    else:
        final = [_TRACEBACKS, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, *final],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Lossy())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_Lossy())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final], foreign_pre_chain=shared
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # What is wrong with a client's form is said to the client; here it would only fill the log.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


_ADDRESS = re.compile(r"([a-z]+://)(\S*@)?([^\s?]*)(\?\S*)?")


def without_credentials(text: str) -> str:
    """A text with what addresses in it may hold of secrets hidden: user and password, and the query.

    A password with a slash or an at sign in it makes no valid address, so all up to the last at sign goes.
    """
    return _ADDRESS.sub(
        lambda found: f"{found[1]}{'***@' if found[2] else ''}{found[3]}{'?***' if found[4] else ''}", text
    )
