"""Streams: the names and the order of events, and that they add up to what is stored."""

from runstead.conformance.check import Area
from runstead.conformance.client import Event, Unmet
from runstead.conformance.kinds import Json
from runstead.conformance.script import calls, refusal, text
from runstead.conformance.world import FUNCTION, World, expect, outputs_for, path_of

streaming = Area("streaming")

MESSAGE = [
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.step.completed",
]
"""The events of an answer, deltas once."""


def names(events: list[Event]) -> list[str]:
    """The names of events, repeated deltas once."""
    found: list[str] = []
    for event in events:
        if not (found and found[-1] == event.name and event.name.endswith(".delta")):
            found.append(event.name)
    return found


def deltas(events: list[Event]) -> str:
    """The text that the deltas of messages make."""
    parts = [
        part for event in events if event.name == "thread.message.delta" for part in event.json["delta"]["content"]
    ]
    return "".join(part["text"].get("value", "") for part in parts)


def last_run(events: list[Event]) -> Json:
    return [event.json for event in events if event.name.startswith("thread.run.") and "step" not in event.name][-1]


@streaming.proves("The events of a plain answer come in this order, and [DONE] ends them.", needs="model")
async def order_of_an_answer(world: World) -> None:
    events = await world.streamed()

    begin = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
    expect(names(events), [*begin, *MESSAGE, "thread.run.completed", "done"], "the order of events")
    expect(events[-1].data, "[DONE]", "the data of the last event")


@streaming.proves("The text of the deltas is the text of the message, which comes complete at its end.", needs="model")
async def deltas_add_up(world: World) -> None:
    events = await world.streamed()

    [completed] = [event.json for event in events if event.name == "thread.message.completed"]
    expect(deltas(events), completed["content"][0]["text"]["value"], "the text of the deltas")
    stored = await world.api.get(f"/threads/{completed['thread_id']}/messages/{completed['id']}")
    expect(stored, completed, "the message that is stored")


@streaming.proves("The last run of a stream is the run that is stored.", needs="model")
async def last_run_is_the_stored_one(world: World) -> None:
    run = last_run(await world.streamed())

    expect(await world.api.get(path_of(run)), run, "the run that is stored")


@streaming.proves("An answer comes piece by piece while the model speaks, not at its end.", needs="script")
async def comes_as_it_is_said(world: World) -> None:
    await world.script.will(text("Slowly but surely", hold_before=3))
    assistant, thread = await world.assistant(), await world.thread("Hello")

    async with world.api.stream(f"/threads/{thread['id']}/runs", {"assistant_id": assistant["id"]}) as stream:
        seen: list[Event] = []
        async for event in stream:
            seen.append(event)
            if event.name == "thread.message.delta" and len([each for each in seen if each.name == event.name]) == 1:
                # The model says no more until this delta was seen.
                await world.script.release()

    expect(deltas(seen), "Slowly but surely", "the text")


@streaming.proves("A stream that creates its thread tells of the thread first.", needs="model")
async def thread_comes_first(world: World) -> None:
    assistant = await world.assistant()
    body = {"assistant_id": assistant["id"], "thread": {"messages": [{"role": "user", "content": "Hello"}]}}

    events = await world.api.events("/threads/runs", body)

    expect([event.name for event in events[:2]], ["thread.created", "thread.run.created"], "the first events")
    world.keep_track(f"/threads/{events[0].json['id']}")


@streaming.proves(
    "A stream ends with requires_action, and the one after the outputs goes on from there.", needs="script"
)
async def two_streams_of_a_function_call(world: World) -> None:
    await world.script.will(calls(("get_weather", '{"city": "Oslo"}')), text("Sunny in Oslo"))
    assistant, thread = await world.assistant(tools=[FUNCTION]), await world.thread("Hello")

    first = await world.api.events(f"/threads/{thread['id']}/runs", {"assistant_id": assistant["id"]})
    waiting = last_run(first)
    second = await world.api.events(f"{path_of(waiting)}/submit_tool_outputs", outputs_for(waiting))

    expect(names(first)[-2:], ["thread.run.requires_action", "done"], "the end of the first stream")
    begin = ["thread.run.step.completed", "thread.run.queued", "thread.run.in_progress"]
    expect(names(second), [*begin, *MESSAGE, "thread.run.completed", "done"], "the second stream")


