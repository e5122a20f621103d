"""Assistants: what is kept of them, how they change, how they are listed."""

from runstead.conformance.check import Area
from runstead.conformance.client import Unmet
from runstead.conformance.world import FUNCTION, World, expect

assistants = Area("assistants")


@assistants.proves("What an assistant was created with is what it shows, with every key present.")
async def is_created_and_read(world: World) -> None:
    said = {
        "name": "Ada",
        "description": "Knows the weather.",
        "instructions": "Be brief.",
        "tools": [FUNCTION],
        "metadata": {"team": "blue"},
    }
    made = await world.assistant(**said)

    read = await world.api.get(f"/assistants/{made['id']}")

    expect(read, made, "the assistant that is read")
    expect({key: made[key] for key in said}, said, "the assistant")


@assistants.proves("What was left out is null or empty, not absent.")
async def defaults_are_shown(world: World) -> None:
    made = await world.assistant()

    expect((made["name"], made["description"], made["tools"]), (None, None, []), "name, description and tools")
    expect(made["model"], world.model, "the model")


@assistants.proves("An explicit null in a creation means that the field was left out.")
async def nulls_are_absent(world: World) -> None:
    nothing = dict.fromkeys(("name", "description", "instructions", "tools", "metadata"))

    made = await world.assistant(**nothing)

    expect((made["name"], made["tools"], made["metadata"]), (None, [], {}), "name, tools and metadata")


@assistants.proves("A modification changes what it names and nothing else.")
async def is_modified_in_part(world: World) -> None:
    made = await world.assistant(name="Before", instructions="Stay.", tools=[FUNCTION], metadata={"a": "1"})

    await world.api.post(f"/assistants/{made['id']}", {"name": "After", "metadata": {"b": "2"}})

    read = await world.api.get(f"/assistants/{made['id']}")
    expect(read, {**made, "name": "After", "metadata": {"b": "2"}}, "the modified assistant")


@assistants.proves("Null in a modification clears a field that may be null.")
async def null_clears(world: World) -> None:
    made = await world.assistant(name="Before", description="Gone soon", instructions="Stay.")

    changed = await world.api.post(f"/assistants/{made['id']}", {"name": None, "description": None})

    expect((changed["name"], changed["description"]), (None, None), "name and description")
    expect(changed["instructions"], "Stay.", "instructions")


@assistants.proves("A deletion answers 200 with a marker, and then the assistant is gone.")
async def is_deleted(world: World) -> None:
    made = await world.assistant()

    marker = await world.api.delete(f"/assistants/{made['id']}")

    expect(marker, {"id": made["id"], "object": "assistant.deleted", "deleted": True}, "the marker")
    await world.api.refused(404, "GET", f"/assistants/{made['id']}")


@assistants.proves("A list is newest first, and `order=asc` turns it round.")
async def are_listed_by_creation(world: World) -> None:
    ids = [(await world.assistant())["id"] for _ in range(3)]

    newest = [each["id"] for each in (await world.api.get("/assistants?limit=3"))["data"]]
    oldest = await _pages(world, "order=asc")

    expect(newest, ids[::-1], "the first page")
    expect([each for each in oldest if each in ids], ids, "the list in ascending order")


@assistants.proves("`limit`, `after` and `before` cut a list into pages, and has_more says if there is another.")
async def are_paged(world: World) -> None:
    first, second, third = [(await world.assistant())["id"] for _ in range(3)]

    page = await world.api.get("/assistants?limit=2")
    after = await world.api.get(f"/assistants?limit=1&after={second}")
    before = await world.api.get(f"/assistants?limit=2&before={first}")

    expect((page["first_id"], page["last_id"], page["has_more"]), (third, second, True), "first_id, last_id, has_more")
    expect([each["id"] for each in after["data"]], [first], "what follows the second")
    expect([each["id"] for each in before["data"]], [third, second], "what precedes the first")


@assistants.proves("Asking past the end answers an empty page with null ids: older clients read until it comes.")
async def last_page_is_empty(world: World) -> None:
    await world.assistant()
    everything = await _pages(world, "order=desc")

    page = await world.api.get(f"/assistants?after={everything[-1]}")

    expect((page["data"], page["has_more"], page["first_id"], page["last_id"]), ([], False, None, None), "the page")


@assistants.proves("Any name of a model is taken: it is judged when a run calls it.")
async def any_model_is_taken(world: World) -> None:
    made = await world.assistant(model="a-model-that-nobody-has")

    expect(made["model"], "a-model-that-nobody-has", "the model")


@assistants.proves("tool_resources of an assistant are an object, without an id if it has none.", wires=("v2",))
async def resources_are_empty(world: World) -> None:
    made = await world.assistant()

    resources = made.get("tool_resources") or {}
    ids = [id for each in resources.values() if each for found in each.values() for id in found]
    expect(ids, [], "the ids in tool_resources")


@assistants.proves("file_ids of an assistant are a list, empty if it has none.", wires=("v1",))
async def file_ids_are_empty(world: World) -> None:
    expect((await world.assistant())["file_ids"], [], "file_ids")


async def _pages(world: World, order: str) -> list[str]:
    """The ids of a whole list, page by page."""
    found: list[str] = []
    after = ""
    for _ in range(100):
        page = await world.api.get(f"/assistants?limit=100&{order}{after}")
        found += [each["id"] for each in page["data"]]
        if not page["has_more"]:
            return found
        after = f"&after={page['last_id']}"
    raise Unmet("the list of assistants has no end")
