import pytest
from msgspec import UNSET, UnsetType

from runstead.domain import creation
from runstead.domain.errors import InvalidRequest
from runstead.domain.records import RunRecord
from runstead.wire.assistants import CreateAssistant, ModifyAssistant
from runstead.wire.base import MessageId, RunId
from runstead.wire.messages import (
    Attachment,
    AttachmentTool,
    CreateMessage,
    ImageFile,
    ImageFileContent,
    ImageUrl,
    ImageUrlContent,
    Text,
    TextContent,
    TextInput,
)
from runstead.wire.runs import CreateRun, CreateThreadAndRun, TruncationStrategy
from runstead.wire.threads import ModifyThread, Thread
from runstead.wire.tools import (
    ChosenFunction,
    CodeInterpreterResources,
    CodeInterpreterTool,
    FileSearchResources,
    FileSearchTool,
    JsonObjectFormat,
    NamedToolChoice,
    ToolResources,
)
from tests.unit.domain.making import ASSISTANT, NOW, THREAD, assistant, function_tool

NO_FILES = ToolResources(code_interpreter=CodeInterpreterResources([]))
NO_STORES = ToolResources(file_search=FileSearchResources([]))
BOTH = ToolResources(code_interpreter=CodeInterpreterResources([]), file_search=FileSearchResources([]))


def created(body: CreateRun | CreateThreadAndRun, given: ToolResources | UnsetType = UNSET, **fields) -> RunRecord:
    return creation.run(RunId("run_1"), THREAD, body, assistant(**fields), given, now=NOW, expires_after=600)


def with_run(**fields) -> CreateRun:
    return CreateRun(assistant_id=ASSISTANT, **fields)


# What the run says goes before what the assistant says.

OVERRIDES = [
    ("model", "a", "b"),
    ("tools", [function_tool("f")], [function_tool("g")]),
    ("tools", [function_tool("f")], []),
    ("temperature", 0.5, 0.0),
    ("top_p", 0.5, 0.0),
    ("response_format", "auto", JsonObjectFormat()),
    ("response_format", JsonObjectFormat(), "auto"),
    ("instructions", "Be kind.", "Be brief."),
    ("instructions", "Be kind.", ""),
]


@pytest.mark.parametrize(("field", "the_assistants", "the_runs"), OVERRIDES)
def test_a_run_says_before_its_assistant_does(field, the_assistants, the_runs):
    assert getattr(created(with_run(), **{field: the_assistants}).run, field) == the_assistants
    assert getattr(created(with_run(**{field: None}), **{field: the_assistants}).run, field) == the_assistants
    assert getattr(created(with_run(**{field: the_runs}), **{field: the_assistants}).run, field) == the_runs


def test_reasoning_effort_is_kept_beside_the_run():
    assert created(with_run(), reasoning_effort="low").reasoning_effort == "low"
    assert created(with_run(reasoning_effort="high"), reasoning_effort="low").reasoning_effort == "high"


def test_a_new_run_is_queued_with_the_defaults_of_the_api():
    record = created(with_run())
    run = record.run
    assert (run.status, run.created_at, run.expires_at, record.deadline) == ("queued", NOW, NOW + 600, NOW + 600)
    assert (run.truncation_strategy, run.tool_choice, run.parallel_tool_calls) == (
        TruncationStrategy("auto"),
        "auto",
        True,
    )
    assert (run.metadata, run.usage, run.started_at, run.required_action) == ({}, None, None, None)
    assert (record.epoch, record.owner, record.model_calls) == (1, None, 0)
    assert not created(with_run(parallel_tool_calls=False)).run.parallel_tool_calls


@pytest.mark.parametrize(
    ("the_assistants", "the_runs", "more", "all_of_it"),
    [
        (None, None, None, ""),
        ("A", None, None, "A"),
        ("A", None, "M", "A\nM"),
        ("A", "R", "M", "R\nM"),
        ("A", "", "M", "M"),
        (None, None, "M", "M"),
        ("A", "R", "", "R"),
    ],
)
def test_additional_instructions_come_after_the_effective_ones(the_assistants, the_runs, more, all_of_it):
    body = with_run(instructions=the_runs, additional_instructions=more)
    assert created(body, instructions=the_assistants).run.instructions == all_of_it


# Which tool is forced

SEARCH, CODE = FileSearchTool(), CodeInterpreterTool()
FORCED_F = NamedToolChoice("function", ChosenFunction("f"))


@pytest.mark.parametrize(
    ("choice", "tools"),
    [
        ("none", []),
        ("auto", []),
        ("required", [SEARCH]),
        (FORCED_F, [CODE, function_tool("f")]),
        (NamedToolChoice("file_search"), [SEARCH]),
        (NamedToolChoice("code_interpreter"), [SEARCH, CODE]),
    ],
)
def test_a_tool_that_is_there_may_be_chosen(choice, tools):
    assert created(with_run(tool_choice=choice), tools=tools).run.tool_choice == choice
    assert created(with_run(tool_choice=choice, tools=tools)).run.tool_choice == choice


