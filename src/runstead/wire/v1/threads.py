"""Threads as v1 writes them: no tool_resources."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from runstead.wire import threads as v2
from runstead.wire.base import Metadata, Resource, ThreadId, Timestamp
from runstead.wire.v1.base import V1Body, recast
from runstead.wire.v1.messages import CreateMessage, canonical_messages


class Thread(Resource, frozen=True, kw_only=True):
    id: ThreadId
    object: Literal["thread"]
    created_at: Timestamp
    metadata: dict[str, str]


class CreateThread(V1Body, frozen=True, kw_only=True):
    messages: Annotated[list[CreateMessage], Meta(max_length=100)] | None = None
    metadata: Metadata | None = None

    def canonical(self) -> v2.CreateThread:
        return v2.CreateThread(messages=canonical_messages(self.messages), metadata=self.metadata)


class ModifyThread(V1Body, frozen=True, kw_only=True):
    metadata: Metadata | None | UnsetType = UNSET

    def canonical(self) -> v2.ModifyThread:
        return v2.ModifyThread(metadata=self.metadata)


def view(thread: v2.Thread) -> Thread:
    return recast(thread, Thread)
