"""The checks of code pass our server, which runs it in the real sandbox, and find every fault that is put between."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.acceptance.processes import Server, start_server
from tests.acceptance.scripted import Json, Model, ScriptedServer
from tests.acceptance.wire.broken import Fault, Misread, Reply, WrongEvents, broken, in_objects, on
from tests.acceptance.wire.examining import CHECKS, assert_is_found, failures, results

AREAS = ("code interpreter", "code in streams")


@pytest.fixture(scope="module")
def server(scripted: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that may run code."""
    settings = {"RUNSTEAD_SANDBOX": "bubblewrap", "RUNSTEAD_SANDBOX_WARM": "0"}
    with start_server(tmp_path_factory.mktemp("coding"), scripted.url, **settings) as running:
        yield running
        assert running.stop() == 0
        assert running.complaints == []


def made_by(step: Json) -> list[Json]:
    """What the code of a step was and came to."""
    calls: list[Json] = step["step_details"].get("tool_calls", [])
    return [call["code_interpreter"] for call in calls if call["type"] == "code_interpreter"]


def outputs(change: Callable[[list[Json]], object]) -> Fault:
    """The outputs of code are changed wherever a step shows them."""
    return in_objects("thread.run.step", lambda step: [change(made["outputs"]) for made in made_by(step)])


def logged(old: str, new: str) -> Fault:
    """Logs say something else."""
    return outputs(lambda found: [each.update(logs=each["logs"].replace(old, new)) for each in found if "logs" in each])


def on_runs(change: Callable[[Json], object]) -> Fault:
    return in_objects("thread.run", change)


def on_parts(kind: str, change: Callable[[list[Json], Json], object], *, wire: str | None = None) -> Fault:
    """The parts of one kind of every message are changed, in the content that has them."""

    def fault(message: Json) -> None:
        content = message["content"]
        for part in [each for each in content if each["type"] == kind]:
            change(content, part)

    return in_objects("thread.message", fault, wire=wire)


def on_marks(change: Callable[[Json], object]) -> Fault:
    return on_parts("text", lambda _, part: [change(mark) for mark in part["text"]["annotations"]])


def asks_for_code(run: Json) -> None:
    if run["required_action"]:
        asked = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        asked.append({**asked[0], "function": {"name": "code_interpreter", "arguments": "{}"}})


def is_contents(reply: Reply) -> bool:
    return reply.path.endswith("/content")


def gone(reply: Reply) -> None:
    reply.status = 404


def in_data(name: str, change: Callable[[Any], object]) -> Fault:
    """The data of an event is changed."""

    def fault(event: str, data: str) -> list[tuple[str, str]]:
        if event != name:
            return [(event, data)]
        found = json.loads(data)
        change(found)
        return [(event, json.dumps(found))]

    return WrongEvents(fault)


def pieces(change: Callable[[Json], object]) -> Fault:
    """The pieces of code that are streamed are changed."""
    return in_data(
        "thread.run.step.delta",
        lambda found: [change(call) for call in found["delta"]["step_details"]["tool_calls"]],
    )


def streamed_parts(change: Callable[[Json], object]) -> Fault:
    """The parts of messages that are streamed are changed."""
    return in_data("thread.message.delta", lambda found: [change(part) for part in found["delta"]["content"]])


def marks_twice(part: Json) -> None:
    part.get("text", {}).update(annotations=part.get("text", {}).get("annotations", []) * 2)


def answer_first(name: str, data: str) -> list[tuple[str, str]]:
    """The step of code is told as completed only when the run is."""
    if name == "thread.run.step.completed" and "code_interpreter" in data:
        return []
    return [(name, data)]


