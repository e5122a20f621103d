"""Limits: lengths, sizes and ranges, just inside and just outside."""

from typing import Any

from runstead.conformance.check import Area
from runstead.conformance.client import Unmet
from runstead.conformance.world import FUNCTION, World, expect

limits = Area("limits")


async def refused_assistant(world: World, param: str, **fields: Any) -> None:
    """An assistant with these fields is refused, and the refusal names where."""
    error = await world.api.refused(400, "POST", "/assistants", {"model": world.model, **fields})
    if not str(error["param"]).startswith(param):
        raise Unmet(f"the refusal names {error['param']!r} instead of {param!r}")


@limits.proves("A name has 256 characters at most, a description 512.")
async def names_and_descriptions(world: World) -> None:
    made = await world.assistant(name="n" * 256, description="d" * 512)

    expect((len(made["name"]), len(made["description"])), (256, 512), "the lengths")
    await refused_assistant(world, "name", name="n" * 257)
    await refused_assistant(world, "description", description="d" * 513)


@limits.proves("Instructions have 256,000 characters at most.")
async def instructions(world: World) -> None:
    expect(len((await world.assistant(instructions="i" * 256_000))["instructions"]), 256_000, "the length")
    await refused_assistant(world, "instructions", instructions="i" * 256_001)


@limits.proves("An assistant has 128 tools at most.")
async def tools(world: World) -> None:
    def many(count: int) -> list[Any]:
        return [{"type": "function", "function": {**FUNCTION["function"], "name": f"f{n}"}} for n in range(count)]

    expect(len((await world.assistant(tools=many(128)))["tools"]), 128, "the number of tools")
    await refused_assistant(world, "tools", tools=many(129))


@limits.proves("Metadata has 16 pairs, keys of 64 and values of 512 characters at most.")
async def metadata(world: World) -> None:
    most = {f"{number:064d}": "v" * 512 for number in range(16)}

    expect((await world.assistant(metadata=most))["metadata"], most, "the metadata")
    await refused_assistant(world, "metadata", metadata={str(number): "v" for number in range(17)})
    await refused_assistant(world, "metadata", metadata={"k" * 65: "v"})
    await refused_assistant(world, "metadata", metadata={"k": "v" * 513})


@limits.proves("temperature is from 0 to 2, top_p from 0 to 1.")
async def sampling(world: World) -> None:
    made = await world.assistant(temperature=2, top_p=0)

    expect((made["temperature"], made["top_p"]), (2, 0), "temperature and top_p")
    await refused_assistant(world, "temperature", temperature=2.1)
    await refused_assistant(world, "top_p", top_p=-0.1)


@limits.proves("A list's limit is from 1 to 100.")
async def pages(world: World) -> None:
    await world.api.get("/assistants?limit=100")

    for limit in ("0", "101", "many"):
        error = await world.api.refused(400, "GET", f"/assistants?limit={limit}")
        expect(error["param"], "limit", "param")
    await world.api.refused(400, "GET", "/assistants?order=sideways")


@limits.proves("The token limits of a run are 256 at least.")
async def token_limits(world: World) -> None:
    assistant, thread = await world.assistant(), await world.thread("Hello")

    for name in ("max_prompt_tokens", "max_completion_tokens"):
        body = {"assistant_id": assistant["id"], name: 255}
        error = await world.api.refused(400, "POST", f"/threads/{thread['id']}/runs", body)
        expect(error["param"], name, "param")


@limits.proves("A message has 256,000 characters at most.")
async def messages(world: World) -> None:
    thread = await world.thread()
    path = f"/threads/{thread['id']}/messages"

    made = await world.api.post(path, {"role": "user", "content": "c" * 256_000})

    expect(len(made["content"][0]["text"]["value"]), 256_000, "the length")
    await world.api.refused(400, "POST", path, {"role": "user", "content": "c" * 256_001})


@limits.proves("A message is not empty.")
async def message_is_not_empty(world: World) -> None:
    thread = await world.thread()
    nothing: str | list[Any] = "" if world.wire == "v1" else []

    body = {"role": "user", "content": nothing}

    await world.api.refused(400, "POST", f"/threads/{thread['id']}/messages", body)


@limits.proves("A function's name has letters, digits, _ and -, 64 at most.")
async def function_names(world: World) -> None:
    def named(name: str) -> list[Any]:
        return [{"type": "function", "function": {"name": name}}]

    await world.assistant(tools=named("a-Z_9" + "x" * 59))
    for name in ("has space", "x" * 65, ""):
        await refused_assistant(world, "tools", tools=named(name))
