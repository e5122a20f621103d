"""Threads: the object and the bodies that make and change one."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from runstead.wire.base import Body, Metadata, Resource, ThreadId, Timestamp
from runstead.wire.messages import CreateMessage
from runstead.wire.tool_resources import ResourcesChange, ResourcesInput
from runstead.wire.tools import ToolResources


class Thread(Resource, frozen=True, kw_only=True):
    """A conversation that runs execute on."""

    id: ThreadId
    object: Literal["thread"] = "thread"
    created_at: Timestamp
    metadata: dict[str, str] = {}
    tool_resources: ToolResources = ToolResources()


class CreateThread(Body, frozen=True, kw_only=True):
    """POST /threads; the body may be missing altogether."""

    messages: Annotated[list[CreateMessage], Meta(max_length=100)] | None = None
    metadata: Metadata | None = None
    tool_resources: ResourcesInput | None = None


class ModifyThread(Body, frozen=True, kw_only=True):
    """POST /threads/{id}."""

    metadata: Metadata | None | UnsetType = UNSET
    tool_resources: ResourcesChange | None | UnsetType = UNSET
