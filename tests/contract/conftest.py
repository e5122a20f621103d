from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runstead.ports import Store
from runstead.store.postgres import PostgresStore
from runstead.store.sqlite import SqliteStore
from tests.contract.postgres_server import PostgresServer, postgres
from tests.contract.samples import SetClock

__all__ = ["postgres"]


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


# Another adapter joins here: a name, and how a store of it is opened empty.
@pytest.fixture(params=["sqlite-file", "sqlite-memory", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> AsyncIterator[Store]:
    opened: Store
    match request.param:
        case "sqlite-file":
            opened = await SqliteStore.open_file(tmp_path / "runstead.db", clock)
        case "sqlite-memory":
            opened = await SqliteStore.open_memory(clock)
        case _:
            opened = await emptied(request.getfixturevalue("postgres"), clock)
    yield opened
    await opened.close()


async def emptied(server: PostgresServer, clock: SetClock) -> PostgresStore:
    """Emptying costs a tenth of what a database for each test would."""
    store = await PostgresStore.open(server.url("runstead"), clock)
    await store.all_rows("DELETE FROM threads", {})
    for table in ("assistants", "files", "vector_stores", "deleted_assistants", "deleted_messages", "deleted_places"):
        await store.all_rows(f"DELETE FROM {table}", {})
    return store
