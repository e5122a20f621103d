"""Both wires: one store, two views. What one version wrote the other reads, in its own words."""

from runstead.conformance.check import Area
from runstead.conformance.kinds import Json
from runstead.conformance.script import calls, text
from runstead.conformance.world import FUNCTION, World, expect, expect_status, outputs_for, path_of

wires = Area("both wires")

OWN: dict[str, set[str]] = {"v1": {"file_ids"}, "v2": {"tool_resources", "attachments", "reasoning_effort"}}
"""The fields that only one version has."""


def common(shown: Json) -> Json:
    """An object without what only one version has."""
    return {key: value for key, value in shown.items() if key not in OWN["v1"] | OWN["v2"]}


async def agree(world: World, path: str) -> None:
    """Both versions show the same object in everything that both have."""
    older, newer = await world.over("v1").get(path), await world.over("v2").get(path)
    expect(common(older), common(newer), f"{path} over v1, compared with v2,")
    expect(OWN["v2"] & set(older), set(), "what v1 shows of v2's own fields")
    expect("file_ids" in newer, False, "whether v2 shows file_ids")


@wires.proves("Assistants, threads, messages, runs and steps agree field by field.", needs="script")
async def objects_agree(world: World) -> None:
    run = await world.waiting(calls(("get_weather", '{"city": "Oslo"}')), text("Sunny"))
    ended = expect_status(
        await world.settled(await world.api.post(f"{path_of(run)}/submit_tool_outputs", outputs_for(run))), "completed"
    )

    thread = f"/threads/{ended['thread_id']}"
    steps = [f"{path_of(ended)}/steps/{step['id']}" for step in await world.steps(ended)]
    messages = [f"{thread}/messages/{message['id']}" for message in await world.messages(ended)]
    for path in (f"/assistants/{ended['assistant_id']}", thread, path_of(ended), *steps, *messages):
        await agree(world, path)


@wires.proves("What v2 calls file_search v1 calls retrieval.", wires=("v2",))
async def search_is_retrieval(world: World) -> None:
    made = await world.assistant(tools=[{"type": "file_search"}, {"type": "code_interpreter"}, FUNCTION])

    seen = await world.over("v1").get(f"/assistants/{made['id']}")

    types = [tool["type"] for tool in seen["tools"]]
    expect(types, ["retrieval", "code_interpreter", "function"], "the tools over v1")


@wires.proves("What v1 calls retrieval v2 calls file_search.", wires=("v1",))
async def retrieval_is_search(world: World) -> None:
    made = await world.assistant(tools=[{"type": "retrieval"}])

    seen = await world.over("v2").get(f"/assistants/{made['id']}")

    expect([tool["type"] for tool in seen["tools"]], ["file_search"], "the tools over v2")


@wires.proves("A version refuses the words of the other.")
async def words_are_not_mixed(world: World) -> None:
    foreign = {"v1": "tool_resources", "v2": "file_ids"}[world.wire]

    error = await world.api.refused(400, "POST", "/assistants", {"model": world.model, foreign: {}})

    expect(error["message"], f"Unknown parameter: '{foreign}'.", "the message")


@wires.proves("A message that v1 cannot show whole is shown without what v1 does not know.", wires=("v2",))
async def v1_sees_no_image_url(world: World) -> None:
    thread = await world.thread()
    image = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
    content = [image, {"type": "text", "text": "What is this?"}]
    made = await world.api.post(f"/threads/{thread['id']}/messages", {"role": "user", "content": content})

    seen = await world.over("v1").get(f"/threads/{thread['id']}/messages/{made['id']}")

    expect([part["type"] for part in seen["content"]], ["text"], "the content over v1")


@wires.proves("A run that began on one wire can be finished on the other.", needs="script")
async def run_changes_wires(world: World) -> None:
    run = await world.waiting(calls(("get_weather", '{"city": "Oslo"}')), text("Sunny"))
    other = world.over("v2" if world.wire == "v1" else "v1")

    queued = await other.post(f"{path_of(run)}/submit_tool_outputs", outputs_for(run))

    expect_status(await world.settled(queued), "completed")


@wires.proves("Without a header a version is spoken, or its absence is refused as invalid_beta.")
async def header_may_be_missing(world: World) -> None:
    answer = await world.api.send("GET", "/assistants", **{"OpenAI-Beta": None})

    if answer.status == 200:
        expect(answer.json["object"], "list", "the object")
    else:
        expect((answer.status, answer.json["error"]["code"]), (400, "invalid_beta"), "status and code")


@wires.proves("The header may name other betas beside it.")
async def header_is_a_list(world: World) -> None:
    answer = await world.api.send("GET", "/assistants", **{"OpenAI-Beta": f"other=v3, assistants={world.wire}"})

    expect(answer.status, 200, "the status of the answer")


@wires.proves("Models are listed without a version, each with id, created and owner.")
async def models_need_no_version(world: World) -> None:
    listed = await world.api.get("/models")

    for each in listed["data"][:1]:
        read = await world.api.get(f"/models/{each['id']}")
        expect(read["id"], each["id"], "the model that is read")
