"""Brings the search index up to the settings, without a node."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from runstead.app.extras import extra
from runstead.app.ground import SystemClock
from runstead.app.searching import open_search
from runstead.blobs.opening import open_contents
from runstead.executor.ingestion import Means
from runstead.executor.reindexing import Outdated, outdated, renew
from runstead.ports import Store
from runstead.settings import Settings
from runstead.store.sqlite import SqliteStore

__all__ = ["Outdated", "means_of", "outdated", "renew"]


@asynccontextmanager
async def means_of(settings: Settings) -> AsyncIterator[Means]:
    """What files are read with. Raises UnusableDatabase: a SQLite file that a server has open is one."""
    async with AsyncExitStack() as stack:
        store = await _open_store(settings)
        stack.push_async_callback(store.close)
        blobs = await open_contents(settings.blobs_url, await store.contents_name())
        search = await open_search(settings, stack)
        yield Means(store, blobs, search.extractor, search.embedder, search.index)


async def _open_store(settings: Settings) -> Store:
    if not settings.is_postgres:
        return await SqliteStore.open_file(settings.database_path, SystemClock())
    with extra("cluster"):
        from runstead.store.postgres import PostgresStore
    return await PostgresStore.open(settings.database_url)
