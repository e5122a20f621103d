"""The conformance suite passes our server, and finds every fault that is put between the two."""

import json
import socket
import subprocess
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.acceptance.processes import PATIENCE, Server, environment, program, start_server
from tests.acceptance.scripted import Json, Model, ScriptedServer
from tests.acceptance.wire.broken import Fault, Reply, WrongEvents, WrongReply, broken, in_objects, on, without
from tests.acceptance.wire.examining import CHECKS, assert_is_found, failures, results

RUNS_CODE = {"code interpreter", "code in streams"}
"""Areas that the shared server says it has no place for; they have tests of their own."""


async def test_our_server_passes_every_check(server: Server, scripted: ScriptedServer, model: Model) -> None:
    found = await results(server.url, model=model.name, script_url=scripted.url)

    assert failures(found) == {}
    assert {result.name for result in found} == set(CHECKS)
    assert {result.area for result in found if result.outcome == "skipped"} == RUNS_CODE


async def test_what_needs_a_sandbox_is_skipped_in_the_words_of_a_server_without(
    server: Server, scripted: ScriptedServer, model: Model
) -> None:
    found = await results(server.url, *RUNS_CODE, model=model.name, script_url=scripted.url)

    assert {result.outcome for result in found} == {"skipped"}
    assert all("no working sandbox (off: RUNSTEAD_SANDBOX is off)" in str(result.reason) for result in found)


async def test_without_a_script_any_model_will_do(server: Server, model: Model) -> None:
    found = await results(server.url, model=model.name)

    by_need = {
        need: {r.outcome for r in found if CHECKS[r.name].needs == need} for need in ("nothing", "model", "script")
    }
    assert by_need == {"nothing": {"passed"}, "model": {"passed"}, "script": {"skipped"}}


async def test_without_a_model_no_run_is_started(server: Server) -> None:
    found = await results(server.url)

    skipped = [result for result in found if result.outcome == "skipped"]
    assert failures(found) == {}
    assert {CHECKS[result.name].needs for result in skipped} == {"model", "script"}
    assert all("--with-model" in str(result.reason) for result in skipped)


def conflict(reply: Reply) -> None:
    reply.status = 409


def is_lock(reply: Reply) -> bool:
    return reply.status == 400 and "active" in str(reply.body)


def framework_error(reply: Reply) -> None:
    reply.status, reply.body = 422, {"detail": [{"loc": ["body"], "msg": "field required"}]}


def one_page(reply: Reply) -> None:
    reply.body["has_more"] = False


def turned_round(reply: Reply) -> None:
    reply.body["data"].reverse()


def is_list(reply: Reply) -> bool:
    return reply.status == 200 and "first_id" in reply.body


def said_twice(name: str, data: str) -> list[tuple[str, str]]:
    return [(name, data)] * (2 if name == "thread.message.delta" else 1)


def step_before_run(name: str, data: str) -> list[tuple[str, str]]:
    return [(name.replace("thread.run.completed", "thread.run.done"), data)]


def arguments_as_object(shown: Json) -> None:
    for call in (shown["required_action"] or {}).get("submit_tool_outputs", {}).get("tool_calls", []):
        call["function"]["arguments"] = json.loads(call["function"]["arguments"])


def outputs_forgotten(shown: Json) -> None:
    for call in shown["step_details"].get("tool_calls", []):
        call["function"]["output"] = None


def search_unmapped(shown: Json) -> None:
    for tool in shown["tools"]:
        tool["type"] = tool["type"].replace("retrieval", "file_search")


def no_request_id(reply: Reply) -> None:
    reply.headers = {name: value for name, value in reply.headers.items() if name.lower() != "x-request-id"}


def marks_elsewhere(shown: Json) -> None:
    for part in shown["content"]:
        for annotation in part.get("text", {}).get("annotations", []):
            annotation["start_index"] += 1


def file_is_deleted_as_file(reply: Reply) -> None:
    reply.body["object"] = "file.deleted"


def is_deleted_file(reply: Reply) -> bool:
    return reply.method == "DELETE" and reply.path.startswith("/v1/files/")


def only_one_query(shown: Json) -> None:
    shown["search_query"] = shown["search_query"][0]


def none_counted(batch: Json) -> None:
    batch["file_counts"].update(completed=0, cancelled=0)


