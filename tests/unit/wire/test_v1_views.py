"""What v1 clients are shown, row by row: their enums are closed, and some of their fields may not be null."""

import msgspec
import pytest

from runstead.wire import v1
from runstead.wire.assistants import Assistant
from runstead.wire.base import AssistantId, Deleted, ListPage, ThreadId
from runstead.wire.messages import (
    Attachment,
    FileCitation,
    FileCitationAnnotation,
    ImageFile,
    ImageFileContent,
    ImageUrl,
    ImageUrlContent,
    Message,
    RefusalContent,
    Text,
    TextContent,
)
from runstead.wire.models import Model
from runstead.wire.run_steps import (
    CodeInterpreter,
    CodeInterpreterToolCall,
    FileSearch,
    FileSearchResult,
    FileSearchToolCall,
    RunStep,
    ToolCalls,
)
from runstead.wire.runs import LastError, Run, RunIncompleteDetails
from runstead.wire.threads import Thread
from runstead.wire.tools import (
    ChosenFunction,
    CodeInterpreterResources,
    CodeInterpreterTool,
    FileSearchOptions,
    FileSearchTool,
    FunctionDefinition,
    FunctionTool,
    JsonObjectFormat,
    JsonSchema,
    JsonSchemaFormat,
    NamedToolChoice,
    TextFormat,
    ToolResources,
)

RUN = msgspec.convert(
    {
        "id": "run_1",
        "created_at": 1700000000,
        "thread_id": "thread_1",
        "assistant_id": "asst_1",
        "status": "queued",
        "model": "m",
        "instructions": "",
    },
    Run,
)
MESSAGE = msgspec.convert(
    {"id": "msg_1", "created_at": 1700000000, "thread_id": "thread_1", "role": "user", "content": []}, Message
)
STEP = msgspec.convert(
    {
        "id": "step_1",
        "created_at": 1700000000,
        "assistant_id": "asst_1",
        "thread_id": "thread_1",
        "run_id": "run_1",
        "type": "tool_calls",
        "status": "in_progress",
        "step_details": {"type": "tool_calls", "tool_calls": []},
    },
    RunStep,
)
FILES = ToolResources(CodeInterpreterResources(["file-1"]))

# The fields of the first clients' run object; a run without one of the second set fails to parse there.
SEED_FIELDS = {
    "id",
    "object",
    "created_at",
    "thread_id",
    "assistant_id",
    "status",
    "required_action",
    "last_error",
    "expires_at",
    "started_at",
    "cancelled_at",
    "failed_at",
    "completed_at",
    "model",
    "instructions",
    "tools",
    "file_ids",
    "metadata",
}
NEVER_NULL = {"id", "object", "created_at", "thread_id", "status", "model", "instructions", "tools", "file_ids"}


def shown(answer):
    return msgspec.to_builtins(v1.view(answer))


def changed(struct, **fields):
    return shown(msgspec.structs.replace(struct, **fields))


def test_a_run_has_every_field_of_the_first_clients():
    run = shown(RUN)

    assert len(SEED_FIELDS) == 18
    assert set(run) >= SEED_FIELDS
    assert all(run[field] is not None for field in NEVER_NULL)
    assert run["instructions"] == ""
    assert run["file_ids"] == []
    assert run["metadata"] == {}
    assert "tool_resources" not in run


def test_a_run_has_the_later_fields_as_well():
    run = shown(RUN)

    assert run["usage"] is None
    assert run["parallel_tool_calls"] is True
    assert run["truncation_strategy"] == {"type": "auto", "last_messages": None}


def test_the_files_of_a_run_are_a_list():
    assert changed(RUN, tool_resources=FILES)["file_ids"] == ["file-1"]


@pytest.mark.parametrize(
    "status",
    ["queued", "in_progress", "requires_action", "cancelling", "cancelled", "failed", "completed", "expired"],
)
def test_a_status_that_v1_knows_is_shown(status):
    assert changed(RUN, status=status)["status"] == status


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("max_completion_tokens", "The run is incomplete: it reached max_completion_tokens (300)."),
        ("max_prompt_tokens", "The run is incomplete: it reached max_prompt_tokens (400)."),
        ("content_filter", "The run is incomplete: its answer was cut short (content_filter)."),
    ],
)
def test_an_incomplete_run_is_a_failed_one_that_names_its_limit(reason, words):
    run = changed(
        RUN,
        status="incomplete",
        completed_at=1700000009,
        incomplete_details=RunIncompleteDetails(reason),
        max_completion_tokens=300,
        max_prompt_tokens=400,
    )

    assert run["status"] == "failed"
    assert run["failed_at"] == 1700000009
    assert run["completed_at"] is None
    assert run["last_error"] == {"code": "server_error", "message": words}
    assert run["incomplete_details"] == {"reason": reason}


@pytest.mark.parametrize(
    ("code", "known"),
    [
        ("server_error", "server_error"),
        ("rate_limit_exceeded", "rate_limit_exceeded"),
        ("invalid_prompt", "server_error"),
    ],
)
def test_an_error_code_is_one_that_v1_knows(code, known):
    error = {"code": known, "message": "words"}

    assert changed(RUN, status="failed", last_error=LastError(code, "words"))["last_error"] == error
    assert changed(STEP, status="failed", last_error=LastError(code, "words"))["last_error"] == error


