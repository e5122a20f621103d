"""The index's tables in the database of the store: how they are made, and how vectors are kept in them."""

from typing import TypeAlias

import asyncpg
import structlog

from runstead.domain.errors import Unavailable

log = structlog.get_logger(__name__)

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

VERSION = 1
_LOCK = 7_012_993_411
"""Of two nodes that start at once, the second waits for the first."""

_TABLES = """
CREATE TABLE search_schema (version integer NOT NULL);
INSERT INTO search_schema VALUES (1);
CREATE TABLE search_stores (
    no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    -- Rises with every change: what is in memory is compared with it.
    version bigint NOT NULL DEFAULT 0,
    chunks bigint NOT NULL DEFAULT 0,
    windows bigint NOT NULL DEFAULT 0
);
CREATE TABLE search_files (
    no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    store_no bigint NOT NULL REFERENCES search_stores ON DELETE CASCADE,
    file_id text NOT NULL,
    embedding text,
    dimensions integer NOT NULL,
    chunks integer NOT NULL,
    windows integer NOT NULL,
    attributes jsonb NOT NULL,
    UNIQUE (store_no, file_id)
);
CREATE TABLE search_chunks (
    file_no bigint NOT NULL REFERENCES search_files ON DELETE CASCADE,
    position integer NOT NULL,
    store_no bigint NOT NULL,
    begins integer NOT NULL,
    ends integer NOT NULL,
    text text NOT NULL,
    -- No more than a tsvector can hold.
    words tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('english', left(text, 200000))) STORED,
    PRIMARY KEY (file_no, position)
);
-- Without the list of what is still to be sorted in, which every search would have to read.
CREATE INDEX search_chunks_words ON search_chunks USING gin (words) WITH (fastupdate = off);
CREATE INDEX search_chunks_store ON search_chunks (store_no);
CREATE TABLE search_windows (
    file_no bigint NOT NULL REFERENCES search_files ON DELETE CASCADE,
    position integer NOT NULL,
    store_no bigint NOT NULL,
    embedding text NOT NULL,
    dimensions integer NOT NULL,
    vector real[] NOT NULL
);
CREATE INDEX search_windows_chunk ON search_windows (file_no, position);
CREATE INDEX search_windows_store ON search_windows (store_no);
"""

_HOW_VECTORS_ARE_KEPT = """
SELECT format_type(atttypid, NULL) FROM pg_attribute
 WHERE attrelid = 'search_windows'::regclass AND attname = 'vector'
"""


async def prepare(connection: Connection, *, wants_pgvector: bool) -> bool:
    """Make what is missing; whether vectors are pgvector's. Raises Unavailable for tables of a newer release.

    Vectors kept as plain numbers become pgvector's as soon as it is there.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        if await connection.fetchval("SELECT to_regclass('search_schema')") is None:
            await connection.execute(_TABLES)
        version = await connection.fetchval("SELECT version FROM search_schema")
        if version > VERSION:
            raise Unavailable(f"The search index is of schema {version}, and this release knows {VERSION}: upgrade it.")
        has_pgvector = wants_pgvector and await _enable(connection)
        kept = await connection.fetchval(_HOW_VECTORS_ARE_KEPT)
        if has_pgvector and kept == "real[]":
            await connection.execute("ALTER TABLE search_windows ALTER COLUMN vector TYPE vector USING vector::vector")
            for (dimensions,) in await connection.fetch("SELECT DISTINCT dimensions FROM search_windows"):
                await make_index(connection, dimensions)
            return True
    return bool(kept == "vector")


async def _enable(connection: Connection) -> bool:
    known = await connection.fetchrow("SELECT installed_version FROM pg_available_extensions WHERE name = 'vector'")
    if known is None:
        log.warning(
            "PostgreSQL has no pgvector: vectors are compared one by one, in this process's memory; "
            "install the extension on its machine and start again"
        )
        return False
    if known[0] is not None:
        return True
    try:
        async with connection.transaction():
            await connection.execute("CREATE EXTENSION vector")
    except asyncpg.InsufficientPrivilegeError:
        log.warning(
            "pgvector is there but may not be enabled: let a superuser say CREATE EXTENSION vector, and start again"
        )
        return False
    return True


def indexed_type(dimensions: int) -> str | None:
    """What HNSW can index vectors of so many dimensions as, None if it cannot."""
    return f"vector({dimensions})" if dimensions <= 2_000 else f"halfvec({dimensions})" if dimensions <= 4_000 else None


async def make_index(connection: Connection, dimensions: int) -> None:
    """An index of its own for each number of dimensions; harmless if it is there."""
    kind = indexed_type(dimensions)
    if kind is None:
        log.warning(
            "vectors of so many dimensions cannot be indexed, and are compared one by one", dimensions=dimensions
        )
        return
    await connection.execute(
        f"CREATE INDEX IF NOT EXISTS search_windows_hnsw_{dimensions} ON search_windows "
        f"USING hnsw ((vector::{kind}) {kind.partition('(')[0]}_cosine_ops) WHERE dimensions = {dimensions}"
    )
