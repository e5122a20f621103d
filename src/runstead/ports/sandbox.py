"""Where model-written code runs, and the files it reads and makes."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from msgspec import Struct

from runstead.domain.errors import RunsteadError


class CodeFile(Struct, frozen=True):
    """A file on its way into /mnt/data or out of it.

    `name` is its path below /mnt/data; `file_id` the stored file's id, None for what code has just made. `read` opens the
    contents anew at every call. With `is_output` it was made by code in an earlier call of the thread: it is put back,
    as an ordinary file, only where a session starts anew. Without, it is an original, which code can read and not change.
    """

    name: str
    file_id: str | None
    size: int
    read: Callable[[], AsyncIterator[bytes]]
    is_output: bool = False


class CodeOutcome(Struct, frozen=True):
    """What a call of the code interpreter came to. Everything in it was written by code that nobody vouches for.

    `logs` are standard output and error as they came, then the value of the last expression, then the traceback.
    `images` are PNG files shown inline, in order; `files` are what is new or changed in /mnt/data. Their contents stay
    readable as long as somebody holds them. `is_error`: the code raised, was stopped, or its process died.
    `is_fresh`: no variables of earlier calls were there. `notice` is told to the model beside the logs: that its
    variables are lost, that a limit was met, that a file was not kept; None if there is nothing to tell.
    """

    logs: str
    images: tuple[CodeFile, ...] = ()
    files: tuple[CodeFile, ...] = ()
    is_error: bool = False
    is_fresh: bool = False
    notice: str | None = None


class SandboxUnavailable(RunsteadError):
    """No code can be run here now; the sentence names the reason of each launcher, and the way out."""


class Sandbox(Protocol):
    """Where model-written Python runs: one session a thread, kept between calls, that nothing leaves unasked."""

    def paths(self, files: Sequence[CodeFile]) -> list[str]:
        """Where code finds each file, in order: /mnt/data/NAME, clashes resolved by name, id and order alone."""

    async def run(self, thread_id: str, code: str, files: Sequence[CodeFile], *, timeout: float) -> CodeOutcome:
        """Run code in the thread's session, with these files in place, for at most `timeout` seconds.

        `files` are all that the thread has, oldest first. Calls of one thread run one after the other. Cancelling the
        call interrupts the code at once; the session is kept if it obeys. Raises SandboxUnavailable, and nothing else:
        what code does wrong is an outcome.
        """

    def threads(self) -> frozenset[str]:
        """The threads that have a session now."""

    async def release(self, thread_id: str) -> None:
        """End the thread's session, if there is one: its thread is gone."""

    async def describe(self) -> str:
        """What the model is told of the Python it gets: version, packages, limits. Raises SandboxUnavailable."""

    async def check(self) -> str:
        """One line on which launcher runs code and what it lacks, for doctor and banner. Raises SandboxUnavailable."""

    async def close(self) -> None:
        """End every session and leave nothing behind."""


class CodeFiles(Protocol):
    """The stored files that code reads, and where those that it makes are kept."""

    async def open(self, file_ids: Sequence[str]) -> list[CodeFile]:
        """The files in that order, under the names they were uploaded with; without those that are gone.

        Raises Unavailable.
        """

    async def keep(self, file: CodeFile) -> str:
        """Store what code has made, with purpose assistants_output; the new file's id. Raises Unavailable."""
