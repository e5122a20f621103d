"""What keeps a database from being opened, in sentences that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from runstead.domain.errors import Unavailable
from runstead.store.errors import UnusableDatabase
from runstead.store.postgres_connections import TROUBLE


@contextmanager
def told_clearly(where: str) -> Iterator[None]:
    """Turns whatever goes wrong while a database is opened into UnusableDatabase."""
    try:
        yield
    except UnusableDatabase:
        raise
    except (*TROUBLE, Unavailable, ValueError) as error:
        raise UnusableDatabase(where, _reason(error)) from error


def _reason(error: BaseException) -> str:
    said = (str(error) or type(error).__name__).rstrip(".")
    match error:
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
