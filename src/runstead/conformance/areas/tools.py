"""Function tools: what the model is offered, what the client is asked for, and what the model is told."""

import json

from runstead.conformance.check import Area
from runstead.conformance.client import Unmet
from runstead.conformance.script import calls, text
from runstead.conformance.world import FUNCTION, World, calls_of, expect, expect_status, outputs_for, path_of

tools = Area("tools")


@tools.proves(
    "required_action lists the calls with name and arguments, the arguments as a JSON string.", needs="script"
)
async def calls_are_shown(world: World) -> None:
    run = await world.waiting(calls(("get_weather", '{"city": "Oslo"}')))

    [call] = calls_of(run)

    expect(call["function"], {"name": "get_weather", "arguments": '{"city": "Oslo"}'}, "the function")
    expect(json.loads(call["function"]["arguments"]), {"city": "Oslo"}, "the arguments, read")


@tools.proves("Parallel calls come together, each with an id of its own.", needs="script")
async def calls_have_their_own_ids(world: World) -> None:
    run = await world.waiting(calls(("get_weather", '{"city": "Oslo"}'), ("get_weather", '{"city": "Rome"}')))

    ids = [call["id"] for call in calls_of(run)]

    expect((len(ids), len(set(ids))), (2, 2), "the calls and their ids")


@tools.proves("Outputs may come in any order, and each reaches the model beside its call.", needs="script")
async def outputs_find_their_calls(world: World) -> None:
    run = await world.waiting(
        calls(("get_weather", '{"city": "Oslo"}'), ("get_weather", '{"city": "Rome"}')), text("Done")
    )
    oslo, rome = calls_of(run)
    outputs = [
        {"tool_call_id": rome["id"], "output": "warm"},
        {"tool_call_id": oslo["id"], "output": "cold, not JSON"},
    ]

    await world.settled(await world.api.post(f"{path_of(run)}/submit_tool_outputs", {"tool_outputs": outputs}))

    request = (await world.script.requests())[-1]
    told = {each["tool_call_id"]: each["content"] for each in request["messages"] if each["role"] == "tool"}
    [asked] = [each["tool_calls"] for each in request["messages"] if each.get("tool_calls")]
    cities = {json.loads(call["function"]["arguments"])["city"]: told[call["id"]] for call in asked}
    expect(cities, {"Oslo": "cold, not JSON", "Rome": "warm"}, "what the model was told")


@tools.proves("Outputs for some of the calls are refused: all come in one request.", needs="script")
async def all_outputs_at_once(world: World) -> None:
    run = await world.waiting(calls(("get_weather", '{"city": "Oslo"}'), ("get_weather", '{"city": "Rome"}')))
    ids = [call["id"] for call in calls_of(run)]
    some = {"tool_outputs": [{"tool_call_id": ids[0], "output": "cold"}]}

    error = await world.api.refused(400, "POST", f"{path_of(run)}/submit_tool_outputs", some)

    expect(error["message"], f"Expected tool outputs for call_ids {ids}, got {ids[:1]}", "the message")
    expect((await world.api.get(path_of(run)))["status"], "requires_action", "the status after the refusal")


@tools.proves("Outputs for a call that nobody made are refused.", needs="script")
async def unknown_call_is_refused(world: World) -> None:
    run = await world.waiting(calls(("get_weather", '{"city": "Oslo"}')))
    outputs = [*outputs_for(run)["tool_outputs"], {"tool_call_id": "call_unknown", "output": "?"}]

    await world.api.refused(400, "POST", f"{path_of(run)}/submit_tool_outputs", {"tool_outputs": outputs})


@tools.proves("A run that does not wait takes no outputs, and says in which status it is.", needs="model")
async def outputs_come_too_late(world: World) -> None:
    run = await world.ended()
    body = {"tool_outputs": [{"tool_call_id": "call_x", "output": "late"}]}

    error = await world.api.refused(400, "POST", f"{path_of(run)}/submit_tool_outputs", body)

    expect(error["message"], 'Runs in status "completed" do not accept tool outputs.', "the message")


@tools.proves("The model is offered the functions of the run with their schema.", needs="script")
async def functions_are_offered(world: World) -> None:
    await world.waiting(calls(("get_weather", '{"city": "Oslo"}')))

    [request] = await world.script.requests()

    [offered] = request["tools"]
    wanted = FUNCTION["function"]
    shown = {name: offered["function"].get(name) for name in ("name", "description", "parameters")}
    expect(shown, wanted, "the function that was offered")


@tools.proves("tool_choice reaches the model and is shown by the run.", needs="script")
async def tool_choice_is_passed_on(world: World) -> None:
    await world.script.will(calls(("get_weather", '{"city": "Oslo"}')), text("Done"))
    choice = {"type": "function", "function": {"name": "get_weather"}}
    assistant = await world.assistant(tools=[FUNCTION])

    run = await world.settled(await world.run(assistant, tool_choice=choice))

    expect_status(run, "requires_action")
    expect(run["tool_choice"], choice, "tool_choice")
    [request] = await world.script.requests()
    expect(request.get("tool_choice"), choice, "tool_choice as the model was sent it")


@tools.proves("A later run is told of earlier calls and their outputs.", needs="script")
async def earlier_calls_are_remembered(world: World) -> None:
    run = await world.waiting(calls(("get_weather", '{"city": "Oslo"}')), text("Cold"))
    ended = await world.settled(await world.api.post(f"{path_of(run)}/submit_tool_outputs", outputs_for(run, "cold")))
    await world.script.will(text("Still cold"))
    again = {"assistant_id": run["assistant_id"]}

    await world.settled(await world.api.post(f"/threads/{ended['thread_id']}/runs", again))

    [request] = await world.script.requests()
    told = [each["content"] for each in request["messages"] if each["role"] == "tool"]
    if told != ["cold"]:
        raise Unmet(f"of the earlier call the model was told {told}")
