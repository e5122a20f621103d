"""What is refused, and how: the class of the exception, the sentence, the parameter, the code."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.acceptance.processes import Server, start_server
from tests.acceptance.refusals import Refusal, bad_request, not_found, refusal
from tests.acceptance.scene import Scene
from tests.acceptance.scripted import ScriptedServer


def test_unknown_ids_are_not_found(scene: Scene) -> None:
    beta, thread = scene.client.beta, scene.thread.id
    run = scene.run()
    outputs: list[Any] = []

    for act, kind, id in (
        (lambda: beta.assistants.retrieve("asst_x"), "assistant", "asst_x"),
        (lambda: beta.assistants.update("asst_x", name="x"), "assistant", "asst_x"),
        (lambda: beta.assistants.delete("asst_x"), "assistant", "asst_x"),
        (lambda: beta.threads.retrieve("thread_x"), "thread", "thread_x"),
        (lambda: beta.threads.update("thread_x", metadata={}), "thread", "thread_x"),
        (lambda: beta.threads.delete("thread_x"), "thread", "thread_x"),
        (lambda: beta.threads.messages.list("thread_x"), "thread", "thread_x"),
        (lambda: beta.threads.messages.create("thread_x", role="user", content="Hi"), "thread", "thread_x"),
        (lambda: beta.threads.messages.retrieve("msg_x", thread_id=thread), "message", "msg_x"),
        (lambda: beta.threads.messages.delete("msg_x", thread_id=thread), "message", "msg_x"),
        (lambda: scene.runs.list("thread_x"), "thread", "thread_x"),
        (lambda: scene.runs.create("thread_x", assistant_id=scene.assistant.id), "thread", "thread_x"),
        (lambda: scene.runs.create(thread, assistant_id="asst_x"), "assistant", "asst_x"),
        (lambda: scene.runs.create(thread, assistant_id="asst_x", stream=True), "assistant", "asst_x"),
        (lambda: beta.threads.create_and_run(assistant_id="asst_x"), "assistant", "asst_x"),
        (lambda: scene.runs.retrieve("run_x", thread_id=thread), "run", "run_x"),
        (lambda: scene.runs.update("run_x", thread_id=thread, metadata={}), "run", "run_x"),
        (lambda: scene.runs.cancel("run_x", thread_id=thread), "run", "run_x"),
        (
            lambda: scene.runs.submit_tool_outputs("run_x", thread_id=thread, tool_outputs=outputs),
            "run",
            "run_x",
        ),
        (lambda: scene.runs.steps.list("run_x", thread_id=thread), "run", "run_x"),
        (lambda: scene.runs.steps.retrieve("step_x", run_id=run.id, thread_id=thread), "run step", "step_x"),
    ):
        assert refusal(act) == not_found(f"No {kind} found with id '{id}'.")


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"colour": "red"}, bad_request("Unknown parameter: 'colour'.", "colour", "unknown_parameter")),
        (
            {"file_ids": ["file-1"]},
            bad_request("Unknown parameter: 'file_ids'.", "file_ids", "unknown_parameter"),
        ),
        (
            {"name": "n" * 300},
            bad_request(
                "Invalid 'name': string too long. "
                "Expected a string with maximum length 256, but got a string with length 300 instead.",
                "name",
                "string_above_max_length",
            ),
        ),
        (
            {"description": "d" * 513},
            bad_request(
                "Invalid 'description': string too long. "
                "Expected a string with maximum length 512, but got a string with length 513 instead.",
                "description",
                "string_above_max_length",
            ),
        ),
        (
            {"name": 5},
            bad_request(
                "Invalid type for 'name': expected a string, but got an integer instead.", "name", "invalid_type"
            ),
        ),
        (
            {"tools": [{"type": "code_interpreter"}] * 129},
            bad_request(
                "Invalid 'tools': array too long. "
                "Expected an array with maximum length 128, but got an array with length 129 instead.",
                "tools",
                "array_above_max_length",
            ),
        ),
        (
            {"metadata": {str(n): "x" for n in range(17)}},
            bad_request(
                "Invalid 'metadata': too many properties. "
                "Expected an object with at most 16 properties, but got an object with 17 properties instead.",
                "metadata",
                "object_above_max_properties",
            ),
        ),
        (
            {"tools": [{"type": "function", "function": {}}]},
            bad_request(
                "Missing required parameter: 'tools[0].function.name'.",
                "tools[0].function.name",
                "missing_required_parameter",
            ),
        ),
    ],
)
def test_a_body_that_breaks_a_rule_is_refused_by_the_rules_name(client: OpenAI, body: Any, refused: Refusal) -> None:
    assert refusal(client.beta.assistants.create, model="m", extra_body=body) == refused


def test_values_out_of_range_name_their_limit(scene: Scene) -> None:
    start = scene.start

    assert refusal(start, max_prompt_tokens=100) == bad_request(
        "Invalid 'max_prompt_tokens': integer below minimum value. Expected a value >= 256, but got 100 instead.",
        "max_prompt_tokens",
        "integer_below_min_value",
    )
    assert refusal(start, temperature=3) == bad_request(
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead.",
        "temperature",
        "decimal_above_max_value",
    )
    assert refusal(scene.client.beta.threads.messages.create, scene.thread.id, role="system", content="Hi") == (
        bad_request("Invalid value: 'system'. Supported values are: 'user' and 'assistant'.", "role", "invalid_value")
    )


def test_a_run_without_an_assistant_is_refused(scene: Scene) -> None:
    missing = bad_request("Missing required parameter: 'assistant_id'.", "assistant_id", "missing_required_parameter")

    assert refusal(scene.runs.create, scene.thread.id, assistant_id=openai.NOT_GIVEN) == missing


def test_a_choice_of_a_tool_that_is_not_there_is_refused(scene: Scene) -> None:
    choice = {"type": "function", "function": {"name": "get_time"}}

    assert refusal(scene.start, tool_choice=choice) == bad_request(
        "Invalid value for 'tool_choice': no tool named 'get_time' was specified in 'tools'.",
        "tool_choice",
        "invalid_value",
    )


def test_files_that_do_not_exist_are_refused(scene: Scene) -> None:
    attachments = [{"file_id": "file-x", "tools": [{"type": "file_search"}]}]

    refused = refusal(
        scene.client.beta.threads.messages.create,
        scene.thread.id,
        role="user",
        content="Read this",
        attachments=attachments,
    )

    assert (refused.kind, refused.param) == (openai.BadRequestError, "attachments[0].file_id")


def test_an_unknown_path_is_told_apart_from_an_unknown_object(client: OpenAI) -> None:
    assert refusal(client.get, "/whatever", cast_to=object) == not_found("Invalid URL (GET /v1/whatever)")


@pytest.fixture(scope="module")
def guarded(scripted: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with keys."""
    data_dir = tmp_path_factory.mktemp("guarded")
    with start_server(data_dir, scripted.url, RUNSTEAD_API_KEYS="sk-first,sk-second") as server:
        yield server


@pytest.mark.parametrize("key", ["sk-first", "sk-second"])
def test_every_key_opens_the_server(guarded: Server, key: str) -> None:
    with OpenAI(base_url=guarded.url, api_key=key) as client:
        assert client.beta.threads.create().object == "thread"


def test_a_wrong_key_is_an_authentication_error(guarded: Server) -> None:
    wrong = "sk-wrong-0123456789-0123456789"
    with OpenAI(base_url=guarded.url, api_key=wrong) as client:
        refused = refusal(client.beta.threads.create)

    assert (refused.kind, refused.code) == (openai.AuthenticationError, "invalid_api_key")
    assert refused.message.startswith("Incorrect API key provided: ")
    assert wrong not in refused.message
