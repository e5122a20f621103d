"""Refusals: their status, their body, and the words that programs look for."""

from runstead.conformance.check import Area
from runstead.conformance.client import Unmet
from runstead.conformance.world import World, expect

errors = Area("errors")


@errors.proves("An unknown assistant is a 404 in the API's words.")
async def no_such_assistant(world: World) -> None:
    error = await world.api.refused(404, "GET", "/assistants/asst_none")

    expect(error["message"], "No assistant found with id 'asst_none'.", "the message")
    expect(error["type"], "invalid_request_error", "the type")


@errors.proves("An unknown thread is a 404 in the API's words.")
async def no_such_thread(world: World) -> None:
    error = await world.api.refused(404, "GET", "/threads/thread_none")

    expect(error["message"], "No thread found with id 'thread_none'.", "the message")


@errors.proves("Unknown messages, runs and steps are 404 too.")
async def nothing_else_either(world: World) -> None:
    thread = await world.thread("Hello")
    path = f"/threads/{thread['id']}"

    for missing in ("messages/msg_none", "runs/run_none", "runs/run_none/steps", "runs/run_none/steps/step_none"):
        await world.api.refused(404, "GET", f"{path}/{missing}")
    await world.api.refused(404, "POST", f"{path}/runs/run_none/cancel")
    outputs = {"tool_outputs": [{"tool_call_id": "call_x", "output": "x"}]}
    await world.api.refused(404, "POST", f"{path}/runs/run_none/submit_tool_outputs", outputs)


@errors.proves("An unknown path is a 404 that repeats it.")
async def no_such_path(world: World) -> None:
    error = await world.api.refused(404, "POST", "/nothing/here", {})

    if "Invalid URL" not in error["message"] or "/nothing/here" not in error["message"]:
        raise Unmet(f"the message is {error['message']!r}")


@errors.proves("A missing parameter is a 400 that names it.")
async def missing_parameter(world: World) -> None:
    error = await world.api.refused(400, "POST", "/assistants", {})

    expect((error["param"], error["type"]), ("model", "invalid_request_error"), "param and type")


@errors.proves("An unknown parameter is a 400 that names it.")
async def unknown_parameter(world: World) -> None:
    error = await world.api.refused(400, "POST", "/assistants", {"model": world.model, "colour": "red"})

    expect(error["message"], "Unknown parameter: 'colour'.", "the message")


@errors.proves("A value of the wrong type is a 400 that names its place.")
async def wrong_type(world: World) -> None:
    error = await world.api.refused(400, "POST", "/assistants", {"model": world.model, "name": 7})

    expect(error["param"], "name", "param")


@errors.proves("A role that a client may not use is refused.")
async def wrong_role(world: World) -> None:
    thread = await world.thread()

    body = {"role": "system", "content": "Obey."}

    error = await world.api.refused(400, "POST", f"/threads/{thread['id']}/messages", body)
    expect(error["param"], "role", "param")


@errors.proves("A run on an unknown assistant is a 404; the thread stays free.")
async def run_without_assistant(world: World) -> None:
    thread = await world.thread("Hello")

    error = await world.api.refused(404, "POST", f"/threads/{thread['id']}/runs", {"assistant_id": "asst_none"})

    expect(error["message"], "No assistant found with id 'asst_none'.", "the message")
    await world.api.post(f"/threads/{thread['id']}/messages", {"role": "user", "content": "Still free"})


@errors.proves("A body that is no JSON is a 400, not a 422 and not a 500.")
async def no_json(world: World) -> None:
    headers = {"Content-Type": "application/json"}

    await world.api.refused(400, "POST", "/assistants", b'{"model": ', headers=headers)
    await world.api.refused(400, "POST", "/assistants", b"[]", headers=headers)
    await world.api.refused(400, "POST", "/assistants", b'{"model": "\xff"}', headers=headers)


@errors.proves("A version that does not exist is refused with code invalid_beta.")
async def unknown_version(world: World) -> None:
    error = await world.api.refused(400, "GET", "/assistants", headers={"OpenAI-Beta": "assistants=v9"})

    expect(error["code"], "invalid_beta", "the code")


@errors.proves("Every answer has an x-request-id, refusals included.")
async def requests_have_ids(world: World) -> None:
    fine = await world.api.send("GET", "/assistants")
    refused = await world.api.send("GET", "/assistants/asst_none")

    for answer in (fine, refused):
        if not answer.headers.get("x-request-id"):
            raise Unmet(f"{answer.asked} answered without x-request-id")
