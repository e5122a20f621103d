"""Streams of runs that use code: its pieces while it is written, what it came to, and the files of the answer."""

from collections.abc import Callable

from runstead.conformance.areas.code import CODE, DRAW, LINK, WRITE, running, working
from runstead.conformance.areas.streaming import MESSAGE, last_run, names
from runstead.conformance.check import Area
from runstead.conformance.client import Event
from runstead.conformance.kinds import Json
from runstead.conformance.script import text
from runstead.conformance.world import World, expect, expect_status

code_streaming = Area("code in streams")


async def streamed(world: World, *turns: Json) -> list[Event]:
    """The events of a completed run in which the model said these turns."""
    await world.script.will(*turns)
    assistant, thread = await world.assistant(tools=[CODE]), await world.thread("Please.")
    events = await world.api.events(f"/threads/{thread['id']}/runs", {"assistant_id": assistant["id"]})
    expect_status(working(last_run(events)), "completed")
    return events


def only(events: list[Event], name: str, wanted: Callable[[Json], bool]) -> Json:
    """The data of the only event of a name that is wanted."""
    [found] = [event.json for event in events if event.name == name and wanted(event.json)]
    return found


def parts(events: list[Event]) -> list[Json]:
    """What the deltas of a message add, in order."""
    deltas = [event.json["delta"] for event in events if event.name == "thread.message.delta"]
    return [part for delta in deltas for part in delta.get("content", [])]


@code_streaming.proves("The step of code comes whole before the step of the answer.", needs="script")
async def order_of_events(world: World) -> None:
    events = await streamed(world, running("print(6 * 7)"), text("It is 42."))

    begin = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
    step = [f"thread.run.step.{what}" for what in ("created", "in_progress", "delta", "completed")]
    expect(names(events), [*begin, *step, *MESSAGE, "thread.run.completed", "done"], "the order of events")


@code_streaming.proves(
    "The pieces of code add up to its input, and its outputs follow them, each at its index.", needs="script"
)
async def pieces_add_up(world: World) -> None:
    cell = "for number in range(3):\n    print(number, 'é')\n"
    events = await streamed(world, running(cell), text("Done."))

    step = only(events, "thread.run.step.completed", lambda step: step["type"] == "tool_calls")
    [made] = step["step_details"]["tool_calls"]
    deltas = [event.json["delta"] for event in events if event.name == "thread.run.step.delta"]
    pieces = [piece for delta in deltas for piece in delta["step_details"]["tool_calls"]]
    expect([piece["id"] for piece in pieces if piece.get("id")], [made["id"]], "the ids in the pieces")
    told = [piece.get("code_interpreter", {}) for piece in pieces]
    expect("".join(each.get("input") or "" for each in told), cell, "the input in the pieces")
    outputs = [output for each in told for output in each.get("outputs") or []]
    indexed = [{"index": place, **output} for place, output in enumerate(made["code_interpreter"]["outputs"])]
    expect(outputs, indexed, "the outputs in the pieces")


@code_streaming.proves("The picture of an answer comes in its deltas, at an index of its own.", needs="script")
async def pictures_come_in_deltas(world: World) -> None:
    events = await streamed(world, running(DRAW), text("See the plot."))

    content = only(events, "thread.message.completed", lambda _: True)["content"]
    seen = [(part["index"], part["image_file"]) for part in parts(events) if part["type"] == "image_file"]
    stored = [(place, part["image_file"]) for place, part in enumerate(content) if part["type"] == "image_file"]
    expect((len(stored), seen), (1, stored), "the pictures of the message, and those in its deltas")
    indexes = [part["index"] for part in parts(events)]
    expect(sorted(set(indexes)), list(range(len(content))), "the indexes of the parts")


@code_streaming.proves("The annotation of a file comes in the deltas, once.", needs="script")
async def annotations_come_once(world: World) -> None:
    events = await streamed(world, running(WRITE), text(LINK))

    [part] = only(events, "thread.message.completed", lambda _: True)["content"]
    texts = [part["text"] for part in parts(events) if part["type"] == "text"]
    seen = [annotation for each in texts for annotation in each.get("annotations") or []]
    indexed = [{"index": place, **each} for place, each in enumerate(part["text"]["annotations"])]
    expect((len(indexed), seen), (1, indexed), "the annotations of the message, and those in its deltas")
