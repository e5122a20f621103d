"""Run steps: what a run did, in order, with what it called and what came of it."""

from runstead.conformance.check import Area
from runstead.conformance.script import calls, text
from runstead.conformance.world import World, expect, expect_status, outputs_for, path_of

steps = Area("steps")


@steps.proves("An answer is a step of type message_creation that names the message.", needs="model")
async def answer_is_a_step(world: World) -> None:
    run = await world.ended()

    [step] = await world.steps(run)

    answer = (await world.messages(run))[-1]
    wanted = {"type": "message_creation", "message_creation": {"message_id": answer["id"]}}
    expect(step["step_details"], wanted, "step_details")
    expect((step["type"], step["status"], step["run_id"]), ("message_creation", "completed", run["id"]), "the step")
    expect(await world.api.get(f"{path_of(run)}/steps/{step['id']}"), step, "the step that is read")


@steps.proves(
    "All calls of one answer are one step, in progress and without outputs until they are submitted.", needs="script"
)
async def calls_wait_in_one_step(world: World) -> None:
    run = await world.waiting(calls(("get_weather", '{"city": "Oslo"}'), ("get_weather", '{"city": "Rome"}')))

    [step] = await world.steps(run)

    expect((step["type"], step["status"], step["usage"]), ("tool_calls", "in_progress", None), "the step")
    outputs = [call["function"]["output"] for call in step["step_details"]["tool_calls"]]
    expect(outputs, [None, None], "the outputs")


@steps.proves("Submitted outputs are shown by the step of their calls, which is completed.", needs="script")
async def outputs_are_kept(world: World) -> None:
    run = await world.waiting(calls(("get_weather", '{"city": "Oslo"}')), text("Sunny"))

    ended = await world.settled(await world.api.post(f"{path_of(run)}/submit_tool_outputs", outputs_for(run, "12°")))

    expect_status(ended, "completed")
    called, answered = await world.steps(ended)
    expect(called["status"], "completed", "the status")
    [call] = called["step_details"]["tool_calls"]
    expect(call["function"], {"name": "get_weather", "arguments": '{"city": "Oslo"}', "output": "12°"}, "the call")
    expect(answered["type"], "message_creation", "the type of the second step")


@steps.proves("The usage of the steps adds up to the run's.", needs="script")
async def usage_adds_up(world: World) -> None:
    run = await world.waiting(calls(("get_weather", '{"city": "Oslo"}')), text("Sunny"))
    ended = await world.settled(await world.api.post(f"{path_of(run)}/submit_tool_outputs", outputs_for(run)))

    found = await world.steps(ended)

    for name, total in ended["usage"].items():
        expect(sum(step["usage"][name] for step in found), total, f"the sum of {name}")


@steps.proves("Steps are listed newest first and cut into pages.", needs="script")
async def are_paged(world: World) -> None:
    run = await world.waiting(calls(("get_weather", '{"city": "Oslo"}')), text("Sunny"))
    ended = await world.settled(await world.api.post(f"{path_of(run)}/submit_tool_outputs", outputs_for(run)))

    page = await world.api.get(f"{path_of(ended)}/steps?limit=1")
    rest = await world.api.get(f"{path_of(ended)}/steps?limit=1&after={page['last_id']}")

    types = [page["data"][0]["type"], rest["data"][0]["type"]]
    expect((types, page["has_more"], rest["has_more"]), (["message_creation", "tool_calls"], True, False), "the pages")


@steps.proves("The open step of a cancelled run is cancelled.", needs="script")
async def is_cancelled_with_its_run(world: World) -> None:
    run = await world.waiting(calls(("get_weather", '{"city": "Oslo"}')))

    ended = await world.settled(await world.api.post(f"{path_of(run)}/cancel"))

    [step] = await world.steps(ended)
    expect((step["status"], step["cancelled_at"] is not None), ("cancelled", True), "status and cancelled_at")
