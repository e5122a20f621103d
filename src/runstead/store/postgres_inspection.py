"""A look at a PostgreSQL database without serving it: nothing is written, locked or migrated."""

from msgspec import Struct

from runstead.store.migrate import may_serve, packaged_migrations
from runstead.store.postgres_clock import DatabaseClock
from runstead.store.postgres_connections import Limits, Server, close_politely
from runstead.store.postgres_migrate import applied_to
from runstead.store.postgres_opening import told_clearly

_ASK = """
SELECT current_setting('server_version'),
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
       (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()),
       EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'vector')
"""


class ServerState(Struct, frozen=True):
    """The server's release, the schema's version there and here, and what we may do with it."""

    where: str
    release: str
    version: int
    known: int
    may_serve: bool
    may_create: bool
    is_encrypted: bool
    has_pgvector: bool


async def inspect_server(url: str) -> ServerState:
    """Raises UnusableDatabase."""
    server = Server(url, Limits(), DatabaseClock())
    with told_clearly(server.where):
        connection = await server.connect()
        try:
            release, may_create, is_encrypted, has_pgvector = await connection.fetchrow(_ASK) or (
                "",
                False,
                False,
                False,
            )
            applied = await applied_to(connection)
        finally:
            await close_politely(connection)
    known = packaged_migrations("postgres")
    # «15.18 (Debian 15.18-1)»
    return ServerState(
        server.where,
        release.split()[0],
        max(applied, default=0),
        known[-1].version,
        may_serve(applied, known),
        may_create,
        bool(is_encrypted),
        has_pgvector,
    )
