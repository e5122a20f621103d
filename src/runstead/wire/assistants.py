"""Assistants: the object and the bodies that make and change one."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from runstead.wire.base import AssistantId, Body, LongText, Metadata, Resource, Text256, Text512, Timestamp
from runstead.wire.tool_resources import ResourcesChange, ResourcesInput
from runstead.wire.tools import ResponseFormat, Tool, ToolResources, Tools

Temperature = Annotated[float, Meta(ge=0, le=2)]
TopP = Annotated[float, Meta(ge=0, le=1)]
ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Assistant(Resource, frozen=True, kw_only=True):
    """A model with instructions and tools, kept under an id."""

    id: AssistantId
    object: Literal["assistant"] = "assistant"
    created_at: Timestamp
    name: str | None = None
    description: str | None = None
    model: str
    instructions: str | None = None
    tools: list[Tool] = []
    tool_resources: ToolResources = ToolResources()
    metadata: dict[str, str] = {}
    temperature: float | None = 1.0
    top_p: float | None = 1.0
    response_format: ResponseFormat = "auto"
    # EXT: the original takes this field and does not show it; a run has to know it.
    reasoning_effort: str | None = None


class CreateAssistant(Body, frozen=True, kw_only=True):
    """POST /assistants."""

    model: str
    name: Text256 | None = None
    description: Text512 | None = None
    instructions: LongText | None = None
    tools: Tools | None = None
    tool_resources: ResourcesInput | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: ReasoningEffort | None = None


class ModifyAssistant(Body, frozen=True, kw_only=True):
    """POST /assistants/{id}: absent leaves a field, null clears it where it may be empty."""

    model: str | None | UnsetType = UNSET
    name: Text256 | None | UnsetType = UNSET
    description: Text512 | None | UnsetType = UNSET
    instructions: LongText | None | UnsetType = UNSET
    tools: Tools | None | UnsetType = UNSET
    tool_resources: ResourcesChange | None | UnsetType = UNSET
    metadata: Metadata | None | UnsetType = UNSET
    temperature: Temperature | None | UnsetType = UNSET
    top_p: TopP | None | UnsetType = UNSET
    response_format: ResponseFormat | None | UnsetType = UNSET
    reasoning_effort: ReasoningEffort | None | UnsetType = UNSET
