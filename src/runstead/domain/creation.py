"""New objects from what a client sent: defaults filled in, a run resolved against its assistant once and for all."""

from collections.abc import Sequence

from msgspec import UNSET, UnsetType
from msgspec.structs import asdict, replace

from runstead.domain.errors import InvalidRequest
from runstead.domain.records import RunRecord
from runstead.wire.assistants import Assistant, CreateAssistant, ModifyAssistant
from runstead.wire.base import AssistantId, MessageId, RunId, ThreadId
from runstead.wire.messages import (
    ContentPart,
    CreateMessage,
    Message,
    Text,
    TextContent,
    TextInput,
)
from runstead.wire.runs import CreateRun, CreateThreadAndRun, Run, TruncationStrategy
from runstead.wire.threads import CreateThread, ModifyThread, Thread
from runstead.wire.tools import FileSearchTool, FunctionTool, NamedToolChoice, Tool, ToolResources

NOTHING = ToolResources()


def assistant(id: AssistantId, body: CreateAssistant, resources: ToolResources = NOTHING, *, now: int) -> Assistant:
    """A new assistant; `resources` are what the body's come to."""
    given = {name: value for name, value in asdict(body).items() if value is not None}
    return Assistant(id=id, created_at=now, **given | {"tool_resources": resources})


_CLEARED = {
    "tools": [],
    "tool_resources": ToolResources(),
    "metadata": {},
    "temperature": 1.0,
    "top_p": 1.0,
    "response_format": "auto",
}


def modified_assistant(
    was: Assistant, body: ModifyAssistant, resources: ToolResources | None | UnsetType = UNSET
) -> Assistant:
    """The assistant with what was given; null clears, but a model cannot be cleared and stays."""
    changes = {name: value for name, value in asdict(body).items() if value is not UNSET}
    if changes.get("model", "") is None:
        del changes["model"]
    changes.pop("tool_resources", None)
    changes = {name: _CLEARED.get(name) if value is None else value for name, value in changes.items()}
    return replace(was, **changes, tool_resources=_merged(was.tool_resources, resources))


def _merged(was: ToolResources, given: ToolResources | None | UnsetType) -> ToolResources:
    """Each tool named is replaced whole; null or absent stays; null for the whole clears it."""
    if given is None:
        return ToolResources()
    if given is UNSET:
        return was
    return ToolResources(
        code_interpreter=given.code_interpreter or was.code_interpreter,
        file_search=given.file_search or was.file_search,
    )


def thread(id: ThreadId, body: CreateThread, resources: ToolResources = NOTHING, *, now: int) -> Thread:
    """A new thread; its messages are made apart, and what is attached to them is added later."""
    return Thread(id=id, created_at=now, metadata=body.metadata or {}, tool_resources=resources)


def modified_thread(was: Thread, body: ModifyThread, resources: ToolResources | None | UnsetType = UNSET) -> Thread:
    """The thread with what was given."""
    metadata = was.metadata if body.metadata is UNSET else body.metadata or {}
    return replace(was, metadata=metadata, tool_resources=_merged(was.tool_resources, resources))


def message(id: MessageId, thread_id: ThreadId, body: CreateMessage, *, now: int) -> Message:
    """A client's message; the files that it names are there."""
    return Message(
        id=id,
        created_at=now,
        thread_id=thread_id,
        role=body.role,
        content=_content(body),
        attachments=body.attachments or [],
        metadata=body.metadata or {},
        # API: a client's message is complete from the start and has no moment of completion.
        status="completed",
    )


def _content(body: CreateMessage) -> list[ContentPart]:
    if isinstance(body.content, str):
        return [TextContent(Text(body.content))]
    return [TextContent(Text(part.text)) if isinstance(part, TextInput) else part for part in body.content]


def run(
    id: RunId,
    thread_id: ThreadId,
    body: CreateRun | CreateThreadAndRun,
    by: Assistant,
    given: ToolResources | UnsetType = UNSET,
    *,
    now: int,
    expires_after: int,
) -> RunRecord:
    """A queued run: what the run says goes before what the assistant says, and later edits do not reach it.

    `given` are the resources that its own body comes to.
    """
    tools = by.tools if body.tools is None else body.tools
    choice = body.tool_choice or "auto"
    _refuse_unknown_choice(choice, tools)
    strategy = body.truncation_strategy
    if strategy is None or strategy.type == "auto":
        # A number of messages goes with its own type only.
        strategy = TruncationStrategy("auto")
    return RunRecord(
        deadline=now + expires_after,
        reasoning_effort=body.reasoning_effort or by.reasoning_effort,
        run=Run(
            id=id,
            created_at=now,
            thread_id=thread_id,
            assistant_id=by.id,
            status="queued",
            expires_at=now + expires_after,
            model=body.model or by.model,
            instructions=_instructions(body, by),
            tools=tools,
            metadata=body.metadata or {},
            temperature=by.temperature if body.temperature is None else body.temperature,
            top_p=by.top_p if body.top_p is None else body.top_p,
            max_prompt_tokens=body.max_prompt_tokens,
            max_completion_tokens=body.max_completion_tokens,
            truncation_strategy=strategy,
            tool_choice=choice,
            parallel_tool_calls=True if body.parallel_tool_calls is None else body.parallel_tool_calls,
            response_format=body.response_format or by.response_format,
            tool_resources=_merged(by.tool_resources, given),
        ),
    )


def _instructions(body: CreateRun | CreateThreadAndRun, by: Assistant) -> str:
    """API: always a string, empty at least; clients in Rust refuse a null."""
    said = (by.instructions if body.instructions is None else body.instructions) or ""
    more = body.additional_instructions if isinstance(body, CreateRun) else None
    return "\n".join(text for text in (said, more) if text)


def _refuse_unknown_choice(choice: object, tools: Sequence[Tool]) -> None:
    if choice == "required" and not tools:
        raise InvalidRequest(
            "Invalid value for 'tool_choice': 'required' is only allowed when 'tools' are specified.",
            param="tool_choice",
            code="invalid_value",
        )
    if not isinstance(choice, NamedToolChoice):
        return
    if choice.type == "function":
        wanted = choice.function.name if choice.function else ""
        known = any(isinstance(tool, FunctionTool) and tool.function.name == wanted for tool in tools)
    else:
        wanted = choice.type
        known = any(_kind(tool) == wanted for tool in tools)
    if not known:
        raise InvalidRequest(
            f"Invalid value for 'tool_choice': no tool named '{wanted}' was specified in 'tools'.",
            param="tool_choice",
            code="invalid_value",
        )


def _kind(tool: Tool) -> str:
    if isinstance(tool, FunctionTool):
        return "function"
    return "file_search" if isinstance(tool, FileSearchTool) else "code_interpreter"
