"""Connections to PostgreSQL: how one is opened, what its troubles mean, and the few that reads share."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import asyncpg
from msgspec import Struct

from runstead.domain.errors import Unavailable
from runstead.store.errors import UnusableDatabase
from runstead.store.postgres_clock import DatabaseClock
from runstead.store.postgres_pulse import Pulse

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

OLDEST_VERSION = 15

# Seconds that a server has to notice that somebody leaves.
_GOODBYE = 0.5

# Everything that a database can answer with, and everything that can happen on the way. A server that says goodbye
# while nothing was asked leaves the client's protocol in a state that it calls an internal error.
TROUBLE = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)

# The server speaks and will go on speaking on this connection.
_OF_THE_STATEMENT = (
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
    asyncpg.ProgramLimitExceededError,
)

# One question sets the session up, so that a connection costs one round trip more than its login.
_BEGIN_SESSION = """
SELECT current_setting('server_version_num')::int,
       extract(epoch FROM clock_timestamp())::float8,
       pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool,
       set_config('statement_timeout', $1, false),
       set_config('lock_timeout', $2, false),
       set_config('default_transaction_isolation', 'read committed', false),
       set_config('jit', 'off', false),
       CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', false) END
"""


_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")


class Limits(Struct, frozen=True, kw_only=True):
    """How long to wait, in seconds, and how many connections to keep."""

    connect: float = 5.0
    # The server gives a statement up after this long; we give the connection up a little later.
    statement: float = 10.0
    lock: float = 2.0
    # A server that lets somebody new wait for longer than this is out of reach for all.
    sign_of_life: float = 3.0
    # How long a commit, or a read that finds every connection busy, waits before it is Unavailable.
    patience: float = 3.0
    readers: int = 4
    # 0 for a pooler that hands a session's statements to several servers; every statement is then planned anew.
    cached_statements: int = 256


class Server:
    """Where the database is, and how a connection to it is opened."""

    def __init__(self, url: str, limits: Limits, clock: DatabaseClock) -> None:
        self.limits = limits
        self.clock = clock
        self.pulse = Pulse(self._ask_for_a_sign_of_life)
        self._url = url

    @property
    def where(self) -> str:
        """The address without its secrets."""
        # Up to the last at sign, because a password may hold what belongs in no address.
        scheme, _, rest = self._url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"

    async def connect(self) -> Connection:
        """A connection that can write and commits durably. Raises TROUBLE, UnusableDatabase or Unavailable."""
        if self.pulse.is_silent:
            raise Unavailable("The database does not answer: it has been silent for a while.")
        return await self._connect()

    async def _ask_for_a_sign_of_life(self) -> None:
        async with asyncio.timeout(self.limits.sign_of_life):
            connection = await self._connect()
        await close_politely(connection)

    async def _connect(self) -> Connection:
        limits = self.limits
        try:
            connection: Connection = await asyncpg.connect(
                self._url,
                timeout=limits.connect,
                command_timeout=limits.statement + 2.0,
                statement_cache_size=limits.cached_statements,
                max_cached_statement_lifetime=0,
            )
        except FileNotFoundError:
            self._refuse_missing_files()
            raise
        try:
            await self._begin(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    def _refuse_missing_files(self) -> None:
        """What is not there says no name: it may be the server's socket, which comes, or a file that the URL names."""
        for name, value in parse_qsl(urlsplit(self._url).query):
            if name in _FILES and not Path(value).exists():
                raise UnusableDatabase(self.where, f"{name}={value} in its URL names a file that is not there")

    async def _begin(self, connection: Connection) -> None:
        sent_at = self.clock.start()
        row = await connection.fetchrow(
            _BEGIN_SESSION,
            _milliseconds(self.limits.statement),
            _milliseconds(self.limits.lock),
            timeout=self.limits.connect,
        )
        assert row is not None
        self.clock.measured(sent_at, row[1])
        refuse_version(self.where, row[0])
        if row[2]:
            raise Unavailable("The database server takes no writes: it is a standby, or set to read only.")


def refuse_version(where: str, number: int) -> None:
    """Raises UnusableDatabase for a server that is too old. The number is as PostgreSQL gives it: 150003 is 15.3."""
    if number < OLDEST_VERSION * 10_000:
        raise UnusableDatabase(
            where,
            f"its server is PostgreSQL {number // 10_000} and this program needs {OLDEST_VERSION} or newer",
        )


def is_usable_after(error: BaseException) -> bool:
    """Whether a connection that answered with this can be asked again."""
    return isinstance(error, _OF_THE_STATEMENT)


def unavailable(error: BaseException) -> Unavailable:
    """In one sentence, for the log and for whoever asked."""
    return Unavailable(f"The database does not answer: {str(error) or type(error).__name__}.")


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


class Readers:
    """A few connections for many who read in turn; opened when needed, let go when in trouble."""

    def __init__(self, server: Server) -> None:
        self._server = server
        # First come, first served: a newcomer never overtakes who waits.
        self._turns = asyncio.Semaphore(server.limits.readers)
        self._free: list[Connection] = []
        self._is_closed = False
        server.pulse.on_silence(self._drop_free)

    async def fetch(self, statement: str, arguments: Sequence[Any]) -> list[Any]:
        """Ask once, and once more on a new connection if an old one turns out to be dead. Raises Unavailable."""
        try:
            async with asyncio.timeout(self._server.limits.patience):
                await self._turns.acquire()
        except TimeoutError:
            raise Unavailable("Every connection to the database is busy.") from None
        try:
            return await self._ask(statement, arguments)
        except (*TROUBLE, UnusableDatabase) as error:
            raise unavailable(error) from error
        finally:
            self._turns.release()

    async def _ask(self, statement: str, arguments: Sequence[Any]) -> list[Any]:
        while (connection := self._take_free()) is not None:
            try:
                return await self._ask_on(connection, statement, arguments)
            except TROUBLE as error:
                if is_usable_after(error) or isinstance(error, TimeoutError):
                    raise
                # The server went away while nobody looked, and took the other idle ones along.
                self._drop_free()
        return await self._ask_on(await self._server.connect(), statement, arguments)

    async def _ask_on(self, connection: Connection, statement: str, arguments: Sequence[Any]) -> list[Any]:
        try:
            found: list[Any] = await self._server.pulse.watched(connection, connection.fetch(statement, *arguments))
        except BaseException as error:
            if is_usable_after(error):
                self._free.append(connection)
            else:
                connection.terminate()
            raise
        if self._is_closed:
            connection.terminate()
        else:
            self._free.append(connection)
        return found

    def _take_free(self) -> "Connection | None":
        """The one used last, so that the others may rest. Raises Unavailable once closed."""
        if self._is_closed:
            raise Unavailable("The store is closed.")
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
        return None

    def _drop_free(self) -> None:
        while self._free:
            self._free.pop().terminate()

    async def close(self) -> None:
        """Let go of all; who waits for a turn is told."""
        self._is_closed = True
        free, self._free = self._free, []
        await asyncio.gather(*(close_politely(connection) for connection in free))


async def close_politely(connection: Connection) -> None:
    """Say goodbye if the server listens."""
    try:
        await connection.close(timeout=_GOODBYE)
    except TROUBLE:
        connection.terminate()