@streaming.proves("The pieces of a call add up to its name and arguments; id and name are said once.", needs="script")
async def call_pieces_add_up(world: World) -> None:
    await world.script.will(calls(("get_weather", '{"city": "Oslo"}')))
    assistant, thread = await world.assistant(tools=[FUNCTION]), await world.thread("Hello")

    events = await world.api.events(f"/threads/{thread['id']}/runs", {"assistant_id": assistant["id"]})

    pieces = [
        call
        for event in events
        if event.name == "thread.run.step.delta"
        for call in event.json["delta"]["step_details"]["tool_calls"]
    ]
    named = [piece["function"]["name"] for piece in pieces if piece["function"].get("name")]
    ids = [piece["id"] for piece in pieces if piece.get("id")]
    [call] = last_run(events)["required_action"]["submit_tool_outputs"]["tool_calls"]
    expect((named, ids), (["get_weather"], [call["id"]]), "the names and ids in the pieces")
    arguments = "".join(piece["function"].get("arguments") or "" for piece in pieces)
    expect(arguments, call["function"]["arguments"], "the arguments in the pieces")


@streaming.proves("A run that fails says so in its stream, with last_error, and the stream ends.", needs="script")
async def failure_is_an_event(world: World) -> None:
    await world.script.will(refusal(400, "Not today."))

    events = await world.streamed()

    expect(names(events)[-2:], ["thread.run.failed", "done"], "the end of the stream")
    if not last_run(events)["last_error"]:
        raise Unmet("thread.run.failed has no last_error")


@streaming.proves("A failure in the middle of an answer closes its message and its step, then the run.", needs="script")
async def failure_closes_what_is_open(world: World) -> None:
    half = {"choices": [{"index": 0, "delta": {"content": "Half an"}, "finish_reason": None}]}
    await world.script.will({"chunks": [half], "then": "close"})

    events = await world.streamed()

    ends = [name for name in names(events) if name.endswith((".incomplete", ".failed", "done"))]
    wanted = ["thread.message.incomplete", "thread.run.step.failed", "thread.run.failed", "done"]
    expect(ends, wanted, "the ends that the stream told")


@streaming.proves("A cancelled run closes what is open: its message, its step, then itself.", needs="script")
async def cancellation_closes_what_is_open(world: World) -> None:
    await world.script.will(text("Never to be finished", hold_before=2))
    assistant, thread = await world.assistant(), await world.thread("Hello")

    seen: list[Event] = []
    async with world.api.stream(f"/threads/{thread['id']}/runs", {"assistant_id": assistant["id"]}) as stream:
        async for event in stream:
            seen.append(event)
            if event.name == "thread.message.delta":
                [run] = (await world.api.get(f"/threads/{thread['id']}/runs"))["data"]
                await world.api.post(f"{path_of(run)}/cancel")

    ends = [name for name in names(seen) if name.endswith((".incomplete", ".cancelled", "done"))]
    wanted = ["thread.message.incomplete", "thread.run.step.cancelled", "thread.run.cancelled", "done"]
    expect(ends, wanted, "the ends that the stream told")


@streaming.proves("The stream of a cut answer ends with thread.run.incomplete.", needs="script", wires=("v2",))
async def cut_answer_is_incomplete(world: World) -> None:
    await world.script.will(text("As far as it", finish_reason="length"))

    events = await world.streamed(max_completion_tokens=256)

    expect(names(events)[-2:], ["thread.run.incomplete", "done"], "the end of the stream")


@streaming.proves("v1 has no event `thread.run.incomplete`: it is told of a failure.", needs="script", wires=("v1",))
async def v1_hears_of_a_failure(world: World) -> None:
    await world.script.will(text("As far as it", finish_reason="length"))

    events = await world.streamed(max_completion_tokens=256)

    expect(names(events)[-2:], ["thread.run.failed", "done"], "the end of the stream")


@streaming.proves("What is wrong before the first event is an ordinary refusal, not a stream.")
async def refusals_are_no_streams(world: World) -> None:
    thread = await world.thread("Hello")

    await world.api.refused(404, "POST", f"/threads/{thread['id']}/runs", {"assistant_id": "asst_none", "stream": True})
