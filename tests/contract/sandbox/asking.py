"""Asks a sandbox as tests want to: short code in, an outcome out."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from textwrap import dedent
from typing import Any

from runstead.ports import CodeFile, CodeOutcome, Sandbox


class Asked:
    """One thread's view of a sandbox."""

    def __init__(self, sandbox: Sandbox, thread_id: str = "thread_one") -> None:
        self.sandbox = sandbox
        self.thread_id = thread_id

    async def __call__(self, code: str, *files: CodeFile, timeout: float = 30) -> CodeOutcome:
        return await self.sandbox.run(self.thread_id, dedent(code), files, timeout=timeout)

    async def told(self, code: str, *files: CodeFile, timeout: float = 30) -> Any:
        """What code that has to succeed prints as JSON."""
        outcome = await self(code, *files, timeout=timeout)
        assert not outcome.is_error, outcome
        return json.loads(outcome.logs)

    async def tries(self, code: str, *files: CodeFile) -> str:
        """What comes of the expression or statements: their error's name and number, or that they worked."""
        indented = "\n".join(f"    {line}" for line in dedent(code).strip().splitlines())
        outcome = await self(
            f"try:\n{indented}\n    print('worked')\nexcept OSError as e:\n"
            f"    import errno; print(errno.errorcode.get(e.errno, type(e).__name__))\n"
            f"except BaseException as e:\n    print(type(e).__name__)",
            *files,
        )
        return outcome.logs.strip().splitlines()[-1] if outcome.logs.strip() else str(outcome.notice)

    def beside(self, thread_id: str) -> "Asked":
        """Another thread of the same sandbox."""
        return Asked(self.sandbox, thread_id)


async def until(is_so: Callable[[], bool], patience: float = 60.0) -> None:
    """Wait for a fact."""
    async with asyncio.timeout(patience):
        while not is_so():  # noqa: ASYNC110 - facts of other processes ring no bell
            await asyncio.sleep(0.01)


def file(name: str, data: bytes, id: str = "file-one", *, is_output: bool = False) -> CodeFile:
    async def read() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 100_000):
            yield data[start : start + 100_000]

    return CodeFile(name=name, file_id=id, size=len(data), read=read, is_output=is_output)


async def content(one: CodeFile) -> bytes:
    return b"".join([block async for block in one.read()])


async def contents(files: Sequence[CodeFile]) -> dict[str, bytes]:
    return {one.name: await content(one) for one in files}
