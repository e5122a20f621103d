from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from runstead.blobs.contents import StoredContents
from runstead.executor import ingester
from runstead.ports import Store
from runstead.search.sqlite_index import SqliteIndex
from tests.contract.ingestion.scene import Place, empty_store
from tests.contract.samples import SetClock


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes look at the rows all the time: tests wait for what they find there."""
    monkeypatch.setattr(ingester, "EVERY", 0.02)


@pytest.fixture
async def place(store: Store, clock: SetClock, tmp_path: Path) -> AsyncIterator[Place]:
    index = await SqliteIndex.open(tmp_path / "search.db", cache_bytes=2**20)
    made = Place(store, StoredContents(MemoryStore()), index, clock)
    await store.commit(empty_store(made))
    yield made
    await made.index.close()
