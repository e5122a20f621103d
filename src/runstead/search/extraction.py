"""Texts of files, each taken out in a child process of its own, so that no file can harm or outgrow the server."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from runstead.domain.errors import ExtractionFailed
from runstead.search.extraction_child import NO_MEMORY
from runstead.search.text_limit import LONGEST_TEXT

log = structlog.get_logger(__name__)

WALL_LIMIT = 120.0
"""Seconds for one file, on a machine that has other things to do. Those of the processor are fewer."""
AT_ONCE = 2
_WORDS = 2048
"""Bytes that are kept of what a parser complains."""

CRASHED = "The file could not be parsed: its parser crashed on it."
TOO_SLOW = "The file could not be parsed: it takes too long."


class ChildExtractor:
    """Starts a process a file; a few at once."""

    def __init__(self, *, at_once: int = AT_ONCE, wall_limit: float = WALL_LIMIT) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._wall_limit = wall_limit

    async def extract(self, path: Path, filename: str) -> str:
        async with self._turns:
            process = await self._start(path, filename)
            complaints = asyncio.create_task(_drain(process))
            try:
                async with asyncio.timeout(self._wall_limit):
                    answer = await _answer(process)
                    code = await process.wait()
            except TimeoutError:
                raise ExtractionFailed("invalid_file", TOO_SLOW) from None
            finally:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
                said = await complaints
        return _judge(answer, code, said, filename)

    async def _start(self, path: Path, filename: str) -> asyncio.subprocess.Process:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
        # No argument may hold it, and only its end is looked at.
        shown = filename.replace("\0", "")[-255:].encode("utf-8", "replace").decode()
        try:
            file = path.open("rb")
        except OSError as error:
            raise ExtractionFailed("server_error", "The file could not be read by the server.") from error
        with file:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # nothing from the working folder
                "-m",
                "runstead.search.extraction_child",
                str(os.getpid()),
                shown,
                stdin=file,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd="/",
                env=kept,
                # An interrupt at the terminal is for the server.
                start_new_session=True,
            )


async def _answer(process: asyncio.subprocess.Process) -> bytes:
    """All that the child says, up to what it may say."""
    assert process.stdout is not None
    parts: list[bytes] = []
    left = LONGEST_TEXT + 4096
    while left > 0 and (part := await process.stdout.read(min(left, 256 * 1024))):
        parts.append(part)
        left -= len(part)
    if left <= 0:
        process.kill()
    return b"".join(parts)


async def _drain(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    kept = bytearray()
    while part := await process.stderr.read(_WORDS):
        kept += part
        del kept[:-_WORDS]
    return kept.decode("utf-8", "replace").strip()


def _judge(answer: bytes, code: int, said: str, filename: str) -> str:
    if code == 0 and answer.startswith(b"T"):
        with suppress(UnicodeDecodeError):
            return answer[1:].decode()
    if code == 0 and answer.startswith(b"F"):
        with suppress(msgspec.DecodeError):
            failed = msgspec.json.decode(answer[1:], type=tuple[str, str])
            log.info("a file gives no text", filename=filename, reason=failed[1], parser=said)
            raise ExtractionFailed("unsupported_file" if failed[0] == "unsupported_file" else "invalid_file", failed[1])
    log.warning("a parser was stopped", filename=filename, code=code, parser=said)
    if code == -signal.SIGXCPU:
        raise ExtractionFailed("invalid_file", TOO_SLOW)
    # Some libraries end the process when there is no memory left.
    is_full = code == -signal.SIGABRT and "alloc" in said
    raise ExtractionFailed("invalid_file", NO_MEMORY if is_full else CRASHED)