@pytest.mark.parametrize(
    ("tool", "known"),
    [
        (CodeInterpreterTool(), {"type": "code_interpreter"}),
        (FileSearchTool(), {"type": "retrieval"}),
        (FileSearchTool(FileSearchOptions(max_num_results=3)), {"type": "retrieval"}),
        (
            FunctionTool(FunctionDefinition(name="f", parameters={"type": "object"}, strict=True)),
            {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
        ),
    ],
)
def test_a_tool_is_one_that_v1_knows(tool, known):
    assert changed(RUN, tools=[tool])["tools"] == [known]
    assert changed(ASSISTANT, tools=[tool])["tools"] == [known]


@pytest.mark.parametrize(
    ("choice", "known"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "auto"),
        (NamedToolChoice("file_search"), {"type": "retrieval"}),
        (NamedToolChoice("code_interpreter"), {"type": "code_interpreter"}),
        (NamedToolChoice("function", ChosenFunction("f")), {"type": "function", "function": {"name": "f"}}),
    ],
)
def test_a_tool_choice_is_one_that_v1_knows(choice, known):
    assert changed(RUN, tool_choice=choice)["tool_choice"] == known


@pytest.mark.parametrize(
    ("format", "known"),
    [
        ("auto", "auto"),
        (TextFormat(), {"type": "text"}),
        (JsonObjectFormat(), {"type": "json_object"}),
        (JsonSchemaFormat(JsonSchema(name="s", schema={})), {"type": "json_object"}),
    ],
)
def test_a_response_format_is_one_that_v1_knows(format, known):
    assert changed(RUN, response_format=format)["response_format"] == known
    assert changed(ASSISTANT, response_format=format)["response_format"] == known


ASSISTANT = Assistant(id=AssistantId("asst_1"), created_at=1700000000, model="m", tool_resources=FILES)


def test_an_assistant_shows_files_in_place_of_resources():
    assert shown(ASSISTANT) == {
        "id": "asst_1",
        "object": "assistant",
        "created_at": 1700000000,
        "name": None,
        "description": None,
        "model": "m",
        "instructions": None,
        "tools": [],
        "file_ids": ["file-1"],
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "response_format": "auto",
    }
    assert changed(ASSISTANT, tool_resources=ToolResources())["file_ids"] == []


def test_a_thread_shows_no_resources():
    thread = Thread(id=ThreadId("thread_1"), created_at=1700000000, metadata={"k": "v"}, tool_resources=FILES)

    assert shown(thread) == {
        "id": "thread_1",
        "object": "thread",
        "created_at": 1700000000,
        "metadata": {"k": "v"},
    }


def text(words):
    return {"type": "text", "text": {"value": words, "annotations": []}}


PICTURE = ImageUrlContent(ImageUrl("https://example.com/a.png"))
DRAWING = ImageFileContent(ImageFile("file-1"))


@pytest.mark.parametrize(
    ("content", "known"),
    [
        ([], []),
        ([TextContent(Text("hi"))], [text("hi")]),
        ([RefusalContent("I won't")], [text("I won't")]),
        ([PICTURE], [text("")]),
        ([PICTURE, PICTURE], [text("")]),
        ([TextContent(Text("see")), PICTURE], [text("see")]),
        ([DRAWING, PICTURE], [{"type": "image_file", "image_file": {"file_id": "file-1", "detail": "auto"}}]),
    ],
)
def test_content_is_of_the_two_kinds_that_v1_knows(content, known):
    assert changed(MESSAGE, content=content)["content"] == known


def test_a_citation_always_has_a_quote():
    cited = FileCitationAnnotation(
        text="【0†source】", start_index=0, end_index=10, file_citation=FileCitation("file-1")
    )

    message = changed(MESSAGE, content=[TextContent(Text("【0†source】", [cited]))])

    assert message["content"][0]["text"]["annotations"][0] == {
        "type": "file_citation",
        "text": "【0†source】",
        "start_index": 0,
        "end_index": 10,
        "file_citation": {"file_id": "file-1", "quote": ""},
    }


def test_a_message_shows_files_in_place_of_attachments():
    message = changed(MESSAGE, attachments=[Attachment("file-1"), Attachment("file-2"), Attachment("file-1")])

    assert message["file_ids"] == ["file-1", "file-2"]
    assert "attachments" not in message
    assert shown(MESSAGE)["file_ids"] == []


def test_a_file_search_is_a_retrieval_and_shows_no_results():
    hit = FileSearchResult(file_id="file-1", file_name="a.txt", score=0.5)
    code = CodeInterpreterToolCall(id="call_2", code_interpreter=CodeInterpreter("1"))
    step = changed(
        STEP,
        step_details=ToolCalls([FileSearchToolCall(id="call_1", file_search=FileSearch(results=[hit])), code]),
    )

    assert step["step_details"] == {
        "type": "tool_calls",
        "tool_calls": [
            {"type": "retrieval", "id": "call_1", "retrieval": {}},
            {"type": "code_interpreter", "id": "call_2", "code_interpreter": {"input": "1", "outputs": []}},
        ],
    }


def test_a_page_keeps_its_envelope():
    page = ListPage(data=[RUN, RUN], first_id="run_1", last_id="run_1", has_more=True)

    assert shown(page) == {
        "object": "list",
        "data": [shown(RUN), shown(RUN)],
        "first_id": "run_1",
        "last_id": "run_1",
        "has_more": True,
    }


@pytest.mark.parametrize(
    "answer", [Deleted(id="thread_1", object="thread.deleted"), Model(id="m", created=1700000000, owned_by="us")]
)
def test_what_both_versions_show_alike_is_shown_as_it_is(answer):
    assert v1.view(answer) is answer
