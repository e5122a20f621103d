"""Assistants as v1 writes them: `file_ids` and `retrieval`, no tool_resources."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from runstead.wire import assistants as v2
from runstead.wire.assistants import Temperature, TopP
from runstead.wire.base import AssistantId, LongText, Metadata, Resource, Text256, Text512, Timestamp
from runstead.wire.tool_resources import CodeInterpreterInput, ResourcesChange
from runstead.wire.v1.base import V1Body, recast
from runstead.wire.v1.tools import (
    ResponseFormat,
    Tool,
    Tools,
    canonical_format,
    canonical_resources,
    canonical_tools,
    view_format,
    view_resources,
    view_tools,
)

FileIds = Annotated[list[str], Meta(max_length=20)]


class Assistant(Resource, frozen=True, kw_only=True):
    id: AssistantId
    object: Literal["assistant"]
    created_at: Timestamp
    name: str | None
    description: str | None
    model: str
    instructions: str | None
    tools: list[Tool]
    file_ids: list[str]
    metadata: dict[str, str]
    temperature: float | None
    top_p: float | None
    response_format: ResponseFormat


class CreateAssistant(V1Body, frozen=True, kw_only=True):
    model: str
    name: Text256 | None = None
    description: Text512 | None = None
    instructions: LongText | None = None
    tools: Tools | None = None
    file_ids: FileIds | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: ResponseFormat | None = None

    def canonical(self) -> v2.CreateAssistant:
        return recast(
            self,
            v2.CreateAssistant,
            tools=canonical_tools(self.tools),
            tool_resources=canonical_resources(self.file_ids, self.tools),
            response_format=canonical_format(self.response_format),
            reasoning_effort=None,
        )


class ModifyAssistant(V1Body, frozen=True, kw_only=True):
    model: str | None | UnsetType = UNSET
    name: Text256 | None | UnsetType = UNSET
    description: Text512 | None | UnsetType = UNSET
    instructions: LongText | None | UnsetType = UNSET
    tools: Tools | None | UnsetType = UNSET
    file_ids: FileIds | None | UnsetType = UNSET
    metadata: Metadata | None | UnsetType = UNSET
    temperature: Temperature | None | UnsetType = UNSET
    top_p: TopP | None | UnsetType = UNSET
    response_format: ResponseFormat | None | UnsetType = UNSET

    def canonical(self) -> v2.ModifyAssistant:
        # Clients send null for a list that they leave alone, and v1's lists have no null of their own.
        given_tools = UNSET if self.tools is None or self.tools is UNSET else canonical_tools(self.tools)
        given_files = UNSET if self.file_ids is None or self.file_ids is UNSET else CodeInterpreterInput(self.file_ids)
        given_format = self.response_format
        return recast(
            self,
            v2.ModifyAssistant,
            tools=given_tools,
            tool_resources=UNSET if given_files is UNSET else ResourcesChange(given_files),
            response_format=UNSET if given_format is UNSET else canonical_format(given_format),
            reasoning_effort=UNSET,
        )


def view(assistant: v2.Assistant) -> Assistant:
    return recast(
        assistant,
        Assistant,
        tools=view_tools(assistant.tools),
        file_ids=view_resources(assistant.tool_resources),
        response_format=view_format(assistant.response_format),
    )
