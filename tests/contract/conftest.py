from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runstead.ports import Store
from runstead.store.sqlite import SqliteStore
from tests.contract.samples import SetClock


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


# Another adapter joins here: a name, and how a store of it is opened empty.
@pytest.fixture(params=["sqlite-file", "sqlite-memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> AsyncIterator[Store]:
    if request.param == "sqlite-file":
        opened = await SqliteStore.open_file(tmp_path / "runstead.db", clock)
    else:
        opened = await SqliteStore.open_memory(clock)
    yield opened
    await opened.close()
