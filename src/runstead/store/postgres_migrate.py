"""Bring a PostgreSQL database to the schema this program knows: see `migrate`, with a lock among nodes."""

from collections.abc import Sequence

from runstead.store.migrate import Migration, first_missing
from runstead.store.postgres_connections import Connection

# Any number that others who share the database are unlikely to choose.
_LOCK = 0x72756E7374656164
_HAS_TABLE = "SELECT to_regclass('migrations') IS NOT NULL"
_APPLIED = "SELECT version, name FROM migrations"
_CREATE_TABLE = "CREATE TABLE IF NOT EXISTS migrations (version bigint PRIMARY KEY, name text NOT NULL)"


async def migrate(connection: Connection, where: str, migrations: Sequence[Migration]) -> None:
    """Apply what is missing. Raises NewerDatabase; an error leaves the last whole version behind.

    A database that lacks nothing is only read, so its everyday user need not be allowed to create tables.
    """
    while first_missing(await applied_to(connection), where, migrations) is not None:
        await _apply_next(connection, where, migrations)


async def _apply_next(connection: Connection, where: str, migrations: Sequence[Migration]) -> None:
    async with connection.transaction():
        # However long another node or this migration takes.
        await connection.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0", timeout=None)
        # Released with the transaction, also if this process dies.
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK, timeout=_LONG)
        # Not asked for first: who waited for the lock may still believe that the table is not there.
        await connection.execute(_CREATE_TABLE)
        missing = first_missing(await applied_to(connection), where, migrations)
        if missing is None:
            return
        await connection.execute(missing.sql, timeout=_LONG)
        await connection.execute(
            "INSERT INTO migrations (version, name) VALUES ($1, $2)", missing.version, missing.name
        )


async def applied_to(connection: Connection) -> dict[int, str]:
    """The names of the migrations there, by number; none if it has no schema of ours."""
    if not await connection.fetchval(_HAS_TABLE):
        return {}
    return {row[0]: row[1] for row in await connection.fetch(_APPLIED)}


# An hour: asyncpg takes no "for ever" where a connection has a limit of its own.
_LONG = 3600.0
