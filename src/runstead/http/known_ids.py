"""Whether what a body names is there: files and vector stores, with the place at which it was named."""

from collections.abc import Sequence

from runstead.domain.errors import NotFound, UnknownFile, WrongPrefix
from runstead.http.api import Api
from runstead.wire.base import VectorStoreId
from runstead.wire.vector_stores import VectorStore

Named = Sequence[tuple[str, str]]
"""Ids and their parameters."""


def in_list(ids: Sequence[str] | None, param: str) -> Named:
    """The ids of a list, each at its place."""
    return [(id, f"{param}[{i}]") for i, id in enumerate(ids or ())]


async def require_files(api: Api, named: Named) -> None:
    """Raises WrongPrefix for what cannot be a file's id, UnknownFile for what is none."""
    if not named:
        return
    for id, param in named:
        if not id.startswith("file"):
            raise WrongPrefix(param, id, "file")
    known = await api.store.known_files(id for id, _ in named)
    for id, param in named:
        if id not in known:
            raise UnknownFile("File", id, param)


async def require_vector_store(api: Api, id: str, param: str) -> VectorStore:
    """Raises WrongPrefix or UnknownFile."""
    if not id.startswith("vs"):
        raise WrongPrefix(param, id, "vs")
    try:
        return await api.store.get_vector_store(VectorStoreId(id))
    except NotFound:
        raise UnknownFile("VectorStore", id, param) from None
