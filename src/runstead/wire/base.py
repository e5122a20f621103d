"""What every resource shares: the two struct families, metadata, list pages, deletion markers."""

from typing import Annotated, Generic, Literal, NewType, TypeVar

from msgspec import Meta, Struct

AssistantId = NewType("AssistantId", str)
ThreadId = NewType("ThreadId", str)
MessageId = NewType("MessageId", str)
RunId = NewType("RunId", str)
StepId = NewType("StepId", str)
FileId = NewType("FileId", str)
VectorStoreId = NewType("VectorStoreId", str)
BatchId = NewType("BatchId", str)

Timestamp = int
"""Unix seconds, below 2^31: clients in Rust read them as i32."""


class Resource(Struct, frozen=True):
    """An object the API answers with. Every key is always sent, null included."""


class Body(Struct, frozen=True, forbid_unknown_fields=True):
    """What a client sends. A field it does not know is refused; null means absent."""


Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]],
    Meta(max_length=16),
]

Text256 = Annotated[str, Meta(max_length=256)]
Text512 = Annotated[str, Meta(max_length=512)]
LongText = Annotated[str, Meta(max_length=256_000)]

T = TypeVar("T")


class ListPage(Resource, Generic[T], frozen=True, kw_only=True):
    """One page of a list; `first_id` and `last_id` are null only when `data` is empty."""

    object: Literal["list"] = "list"
    data: list[T]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Deleted(Resource, frozen=True, kw_only=True):
    """API: a deletion answers 200 with a marker object, never 204."""

    id: str
    object: str
    deleted: bool = True
