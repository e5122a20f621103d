"""What v1 clients send, in v2's words."""

import json

import pytest
from msgspec import UNSET

from runstead.http.decoding import decode
from runstead.wire import assistants, messages, runs, threads, tools, v1
from runstead.wire.messages import Attachment, AttachmentTool
from runstead.wire.tool_resources import (
    CodeInterpreterInput,
    FileSearchInput,
    NewVectorStore,
    ResourcesChange,
    ResourcesInput,
)

BOTH = [AttachmentTool("code_interpreter"), AttachmentTool("file_search")]


def canonical(kind, **body):
    return v1.canonical(decode(json.dumps(body).encode(), v1.body_type(kind)))


def test_a_run_as_the_oldest_client_sends_it():
    body = canonical(
        runs.CreateRun,
        assistant_id="asst_1",
        model=None,
        instructions=None,
        additional_instructions=None,
        tools=None,
        metadata=None,
    )

    assert body == runs.CreateRun(assistant_id="asst_1")


def test_a_run_as_the_latest_v1_client_sends_it():
    body = canonical(
        runs.CreateRun,
        assistant_id="asst_1",
        additional_instructions="b",
        additional_messages=[{"role": "user", "content": "hi", "file_ids": ["file-1"]}],
        instructions="a",
        max_completion_tokens=500,
        max_prompt_tokens=600,
        metadata={"k": "v"},
        model="m",
        response_format="auto",
        stream=True,
        temperature=0.5,
        tool_choice={"type": "function", "function": {"name": "f"}},
        tools=[{"type": "retrieval"}, {"type": "code_interpreter"}],
        top_p=0.25,
        truncation_strategy={"type": "last_messages", "last_messages": 3},
    )

    assert body == runs.CreateRun(
        assistant_id="asst_1",
        additional_instructions="b",
        additional_messages=[
            messages.CreateMessage(role="user", content="hi", attachments=[Attachment("file-1", BOTH)])
        ],
        instructions="a",
        max_completion_tokens=500,
        max_prompt_tokens=600,
        metadata={"k": "v"},
        model="m",
        response_format="auto",
        stream=True,
        temperature=0.5,
        tool_choice=tools.NamedToolChoice("function", tools.ChosenFunction("f")),
        tools=[tools.FileSearchTool(), tools.CodeInterpreterTool()],
        top_p=0.25,
        truncation_strategy=runs.TruncationStrategy("last_messages", 3),
    )


def test_a_thread_and_its_run():
    body = canonical(
        runs.CreateThreadAndRun,
        assistant_id="asst_1",
        thread={"messages": [{"role": "assistant", "content": "hi"}], "metadata": {"k": "v"}},
        tool_choice={"type": "retrieval"},
    )

    assert body == runs.CreateThreadAndRun(
        assistant_id="asst_1",
        thread=threads.CreateThread(
            messages=[messages.CreateMessage(role="assistant", content="hi")], metadata={"k": "v"}
        ),
        tool_choice=tools.NamedToolChoice("file_search"),
    )


def test_an_assistant_s_files_go_to_its_resources():
    body = canonical(
        assistants.CreateAssistant,
        model="m",
        file_ids=["file-1", "file-2"],
        tools=[{"type": "function", "function": {"name": "f", "description": None, "parameters": {"type": "object"}}}],
        response_format="none",
    )

    assert body == assistants.CreateAssistant(
        model="m",
        tools=[tools.FunctionTool(tools.FunctionDefinition(name="f", parameters={"type": "object"}))],
        tool_resources=ResourcesInput(CodeInterpreterInput(["file-1", "file-2"])),
        response_format="auto",
    )


def test_with_retrieval_they_go_to_a_store_too():
    body = canonical(assistants.CreateAssistant, model="m", file_ids=["file-1"], tools=[{"type": "retrieval"}])

    store = FileSearchInput(vector_stores=[NewVectorStore(file_ids=["file-1"])])
    assert body.tool_resources == ResourcesInput(CodeInterpreterInput(["file-1"]), store)


def test_without_files_retrieval_needs_no_store():
    body = canonical(assistants.CreateAssistant, model="m", file_ids=[], tools=[{"type": "retrieval"}])

    assert body.tool_resources == ResourcesInput(CodeInterpreterInput([]))


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ({}, {}),
        ({"name": None}, {"name": None}),
        ({"metadata": None}, {"metadata": None}),
        ({"response_format": None}, {"response_format": None}),
        ({"response_format": "none"}, {"response_format": "auto"}),
        # v1's lists have no null, so a null is a list left alone.
        ({"tools": None, "file_ids": None}, {}),
        ({"tools": []}, {"tools": []}),
        ({"file_ids": []}, {"tool_resources": ResourcesChange(CodeInterpreterInput([]))}),
        ({"file_ids": ["file-1"]}, {"tool_resources": ResourcesChange(CodeInterpreterInput(["file-1"]))}),
        ({"tools": [{"type": "retrieval"}]}, {"tools": [tools.FileSearchTool()]}),
    ],
)
def test_a_modification_keeps_null_and_absence_apart(body, changes):
    canonical_body = canonical(assistants.ModifyAssistant, **body)

    assert canonical_body == assistants.ModifyAssistant(**changes)
    assert canonical_body.reasoning_effort is UNSET


def test_a_thread_s_modification():
    assert canonical(threads.ModifyThread, metadata={"k": "v"}) == threads.ModifyThread(metadata={"k": "v"})
    assert canonical(threads.ModifyThread) == threads.ModifyThread()


@pytest.mark.parametrize("kind", [messages.ModifyMessage, runs.ModifyRun, runs.SubmitToolOutputs])
def test_what_both_versions_send_alike_is_read_alike(kind):
    assert v1.body_type(kind) is kind


def test_the_canonical_body_of_v2_is_itself():
    body = runs.CreateRun(assistant_id="asst_1")

    assert v1.canonical(body) is body


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("tool_resources.code_interpreter.file_ids[3]", "file_ids[3]"),
        ("attachments[2].file_id", "file_ids[2]"),
        ("thread.messages[1].attachments[0].file_id", "thread.messages[1].file_ids[0]"),
        ("metadata.k", "metadata.k"),
    ],
)
def test_a_refusal_names_the_parameter_that_v1_has(path, shown):
    assert v1.parameter(path) == shown
