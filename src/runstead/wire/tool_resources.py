"""What a client says that the built-in tools shall read: within limits, and with stores that are yet to be made."""

from typing import Annotated

from msgspec import Meta, Struct

from runstead.wire.base import Metadata
from runstead.wire.vector_stores import ChunkingStrategy

StoreIds = Annotated[list[str], Meta(max_length=1)]


class CodeInterpreterInput(Struct, frozen=True, forbid_unknown_fields=True):
    """Files for the code interpreter."""

    file_ids: Annotated[list[str], Meta(max_length=20)] = []


class NewVectorStore(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A store to be made with what will search it."""

    file_ids: Annotated[list[str], Meta(max_length=10_000)] = []
    chunking_strategy: ChunkingStrategy | None = None
    metadata: Metadata | None = None


class FileSearchInput(Struct, frozen=True, forbid_unknown_fields=True):
    """A store that is there, or one to be made; not both."""

    vector_store_ids: StoreIds = []
    vector_stores: Annotated[list[NewVectorStore], Meta(max_length=1)] = []


class FileSearchChange(Struct, frozen=True, forbid_unknown_fields=True):
    """A store that is there."""

    vector_store_ids: StoreIds = []


class ResourcesInput(Struct, frozen=True, forbid_unknown_fields=True):
    """With a new assistant or thread."""

    code_interpreter: CodeInterpreterInput | None = None
    file_search: FileSearchInput | None = None


class ResourcesChange(Struct, frozen=True, forbid_unknown_fields=True):
    """For an assistant, a thread or a run; each tool that is named is replaced whole."""

    code_interpreter: CodeInterpreterInput | None = None
    file_search: FileSearchChange | None = None
