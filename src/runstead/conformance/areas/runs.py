"""Runs: their life from creation to an end, what overrides what, and what a locked thread refuses."""

import re

from runstead.conformance.check import Area
from runstead.conformance.client import Unmet
from runstead.conformance.script import calls, refusal, text
from runstead.conformance.world import FUNCTION, World, expect, expect_status, outputs_for, path_of, words_of

runs = Area("runs")


@runs.proves("A new run is queued, knows its deadline, and has every key.", needs="model")
async def begins_queued(world: World) -> None:
    run = await world.run()

    expect(run["status"], "queued", "the status of a created run")
    expect((run["started_at"], run["completed_at"], run["usage"]), (None, None, None), "started, completed and usage")
    if run["expires_at"] is None:
        raise Unmet("a queued run has no expires_at")
    await world.settled(run)


@runs.proves("A run without instructions shows an empty string, never null.", needs="model")
async def instructions_are_never_null(world: World) -> None:
    run = await world.ended()

    expect(run["instructions"], "", "the instructions")


@runs.proves("A run completes: its times are set, its deadline is gone, its usage adds up.", needs="model")
async def completes(world: World) -> None:
    run = await world.ended()

    expect((run["expires_at"], run["last_error"], run["required_action"]), (None, None, None), "what is over")
    if not run["created_at"] <= run["started_at"] <= run["completed_at"]:
        raise Unmet(f"the times are {run['created_at']}, {run['started_at']}, {run['completed_at']}")
    usage = run["usage"] or {}
    expect(usage.get("total_tokens"), usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0), "the total")


@runs.proves("The answer is the model's text, in one message.", needs="script")
async def answers_with_the_models_words(world: World) -> None:
    await world.script.will(text("The answer is 42."))

    run = await world.ended()

    expect(words_of((await world.messages(run))[-1]), "The answer is 42.", "the answer")


@runs.proves("Model, instructions and tools of the run come before the assistant's.", needs="script")
async def overrides_the_assistant(world: World) -> None:
    await world.script.will(text("Fine"))
    assistant = await world.assistant(model="never-called", instructions="Be long.", tools=[FUNCTION])

    run = await world.settled(
        await world.run(assistant, model=world.model, instructions="Be brief.", tools=[], metadata={"why": "test"})
    )

    expect_status(run, "completed")
    shown = (run["model"], run["instructions"], run["tools"], run["metadata"])
    expect(shown, (world.model, "Be brief.", [], {"why": "test"}), "model, instructions, tools and metadata")


@runs.proves("additional_instructions follow the instructions.", needs="script")
async def additional_instructions_follow(world: World) -> None:
    await world.script.will(text("Fine"))
    assistant = await world.assistant(instructions="Be brief.")

    run = await world.settled(await world.run(assistant, additional_instructions="And polite."))

    if not re.fullmatch(r"Be brief\.\s*And polite\.", run["instructions"]):
        raise Unmet(f"the instructions are {run['instructions']!r}")


@runs.proves("additional_messages are in the thread, and the model is sent them.", needs="script")
async def additional_messages_are_added(world: World) -> None:
    await world.script.will(text("Fine"))
    added = [{"role": "user", "content": "And tomorrow?"}]

    run = await world.ended(additional_messages=added)

    expect([words_of(each) for each in await world.messages(run)], ["Hello", "And tomorrow?", "Fine"], "the thread")
    [request] = await world.script.requests()
    said = [each["content"] for each in request["messages"] if each["role"] == "user"]
    expect(said[-1], "And tomorrow?", "the last thing the model was sent")


@runs.proves("A thread and its run can be created in one request, which answers with the run.", needs="model")
async def thread_and_run_in_one(world: World) -> None:
    assistant = await world.assistant()
    body = {"assistant_id": assistant["id"], "thread": {"messages": [{"role": "user", "content": "Hello"}]}}

    run = await world.api.post("/threads/runs", body)
    world.keep_track(f"/threads/{run['thread_id']}")

    expect(run["object"], "thread.run", "the object")
    expect_status(await world.settled(run), "completed")
    expect(len(await world.messages(run)), 2, "the number of messages")


@runs.proves("Explicit nulls in a creation mean that the fields were left out.", needs="model")
async def nulls_are_absent(world: World) -> None:
    nothing = dict.fromkeys(("model", "instructions", "additional_instructions", "tools", "metadata"))

    run = expect_status(await world.settled(await world.run(**nothing)), "completed")

    expect((run["model"], run["metadata"]), (world.model, {}), "model and metadata")


@runs.proves("Runs are listed newest first.", needs="model")
async def are_listed(world: World) -> None:
    assistant, thread = await world.assistant(), await world.thread("Hello")
    first = await world.settled(await world.run(assistant, thread))
    second = await world.settled(await world.run(assistant, thread))

    listed = (await world.api.get(f"/threads/{thread['id']}/runs"))["data"]

    expect([each["id"] for each in listed], [second["id"], first["id"]], "the runs")


@runs.proves("A modification changes the metadata only.", needs="model")
async def metadata_is_modified(world: World) -> None:
    run = await world.ended()

    changed = await world.api.post(path_of(run), {"metadata": {"kept": "yes"}})

    expect(changed, {**run, "metadata": {"kept": "yes"}}, "the modified run")