FAULTS: list[tuple[Fault, str, str]] = [
    (in_objects("thread.run", lambda run: run.update(instructions=None)), "runs.instructions_are_never_null", "null"),
    (in_objects("thread.run", lambda run: run.pop("usage")), "runs.completes", "absent"),
    (in_objects("thread.run", lambda run: run.update(expires_at=None)), "runs.begins_queued", "no deadline"),
    (in_objects("thread.run", lambda run: run.update(status="running")), "runs.begins_queued", "unknown status"),
    (in_objects("assistant", lambda shown: shown.update(created_at=1.5)), "assistants.is_created_and_read", "float"),
    (in_objects("assistant", lambda shown: shown.pop("file_ids", 0)), "assistants.file_ids_are_empty", "no file_ids"),
    (in_objects("assistant", lambda shown: shown.update(id="a_1")), "assistants.is_created_and_read", "prefix"),
    (in_objects("thread", lambda shown: shown.update(metadata={"a": 1})), "threads.metadata_is_replaced", "number"),
    (in_objects("thread.message", lambda m: m.update(content="Hi")), "messages.text_is_a_block", "plain text"),
    (in_objects("thread.run", arguments_as_object), "tools.calls_are_shown", "arguments parsed"),
    (in_objects("thread.run.step", outputs_forgotten), "steps.outputs_are_kept", "outputs forgotten"),
    (in_objects("assistant", search_unmapped, wire="v1"), "both wires.search_is_retrieval", "unmapped"),
    (on(is_lock, conflict), "runs.locks_messages_out", "409"),
    (on(lambda reply: reply.status == 400, framework_error), "errors.missing_parameter", "422"),
    (on(lambda reply: reply.status == 404, lambda r: setattr(r, "body", None)), "errors.no_such_thread", "no body"),
    (on(is_list, one_page), "assistants.are_paged", "has_more"),
    (on(is_list, turned_round), "messages.newest_is_first", "order"),
    (WrongReply(no_request_id), "errors.requests_have_ids", "request id"),
    (in_objects("file", lambda shown: shown.update(status="done")), "files.is_uploaded", "unknown status"),
    (on(is_deleted_file, file_is_deleted_as_file), "files.is_deleted", "marker"),
    (in_objects("vector_store", lambda store: store["file_counts"].pop("total")), "stores.file_is_read", "no total"),
    (in_objects("vector_store.file", lambda f: f.update(id="vsf_1")), "stores.file_is_read", "an id of its own"),
    (on(is_list, turned_round), "stores.are_listed", "order"),
    (in_objects("vector_store.file", lambda f: f.update(attributes={})), "stores.attributes_are_replaced", "forgotten"),
    (in_objects("vector_store.files_batch", none_counted), "stores.batch_is_cancelled", "files lost"),
    (in_objects("vector_store.search_results.page", only_one_query), "stores.search_finds", "query as text"),
    (in_objects("thread.message", marks_elsewhere), "stores.run_searches", "marks elsewhere"),
    (WrongEvents(said_twice), "streaming.deltas_add_up", "delta twice"),
    (WrongEvents(step_before_run), "streaming.order_of_an_answer", "unknown event"),
    (without("done"), "streaming.order_of_an_answer", "no [DONE]"),
    (without("thread.message.created"), "streaming.order_of_an_answer", "no created"),
    (without("thread.run.step.failed"), "streaming.failure_closes_what_is_open", "the step stays open"),
    (without("thread.run.requires_action"), "streaming.two_streams_of_a_function_call", "no requires_action"),
]


@pytest.mark.parametrize(("fault", "name"), [fault[:2] for fault in FAULTS], ids=[f"{f[1]}-{f[2]}" for f in FAULTS])
async def test_a_fault_is_found(
    server: Server, scripted: ScriptedServer, model: Model, fault: Fault, name: str
) -> None:
    await assert_is_found(server, fault, name, model=model.name, script_url=scripted.url)


async def test_a_server_that_is_only_passed_on_has_no_fault(
    server: Server, scripted: ScriptedServer, model: Model
) -> None:
    async with broken(server.url, Fault()) as url:
        found = await results(url, model=model.name, script_url=scripted.url)

    assert failures(found) == {}


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        number: int = taken.getsockname()[1]
        return number


def conformance(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [program("RUNSTEAD_BIN"), "conformance", *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
        check=False,
    )


def test_the_command_brings_its_own_model_and_tells_what_it_found(data_dir, tmp_path) -> None:
    port = free_port()
    report, badge = tmp_path / "report.json", tmp_path / "badge.svg"
    with start_server(data_dir, f"http://127.0.0.1:{port}/v1") as server:
        options = ["--with-model", "--model-port", str(port), "--area", "runs", "--area", "both wires"]
        done = conformance(server.url, *options, "--json", str(report), "--badge", str(badge))

    assert done.returncode == 0, done.stdout + done.stderr
    first, *_, last = done.stdout.splitlines()
    found: Any = json.loads(report.read_text())
    passed = found["total"]["passed"]
    assert f"http://127.0.0.1:{port}/v1" in first
    assert last == f"{passed} passed, 0 failed, 0 skipped"
    assert {result["area"] for result in found["results"]} == {"runs", "both wires"}
    assert found["covered"]["endpoints"] > 10
    assert f"{passed}/{passed} checks" in "".join(ElementTree.parse(badge).getroot().itertext())


def test_a_server_that_asks_another_model_is_told_so(server: Server) -> None:
    done = conformance(server.url, "--with-model", "--area", "runs")

    assert done.returncode == 1
    assert "did not ask the scripted model" in done.stderr


def test_the_command_says_that_nothing_answers() -> None:
    done = conformance(f"http://127.0.0.1:{free_port()}/v1")

    assert done.returncode == 1
    assert "Nothing answers at" in done.stderr
    assert "Traceback" not in done.stderr
