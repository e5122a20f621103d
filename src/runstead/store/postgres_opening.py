"""What keeps a database from being opened, in sentences that say what to do, and what is worth waiting for."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from ssl import SSLCertVerificationError, SSLError
from typing import TypeVar

import asyncpg
import structlog

from runstead.domain.errors import Unavailable
from runstead.store.errors import UnreachableDatabase, UnusableDatabase
from runstead.store.postgres_connections import TROUBLE

T = TypeVar("T")

_PAUSE, _LONGEST_PAUSE = 0.2, 2.0

log = structlog.get_logger(__name__)

# What a server that is well says for a while: it starts, it is full, its standby has not taken over.
_PASSING = (asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError, Unavailable, OSError, TimeoutError)


async def once_it_answers(open: Callable[[], Awaitable[T]], patience: float) -> T:
    """What `open` returns, tried again for `patience` seconds while the server does not answer.

    Raises UnusableDatabase: at once for what no waiting would cure.
    """
    give_up_at = time.monotonic() + patience
    pause, told = _PAUSE, ""
    while True:
        try:
            return await open()
        except UnreachableDatabase as error:
            if time.monotonic() + pause > give_up_at:
                raise
            if str(error) != told:
                told = str(error)
                log.warning("waiting for the database", reason=told)
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


@contextmanager
def told_clearly(where: str) -> Iterator[None]:
    """Turns whatever goes wrong while a database is opened into UnusableDatabase."""
    try:
        yield
    except UnusableDatabase:
        raise
    except (*TROUBLE, Unavailable, ValueError) as error:
        passes = isinstance(error, _PASSING) and not isinstance(error, SSLError)
        raise (UnreachableDatabase if passes else UnusableDatabase)(where, _reason(error)) from error


def _reason(error: BaseException) -> str:
    said = (str(error) or type(error).__name__).rstrip(".")
    match error:
        case SSLCertVerificationError():
            return (
                f"its certificate is not trusted ({error.verify_message}); name its authority with sslrootcert= in the "
                "URL, and the host as the certificate does"
            )
        case SSLError():
            return f"TLS failed ({error.reason or said}); check sslmode= in the URL"
        case asyncpg.ClientConfigurationError() | ValueError():
            return f"its URL cannot be read ({said}); it looks like postgresql://user:password@host:5432/database"
        case asyncpg.InvalidAuthorizationSpecificationError():
            return f"the server refuses the user or the password ({said})"
        case asyncpg.InvalidCatalogNameError():
            return f"there is no such database ({said}); create it first: createdb"
        case asyncpg.InsufficientPrivilegeError():
            return f"the user may not do what is needed ({said}); give it a database, or a schema, of its own"
        case asyncpg.CannotConnectNowError():
            return f"the server is starting or stopping ({said}); try again"
        case asyncpg.TooManyConnectionsError():
            return f"the server has no connection left ({said}); raise its max_connections"
        case TimeoutError():
            return "the server does not answer in time; check host, port and firewall"
        case OSError():
            return f"no server can be reached there ({said}); check host and port, and that it runs"
        case _:
            return said
