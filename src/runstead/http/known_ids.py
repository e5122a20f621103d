"""Whether what a body names is there: files and vector stores, with the place at which it was named."""

from collections.abc import Sequence

from runstead.domain import formats
from runstead.domain.errors import NotFound, NotSearchable, UnknownFile, WrongPrefix
from runstead.http.api import Api
from runstead.wire.base import FileId, VectorStoreId
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


async def require_searchable(api: Api, named: Named) -> None:
    """Raises NotSearchable for files whose names say that there is no text in them."""
    if not named:
        return
    names = {file.id: file.filename for file in await api.store.find_files(id for id, _ in named)}
    for id, param in named:
        extension = formats.extension(names.get(FileId(id), ""))
        if extension in formats.NEVER_TEXT:
            raise NotSearchable(extension, formats.FORMATS, param)


async def require_vector_store(api: Api, id: str, param: str) -> VectorStore:
    """Raises WrongPrefix or UnknownFile."""
    if not id.startswith("vs"):
        raise WrongPrefix(param, id, "vs")
    try:
        return await api.store.get_vector_store(VectorStoreId(id))
    except NotFound:
        raise UnknownFile("VectorStore", id, param) from None
