from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from runstead.ports import Index
from runstead.search.postgres_index import PostgresIndex
from runstead.search.sqlite_index import SqliteIndex
from tests.contract.postgres_server import PostgresServer, postgres

__all__ = ["postgres"]

CACHE = 64 * 2**20
Opening = Callable[[], Awaitable[Index]]


@pytest.fixture(
    params=["sqlite", "sqlite-without-cache", "postgres", "postgres-without-pgvector", "postgres-every-vector-by-index"]
)
async def opening(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opening]:
    """How to open the index, and open it again."""
    opened: list[Index] = []

    async def open_it() -> Index:
        match request.param:
            case "sqlite":
                index: Index = await SqliteIndex.open(tmp_path / "search.db", cache_bytes=CACHE)
            case "sqlite-without-cache":
                index = await SqliteIndex.open(tmp_path / "search.db", cache_bytes=0)
            case kind:
                index = await postgres_index(kind, request.getfixturevalue("postgres"))
        opened.append(index)
        return index

    if request.param.startswith("postgres"):
        empty(request.getfixturevalue("postgres"), request.param)
    yield open_it
    for index in opened:
        await index.close()


async def postgres_index(kind: str, server: PostgresServer) -> Index:
    return await PostgresIndex.open(
        server.url(database_of(kind)),
        cache_bytes=CACHE,
        wants_pgvector=kind != "postgres-without-pgvector",
        exact_below=0 if kind == "postgres-every-vector-by-index" else 5_000,
    )


def database_of(kind: str) -> str:
    """One for each kind: how vectors are kept is settled when the first index of a database is opened."""
    return "search_" + kind.removeprefix("postgres").replace("-", "_")


def empty(server: PostgresServer, kind: str) -> None:
    name = database_of(kind)
    if not server.sql(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):
        server.sql(f'CREATE DATABASE "{name}"')
    elif server.sql("SELECT to_regclass('search_stores')", name):
        server.sql("DELETE FROM search_stores", name)


@pytest.fixture
async def index(opening: Opening) -> Index:
    return await opening()
