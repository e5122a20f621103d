"""A look at the index's tables in PostgreSQL; see `inspection`."""

import asyncpg

from runstead.domain.errors import Unavailable
from runstead.search.inspection import COUNT, Embedded


async def embedded_in_server(url: str) -> Embedded | None:
    """None if there are no tables yet. Raises Unavailable."""
    try:
        connection = await asyncpg.connect(url, timeout=10.0)
        try:
            if await connection.fetchval("SELECT to_regclass('search_files')") is None:
                return None
            return {row[0]: row[1] for row in await connection.fetch(COUNT.format(table="search_files"))}
        finally:
            await connection.close(timeout=1.0)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise Unavailable(f"The search index does not answer: {error}.") from error
