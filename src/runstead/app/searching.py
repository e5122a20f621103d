"""What makes files searchable: parsers, vectors and the index, as the settings have them."""

from contextlib import AsyncExitStack

import structlog
from msgspec import Struct

from runstead.app.extras import extra
from runstead.ports import Embedder, Extractor, Index, Reranker
from runstead.search.endpoint import Endpoint
from runstead.search.extraction import ChildExtractor
from runstead.settings import Settings

INDEX = "search.db"
"""The file beside the database that keeps the index; it can be made anew from the files."""
MIB = 2**20

log = structlog.get_logger(__name__)


class Search(Struct, frozen=True):
    """Without an embedder files are found by their words alone."""

    extractor: Extractor
    index: Index
    embedder: Embedder | None
    reranker: Reranker | None


async def open_search(settings: Settings, stack: AsyncExitStack) -> Search:
    """Opened until the stack is left; needs a running loop. Raises Unavailable, EmbeddingFailed or Missing."""
    embedder = open_embedder(settings)
    if embedder is not None:
        stack.push_async_callback(embedder.close)
    reranker = _open_reranker(settings)
    if reranker is not None:
        stack.push_async_callback(reranker.close)
    index = await _open_index(settings)
    stack.push_async_callback(index.close)
    return Search(ChildExtractor(), index, embedder, reranker)


def open_embedder(settings: Settings) -> Embedder | None:
    """The embedding model that the settings name, or None if none can be had. Raises EmbeddingFailed."""
    if settings.embeddings_url is not None:
        from runstead.search.endpoint_embedder import EndpointEmbedder

        endpoint = Endpoint(settings.embeddings_url, key=settings.embeddings_key, ca_file=settings.model_ca)
        return EndpointEmbedder(endpoint, settings.embeddings_model or "", window=settings.embeddings_window)
    from runstead.search import weights

    found = weights.find(settings.data_dir)
    if found is None or weights.what_is_missing(settings.data_dir) is not None:
        return None
    from runstead.search.local_embedder import LocalEmbedder

    return LocalEmbedder(found)


def what_search_is_missing(settings: Settings) -> str | None:
    """What keeps files from being found by what they mean, with the ways out; None if nothing does."""
    if settings.embeddings_url is not None:
        return None
    from runstead.search import weights

    return weights.what_is_missing(settings.data_dir)


def _open_reranker(settings: Settings) -> Reranker | None:
    if settings.reranker_url is None:
        return None
    from runstead.search.reranker import EndpointReranker

    endpoint = Endpoint(settings.reranker_url, key=settings.reranker_key, ca_file=settings.model_ca)
    return EndpointReranker(endpoint, settings.reranker_model)


async def _open_index(settings: Settings) -> Index:
    cache_bytes = settings.search_memory * MIB
    if settings.is_postgres:
        with extra("cluster"):
            from runstead.search.postgres_index import PostgresIndex

        return await PostgresIndex.open(settings.database_url, cache_bytes=cache_bytes)
    from runstead.search.sqlite_index import SqliteIndex

    return await SqliteIndex.open(settings.data_dir / INDEX, cache_bytes=cache_bytes)