FAULTS: list[tuple[Fault, str, str]] = [
    (outputs(list.clear), "code interpreter.is_a_step", "no outputs"),
    (in_objects("thread.run.step", lambda s: s.update(type="message_creation")), "code interpreter.is_a_step", "type"),
    (outputs(lambda found: [each.pop("logs", 0) for each in found]), "code interpreter.is_a_step", "logs without logs"),
    (logged("42", "None"), "code interpreter.last_value_is_shown", "another value"),
    (logged("ZeroDivisionError", "Error"), "code interpreter.errors_are_logs", "an unknown error"),
    (on_runs(lambda run: run.update(status="failed")), "code interpreter.errors_are_logs", "errors fail the run"),
    (logged("42", "NameError"), "code interpreter.variables_stay", "a new session for every call"),
    (logged("False", "True"), "code interpreter.threads_are_apart", "one session for all"),
    (Misread("file_ids"), "code interpreter.reads_files_of_the_assistant", "overlooked"),
    (Misread("attachments"), "code interpreter.reads_files_of_a_message", "overlooked"),
    (on_parts("image_file", list.remove), "code interpreter.plots_are_images", "not in the message"),
    (outputs(lambda found: found.clear()), "code interpreter.plots_are_images", "not in the step"),
    (on(is_contents, gone), "code interpreter.plots_are_images", "no download"),
    (in_objects("file", lambda f: f.update(purpose="assistants")), "code interpreter.plots_are_images", "purpose"),
    (on_marks(lambda mark: mark.update(start_index=0)), "code interpreter.files_come_out", "the mark elsewhere"),
    (on_marks(lambda mark: mark.update(type="file_citation")), "code interpreter.files_come_out", "another kind"),
    (on(is_contents, lambda reply: setattr(reply, "body", b"")), "code interpreter.files_come_out", "empty"),
    (in_objects("thread.message", lambda m: m.update(file_ids=[]), wire="v1"), "code interpreter.files_come_out", "v1"),
    (in_objects("thread.message", lambda m: m.update(attachments=[])), "code interpreter.files_come_out", "v2"),
    (on_runs(asks_for_code), "code interpreter.functions_and_code_together", "asks for code"),
    (logged("1", ""), "code interpreter.functions_and_code_together", "code was not run"),
    (
        in_objects("thread.run.step", lambda step: step.update(status="in_progress")),
        "code interpreter.running_code_is_cancelled",
        "an open step",
    ),
    (on_runs(lambda run: run.update(tool_choice="auto")), "code interpreter.can_be_asked_for", "auto"),
    (
        in_objects("thread.run.step", lambda s: [made.update(input="") for made in made_by(s)], wire="v1"),
        "code interpreter.wires_agree",
        "v1 has no code",
    ),
    (WrongEvents(answer_first), "code in streams.order_of_events", "an open step"),
    (pieces(lambda call: call.update(id="call_1")), "code in streams.pieces_add_up", "the id again and again"),
    (
        pieces(lambda call: call["code_interpreter"].update(input=call["code_interpreter"].get("input", "")[1:])),
        "code in streams.pieces_add_up",
        "pieces cut",
    ),
    (pieces(lambda call: call["code_interpreter"].pop("outputs", 0)), "code in streams.pieces_add_up", "no outputs"),
    (
        pieces(lambda c: [each.pop("index") for each in c["code_interpreter"].get("outputs", [])]),
        "code in streams.pieces_add_up",
        "outputs without index",
    ),
    (streamed_parts(lambda part: part.update(index=0)), "code in streams.pictures_come_in_deltas", "one index for all"),
    (streamed_parts(marks_twice), "code in streams.annotations_come_once", "twice"),
    (
        streamed_parts(lambda part: part.get("text", {}).pop("annotations", 0)),
        "code in streams.annotations_come_once",
        "never",
    ),
]


def test_every_check_of_code_has_a_fault() -> None:
    assert {name for _, name, _ in FAULTS} == {name for name, check in CHECKS.items() if check.area in AREAS}


@pytest.mark.parametrize(("fault", "name"), [fault[:2] for fault in FAULTS], ids=[f"{f[1]}-{f[2]}" for f in FAULTS])
async def test_a_fault_is_found(
    server: Server, scripted: ScriptedServer, model: Model, fault: Fault, name: str
) -> None:
    await assert_is_found(server, fault, name, model=model.name, script_url=scripted.url)


async def test_code_passes_and_so_does_a_server_that_is_only_passed_on(
    server: Server, scripted: ScriptedServer, model: Model
) -> None:
    async with broken(server.url, Fault()) as url:
        found = await results(url, *AREAS, model=model.name, script_url=scripted.url)

    assert failures(found) == {}
    assert {result.outcome for result in found} == {"passed"}
    assert {result.name for result in found} == {name for name, check in CHECKS.items() if check.area in AREAS}