@runs.proves("A run outlives its assistant and keeps its name.", needs="model")
async def outlives_its_assistant(world: World) -> None:
    run = await world.ended()

    await world.api.delete(f"/assistants/{run['assistant_id']}")

    expect((await world.api.get(path_of(run)))["assistant_id"], run["assistant_id"], "assistant_id")


@runs.proves("While a run is active its thread takes no message, with exactly these words.", needs="script")
async def locks_messages_out(world: World) -> None:
    run = await world.waiting(calls(("get_weather", '{"city": "Oslo"}')), text("Sunny"))
    thread = run["thread_id"]

    error = await world.api.refused(400, "POST", f"/threads/{thread}/messages", {"role": "user", "content": "More"})

    expect(error["message"], f"Can't add messages to {thread} while a run {run['id']} is active.", "the message")


@runs.proves("While a run is active its thread takes no second one, with exactly these words.", needs="script")
async def locks_runs_out(world: World) -> None:
    run = await world.waiting(calls(("get_weather", '{"city": "Oslo"}')), text("Sunny"))
    thread = run["thread_id"]

    error = await world.api.refused(400, "POST", f"/threads/{thread}/runs", {"assistant_id": run["assistant_id"]})

    expect(error["message"], f"Thread {thread} already has an active run {run['id']}.", "the message")


@runs.proves("A cancelled run ends as cancelled, and frees its thread.", needs="script")
async def is_cancelled(world: World) -> None:
    run = await world.waiting(calls(("get_weather", '{"city": "Oslo"}')), text("Sunny"))

    stopping = await world.api.post(f"{path_of(run)}/cancel")

    if stopping["status"] not in ("cancelling", "cancelled"):
        raise Unmet(f"cancelling answered a run that is {stopping['status']!r}")
    ended = expect_status(await world.settled(stopping), "cancelled")
    if ended["cancelled_at"] is None:
        raise Unmet("a cancelled run has no cancelled_at")
    more = {"role": "user", "content": "More"}
    await world.api.post(f"/threads/{run['thread_id']}/messages", more)


@runs.proves("Cancelling interrupts a model in the middle of its answer.", needs="script")
async def cancelling_interrupts(world: World) -> None:
    await world.script.will(text("Never to be finished", hold_before=2))
    run = await world.run()
    if not await world.script.is_held(10):
        raise Unmet("the model was not asked within 10 seconds")

    stopping = await world.api.post(f"{path_of(run)}/cancel", None)

    expect_status(await world.settled(stopping), "cancelled")


@runs.proves("A body of JSON null is ignored by cancel: one client sends it.", needs="script")
async def cancel_takes_null(world: World) -> None:
    run = await world.waiting(calls(("get_weather", '{"city": "Oslo"}')), text("Sunny"))

    answer = await world.api.send("POST", f"{path_of(run)}/cancel", b"null", **{"Content-Type": "application/json"})

    expect(answer.status, 200, "the status of the answer")


@runs.proves("A run that has ended cannot be cancelled, with exactly these words.", needs="model")
async def ended_is_not_cancelled(world: World) -> None:
    run = await world.ended()

    error = await world.api.refused(400, "POST", f"{path_of(run)}/cancel")

    expect(error["message"], "Cannot cancel run with status 'completed'.", "the message")


@runs.proves("A model that refuses makes a failed run that says why; nothing else breaks.", needs="script")
async def fails_with_a_reason(world: World) -> None:
    await world.script.will(refusal(400, "This prompt is not for me."))

    run = await world.ended("failed")

    if run["failed_at"] is None or "not for me" not in run["last_error"]["message"]:
        raise Unmet(f"failed_at is {run['failed_at']}, last_error {run['last_error']}")


@runs.proves(
    "An answer that was cut at the run's limit is incomplete, and says which limit.", needs="script", wires=("v2",)
)
async def is_incomplete_at_its_limit(world: World) -> None:
    await world.script.will(text("As far as it", finish_reason="length"))

    run = await world.ended("incomplete", max_completion_tokens=256)

    expect(run["incomplete_details"], {"reason": "max_completion_tokens"}, "incomplete_details")
    answer = (await world.messages(run))[-1]
    expect((answer["status"], answer["incomplete_details"]), ("incomplete", {"reason": "max_tokens"}), "the message")


@runs.proves("v1 does not know `incomplete`: it is shown a failed run.", needs="script", wires=("v1",))
async def v1_is_never_incomplete(world: World) -> None:
    await world.script.will(text("As far as it", finish_reason="length"))

    run = await world.ended("failed", max_completion_tokens=256)

    expect(run["last_error"]["code"], "server_error", "the code")


@runs.proves("A run that waits for outputs goes on to its end when it has them.", needs="script")
async def goes_on_after_outputs(world: World) -> None:
    run = await world.waiting(calls(("get_weather", '{"city": "Oslo"}')), text("Sunny in Oslo"))

    queued = await world.api.post(f"{path_of(run)}/submit_tool_outputs", outputs_for(run))

    expect((queued["status"], queued["required_action"]), ("queued", None), "status and required_action")
    ended = expect_status(await world.settled(queued), "completed")
    expect(words_of((await world.messages(ended))[-1]), "Sunny in Oslo", "the answer")
