"""Messages: what a user says, and what a run adds."""

from runstead.conformance.check import Area
from runstead.conformance.world import World, expect, words_of

messages = Area("messages")


@messages.proves("A message's text comes back as a list of blocks with value and annotations, however it was sent.")
async def text_is_a_block(world: World) -> None:
    thread = await world.thread()

    made = await world.api.post(f"/threads/{thread['id']}/messages", {"role": "user", "content": "How are you?"})

    wanted = [{"type": "text", "text": {"value": "How are you?", "annotations": []}}]
    expect(made["content"], wanted, "the content")
    expect((made["role"], made["thread_id"]), ("user", thread["id"]), "role and thread_id")
    expect((made["assistant_id"], made["run_id"]), (None, None), "assistant_id and run_id of a user's message")
    expect(await world.api.get(f"/threads/{thread['id']}/messages/{made['id']}"), made, "the message that is read")


@messages.proves("Content can be a list of text blocks, whose text is a plain string in a request.", wires=("v2",))
async def content_can_be_a_list(world: World) -> None:
    thread = await world.thread()
    content = [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]

    made = await world.api.post(f"/threads/{thread['id']}/messages", {"role": "user", "content": content})

    expect([part["text"]["value"] for part in made["content"]], ["One", "Two"], "the texts")


@messages.proves("An image by its address is kept as it was given.", wires=("v2",))
async def image_by_url_is_kept(world: World) -> None:
    thread = await world.thread()
    image = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}}

    made = await world.api.post(f"/threads/{thread['id']}/messages", {"role": "user", "content": [image]})

    expect(made["content"], [image], "the content")


@messages.proves("A modification changes the metadata and leaves the words.")
async def metadata_is_modified(world: World) -> None:
    thread = await world.thread("Hello")
    [made] = (await world.api.get(f"/threads/{thread['id']}/messages"))["data"]

    changed = await world.api.post(f"/threads/{thread['id']}/messages/{made['id']}", {"metadata": {"seen": "yes"}})

    expect(changed, {**made, "metadata": {"seen": "yes"}}, "the modified message")


@messages.proves("Messages are listed newest first, also those of the same second.")
async def newest_is_first(world: World) -> None:
    thread = await world.thread("One", "Two", "Three")

    listed = (await world.api.get(f"/threads/{thread['id']}/messages"))["data"]

    expect([words_of(each) for each in listed], ["Three", "Two", "One"], "the messages")


@messages.proves("Messages are cut into pages by their ids.")
async def are_paged(world: World) -> None:
    thread = await world.thread("One", "Two", "Three")
    path = f"/threads/{thread['id']}/messages"

    page = await world.api.get(f"{path}?limit=2&order=asc")
    rest = await world.api.get(f"{path}?limit=2&order=asc&after={page['last_id']}")

    expect(([words_of(each) for each in page["data"]], page["has_more"]), (["One", "Two"], True), "the first page")
    expect(([words_of(each) for each in rest["data"]], rest["has_more"]), (["Three"], False), "the second page")


@messages.proves("A message can be deleted, alone.", wires=("v2",))
async def is_deleted(world: World) -> None:
    thread = await world.thread("Stays", "Goes")
    path = f"/threads/{thread['id']}/messages"
    goes, _ = (await world.api.get(path))["data"]

    marker = await world.api.delete(f"{path}/{goes['id']}")

    expect(marker, {"id": goes["id"], "object": "thread.message.deleted", "deleted": True}, "the marker")
    expect([words_of(each) for each in (await world.api.get(path))["data"]], ["Stays"], "what is left")


@messages.proves("The answer of a run names its run and its assistant, and `run_id` finds it.", needs="model")
async def answer_names_its_run(world: World) -> None:
    run = await world.ended()

    found = await world.api.get(f"/threads/{run['thread_id']}/messages?run_id={run['id']}")

    [answer] = found["data"]
    expect((answer["role"], answer["status"]), ("assistant", "completed"), "role and status of the answer")
    expect((answer["run_id"], answer["assistant_id"]), (run["id"], run["assistant_id"]), "run_id and assistant_id")
