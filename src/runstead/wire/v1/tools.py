"""Tools, tool choice and response format as v1 writes them, both ways."""

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

from runstead.wire import tools as v2
from runstead.wire.tool_resources import CodeInterpreterInput, FileSearchInput, NewVectorStore, ResourcesInput
from runstead.wire.tools import ChosenFunction, CodeInterpreterTool, FunctionName, JsonObjectFormat, TextFormat


class RetrievalTool(Struct, frozen=True, tag_field="type", tag="retrieval", forbid_unknown_fields=True):
    """What v2 calls file search; it has no options."""


class FunctionDefinition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A function of the client's; `strict` came with v2."""

    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None


class FunctionTool(Struct, frozen=True, tag_field="type", tag="function", forbid_unknown_fields=True):
    """A function that the client runs."""

    function: FunctionDefinition


Tool: TypeAlias = CodeInterpreterTool | RetrievalTool | FunctionTool
Tools = Annotated[list[Tool], Meta(max_length=128)]


class NamedToolChoice(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Force one tool; `function` accompanies type `function` only."""

    type: Literal["function", "code_interpreter", "retrieval"]
    function: ChosenFunction | None = None

    def __post_init__(self) -> None:
        if self.type == "function" and self.function is None:
            raise ValueError("missing:function")


ToolChoice: TypeAlias = Literal["none", "auto"] | NamedToolChoice
ResponseFormat: TypeAlias = Literal["none", "auto"] | TextFormat | JsonObjectFormat


def canonical_tool(tool: Tool) -> v2.Tool:
    match tool:
        case RetrievalTool():
            return v2.FileSearchTool()
        case FunctionTool(function=function):
            return v2.FunctionTool(
                v2.FunctionDefinition(
                    name=function.name, description=function.description, parameters=function.parameters
                )
            )
        case _:
            return tool


def view_tool(tool: v2.Tool) -> Tool:
    match tool:
        case v2.FileSearchTool():
            return RetrievalTool()
        case v2.FunctionTool(function=function):
            return FunctionTool(
                FunctionDefinition(name=function.name, description=function.description, parameters=function.parameters)
            )
        case _:
            return tool


def canonical_tools(tools: list[Tool] | None) -> list[v2.Tool] | None:
    return None if tools is None else [canonical_tool(tool) for tool in tools]


def view_tools(tools: list[v2.Tool]) -> list[Tool]:
    return [view_tool(tool) for tool in tools]


def canonical_choice(choice: ToolChoice | None) -> v2.ToolChoice | None:
    if not isinstance(choice, NamedToolChoice):
        return choice
    return v2.NamedToolChoice("file_search" if choice.type == "retrieval" else choice.type, choice.function)


def view_choice(choice: v2.ToolChoice) -> ToolChoice:
    if isinstance(choice, v2.NamedToolChoice):
        return NamedToolChoice("retrieval" if choice.type == "file_search" else choice.type, choice.function)
    # v1 has no way to say that some tool must be called.
    return "auto" if choice == "required" else choice


def canonical_format(format: ResponseFormat | None) -> v2.ResponseFormat | None:
    # API: v1 lists `none` beside `auto`, and neither asks for a format.
    return "auto" if format == "none" else format


def view_format(format: v2.ResponseFormat) -> ResponseFormat:
    return JsonObjectFormat() if isinstance(format, v2.JsonSchemaFormat) else format


def canonical_resources(file_ids: list[str] | None, tools: list[Tool] | None) -> ResourcesInput | None:
    """Files of a new assistant: the code interpreter has them, and with the retrieval tool a vector store too."""
    if file_ids is None:
        return None
    has_retrieval = any(isinstance(tool, RetrievalTool) for tool in tools or ())
    store = FileSearchInput(vector_stores=[NewVectorStore(file_ids=file_ids)]) if has_retrieval and file_ids else None
    return ResourcesInput(CodeInterpreterInput(file_ids), store)


def view_resources(resources: v2.ToolResources) -> list[str]:
    """API: v1 shows `file_ids` in the place of tool_resources, and always as a list."""
    return resources.code_interpreter.file_ids if resources.code_interpreter else []
