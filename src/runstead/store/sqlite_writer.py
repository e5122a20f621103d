"""Group commit: what waits together becomes one transaction, and only its COMMIT leaves the loop's thread.

The road and those not taken: docs/design/store.md.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from runstead.domain.errors import Unavailable

T = TypeVar("T")

# Bounds how long a group's statements occupy the loop, and what one failed COMMIT takes with it.
_LARGEST_GROUP = 64

# Another program that holds the file's write lock is asked again this often, for so long in all.
_ASK_AGAIN_AFTER = 0.01
_WAIT_FOR_LOCK = 5.0

# What a single piece of work can be at fault for. Any other sqlite3.Error is about the file or the disk,
# and may already have undone the whole transaction.
_OF_THE_WORK = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    sqlite3.NotSupportedError,
)


class _Job:
    """A piece of work, who waits for it, and what came of it."""

    __slots__ = ("error", "future", "value", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], Any], future: "asyncio.Future[Any]") -> None:
        self.work = work
        self.future = future
        self.value: Any = None
        self.error: Exception | None = None

    def tell(self) -> None:
        """A waiter that was cancelled meanwhile does not hear."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.value)
        else:
            self.future.set_exception(self.error)


class SqliteWriter:
    """Runs pieces of work, each whole or not at all, and tells their waiters once they are durable.

    The connection belongs to the loop's thread, except from the moment a group is handed over until
    `_committed` is called back.
    """

    def __init__(self, connection: sqlite3.Connection, loop: asyncio.AbstractEventLoop) -> None:
        # From here on SQLite must not sleep for a lock, because the loop would sleep with it.
        connection.execute("PRAGMA busy_timeout = 0")
        self._connection = connection
        self._loop = loop
        self._waiting: list[_Job] = []
        # From the first job that waits until the last is told.
        self._busy = False
        self._ended: asyncio.Future[None] | None = None
        self._to_commit: SimpleQueue[list[_Job] | None] = SimpleQueue()
        # A daemon, because what was acknowledged needs no farewell: an exit without close loses nothing.
        Thread(target=self._commit_groups, name="runstead-store", daemon=True).start()

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Have work done in a transaction and wait until it is durable.

        Whatever the work raises undoes it alone. Raises Unavailable if nothing can be written. If the waiter
        is cancelled the work may still be done.
        """
        if self._ended is not None:
            raise Unavailable("The store is closed.")
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append(_Job(work, future))
        self._go_on()
        return await future

    async def close(self) -> None:
        """Finish what was accepted, then close the connection."""
        if self._ended is None:
            self._ended = self._loop.create_future()
            self._go_on()
        await asyncio.shield(self._ended)

    def _go_on(self) -> None:
        """Start the next group, at the end of this turn of the loop: all whom one COMMIT woke are in the next."""
        if self._busy:
            return
        if self._waiting:
            self._busy = True
            self._loop.call_soon(self._begin, self._loop.time() + _WAIT_FOR_LOCK)
        elif self._ended is not None and not self._ended.done():
            self._to_commit.put(None)
            self._connection.close()
            self._ended.set_result(None)

    def _begin(self, give_up_at: float) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if _is_locked(error) and self._loop.time() < give_up_at:
                self._loop.call_later(_ASK_AGAIN_AFTER, self._begin, give_up_at)
            else:
                self._committed(self._next_group(), error)
            return
        self._apply(self._next_group())

    def _next_group(self) -> list[_Job]:
        group = self._waiting[:_LARGEST_GROUP]
        del self._waiting[:_LARGEST_GROUP]
        return group

    def _apply(self, group: list[_Job]) -> None:
        try:
            for job in group:
                self._apply_one(job)
        except sqlite3.Error as error:
            self._committed(group, error)
        else:
            self._to_commit.put(group)

    def _apply_one(self, job: _Job) -> None:
        execute = self._connection.execute
        execute("SAVEPOINT change")
        try:
            job.value = job.work(self._connection)
        except Exception as error:
            # Whatever it is: the group must outlive any work, and it is for the waiter to judge.
            if isinstance(error, sqlite3.Error) and not isinstance(error, _OF_THE_WORK):
                raise
            execute("ROLLBACK TO change")
            job.error = error
        execute("RELEASE change")

    def _commit_groups(self) -> None:
        """The thread. Each time it needs the interpreter it may have to wait until a busy loop gives it up.

        So it asks for it three times a group: to start, after the COMMIT, and for the call back.
        """
        while (group := self._to_commit.get()) is not None:
            failure = None
            try:
                self._connection.commit()
            except sqlite3.Error as error:
                failure = error
            try:
                self._loop.call_soon_threadsafe(self._committed, group, failure)
            except RuntimeError:
                # The loop is gone and everyone who waited went with it.
                return

    def _committed(self, group: list[_Job], failure: sqlite3.Error | None) -> None:
        if failure is not None:
            self._roll_back()
            # Refusals go too: one of them may have been for something that now did not happen.
            for job in group:
                job.error = Unavailable(f"The database cannot be written: {failure}.")
        for job in group:
            job.tell()
        self._busy = False
        self._go_on()

    def _roll_back(self) -> None:
        try:
            self._connection.rollback()
        except sqlite3.Error:
            # SQLite has rolled back by itself, or the next BEGIN will say what is wrong.
            return


def _is_locked(error: sqlite3.Error) -> bool:
    # The low byte is the plain code, the rest says which kind of it.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