@pytest.mark.parametrize(
    ("choice", "tools"),
    [
        ("required", []),
        (FORCED_F, []),
        (FORCED_F, [function_tool("g"), CODE, SEARCH]),
        (NamedToolChoice("file_search"), [CODE, function_tool("file_search")]),
        (NamedToolChoice("code_interpreter"), [SEARCH]),
    ],
)
def test_a_tool_that_is_not_there_may_not(choice, tools):
    with pytest.raises(InvalidRequest) as refusal:
        created(with_run(tool_choice=choice, tools=tools), tools=[function_tool("f"), CODE, SEARCH])
    assert (refusal.value.param, refusal.value.code) == ("tool_choice", "invalid_value")


# Resources


@pytest.mark.parametrize("given", [UNSET, ToolResources()])
def test_a_run_made_with_its_thread_keeps_what_it_does_not_replace(given):
    assert created(CreateThreadAndRun(assistant_id=ASSISTANT), given, tool_resources=BOTH).run.tool_resources == BOTH


def test_a_run_made_with_its_thread_replaces_each_tool_it_names():
    run = created(CreateThreadAndRun(assistant_id=ASSISTANT), NO_FILES, tool_resources=NO_STORES).run
    assert run.tool_resources == BOTH


@pytest.mark.parametrize(
    ("was", "given", "is_now"),
    [
        (BOTH, UNSET, BOTH),
        (BOTH, None, ToolResources()),
        (NO_STORES, NO_FILES, BOTH),
        (BOTH, ToolResources(), BOTH),
        (ToolResources(), NO_FILES, NO_FILES),
    ],
)
def test_resources_are_merged_tool_by_tool(was, given, is_now):
    asked = creation.modified_assistant(assistant(tool_resources=was), ModifyAssistant(), given)
    thread = creation.modified_thread(Thread(id=THREAD, created_at=NOW, tool_resources=was), ModifyThread(), given)
    assert asked.tool_resources == thread.tool_resources == is_now


# Assistants and threads


def test_an_assistant_is_what_was_given_and_defaults():
    made = creation.assistant(ASSISTANT, CreateAssistant(model="m", name="n", temperature=0.0), now=NOW)
    assert made == assistant(name="n", temperature=0.0)


def test_modifying_nothing_changes_nothing():
    was = assistant(name="n", description="d", instructions="i", tools=[CODE], metadata={"a": "b"}, temperature=0.3)
    assert creation.modified_assistant(was, ModifyAssistant()) == was
    thread = Thread(id=THREAD, created_at=NOW, metadata={"a": "b"}, tool_resources=BOTH)
    assert creation.modified_thread(thread, ModifyThread()) == thread


@pytest.mark.parametrize(
    ("field", "cleared"),
    [
        ("name", None),
        ("description", None),
        ("instructions", None),
        ("tools", []),
        ("metadata", {}),
        ("temperature", 1.0),
        ("top_p", 1.0),
        ("response_format", "auto"),
        ("reasoning_effort", None),
    ],
)
def test_null_clears_a_field(field, cleared):
    full = assistant(
        name="n",
        description="d",
        instructions="i",
        tools=[CODE],
        metadata={"a": "b"},
        temperature=0.3,
        top_p=0.3,
        response_format=JsonObjectFormat(),
        reasoning_effort="low",
    )
    assert getattr(creation.modified_assistant(full, ModifyAssistant(**{field: None})), field) == cleared


def test_a_model_cannot_be_cleared():
    assert creation.modified_assistant(assistant(), ModifyAssistant(model=None)).model == "m"
    assert creation.modified_assistant(assistant(), ModifyAssistant(model="n")).model == "n"


def test_null_clears_a_threads_metadata():
    was = Thread(id=THREAD, created_at=NOW, metadata={"a": "b"})
    assert creation.modified_thread(was, ModifyThread(metadata=None)).metadata == {}


# Messages


def made(**fields):
    return creation.message(MessageId("msg_1"), THREAD, CreateMessage(role="user", **fields), now=NOW)


def test_a_clients_message_is_complete_and_its_text_an_object():
    message = made(content="Hi")
    assert message.content == [TextContent(Text("Hi"))]
    assert (message.status, message.completed_at, message.run_id, message.assistant_id) == (
        "completed",
        None,
        None,
        None,
    )


def test_parts_keep_their_order():
    image = ImageUrlContent(ImageUrl("https://example.com/a.png", "low"))
    message = made(content=[TextInput("a"), image, TextInput("b")], metadata={"k": "v"})
    assert message.content == [TextContent(Text("a")), image, TextContent(Text("b"))]
    assert message.metadata == {"k": "v"}


def test_what_a_message_brings_is_kept():
    image = ImageFileContent(ImageFile("file-1"))
    attachment = Attachment("file-2", [AttachmentTool("file_search")])
    message = made(content=[TextInput("a"), image], attachments=[attachment])
    assert message.content == [TextContent(Text("a")), image]
    assert message.attachments == [attachment]
