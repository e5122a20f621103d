"""Whose node has the code session of a thread: rows that say where a run should go, and nothing of who may write."""

from msgspec import Struct

from runstead.domain.builtin import kind_of
from runstead.wire.base import RunId, ThreadId
from runstead.wire.runs import Run


class CodeSession(Struct, frozen=True):
    """Where a thread's variables are; nowhere if `owner` is None.

    `generation` rises whenever somebody takes it up, so an owner knows a session of its own that others came after.
    Until `lease_until` the owner is taken to be alive.
    """

    owner: str | None
    generation: int
    lease_until: float | None

    def host(self, now: float) -> str | None:
        """The owner, if it has been heard of lately."""
        is_living = self.lease_until is not None and self.lease_until >= now
        return self.owner if is_living else None


class TakeCodeSession(Struct, frozen=True):
    """Note that the thread's session is on this owner's node from now on, whoever had it.

    Stale unless the owner holds the run, in this epoch: only a thread's active run has any business with its session.
    """

    thread_id: ThreadId
    run_id: RunId
    owner: str
    epoch: int
    lease_until: float


class LetGoOfCodeSession(Struct, frozen=True):
    """Note that the thread has no session any more, if that generation still is this owner's. Never refused."""

    thread_id: ThreadId
    owner: str
    generation: int


CodeSessionWrite = TakeCodeSession | LetGoOfCodeSession


def may_run_code(run: Run) -> bool:
    """Whether the run has use for what its thread's code left behind."""
    return any(kind_of(tool) == "code_interpreter" for tool in run.tools)
