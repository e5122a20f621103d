"""Threads: they begin with messages or without, and take them along when they go."""

from runstead.conformance.check import Area
from runstead.conformance.world import World, expect, words_of

threads = Area("threads")


@threads.proves("A thread can be created without a body.")
async def needs_no_body(world: World) -> None:
    made = await world.api.post("/threads")
    world.keep_track(f"/threads/{made['id']}")

    expect(made["metadata"], {}, "metadata")
    expect(await world.api.get(f"/threads/{made['id']}"), made, "the thread that is read")


@threads.proves("A thread can be created with its first messages, in their order.")
async def begins_with_messages(world: World) -> None:
    made = await world.thread("First", "Second", metadata={"topic": "order"})

    listed = (await world.api.get(f"/threads/{made['id']}/messages?order=asc"))["data"]

    expect([words_of(each) for each in listed], ["First", "Second"], "the messages")
    expect(made["metadata"], {"topic": "order"}, "metadata")


@threads.proves("A modification replaces the metadata as a whole.")
async def metadata_is_replaced(world: World) -> None:
    made = await world.thread(metadata={"a": "1", "b": "2"})

    changed = await world.api.post(f"/threads/{made['id']}", {"metadata": {"b": "3"}})

    expect(changed, {**made, "metadata": {"b": "3"}}, "the modified thread")


@threads.proves("A deleted thread is gone, and so is what it held.")
async def is_deleted_with_its_messages(world: World) -> None:
    made = await world.thread("Hello")
    [message] = (await world.api.get(f"/threads/{made['id']}/messages"))["data"]

    marker = await world.api.delete(f"/threads/{made['id']}")

    expect(marker, {"id": made["id"], "object": "thread.deleted", "deleted": True}, "the marker")
    await world.api.refused(404, "GET", f"/threads/{made['id']}")
    await world.api.refused(404, "GET", f"/threads/{made['id']}/messages/{message['id']}")
    await world.api.refused(404, "GET", f"/threads/{made['id']}/messages")


@threads.proves("Messages of the assistant can be put into a new thread, to carry a conversation over.")
async def takes_earlier_answers(world: World) -> None:
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]
    made = await world.api.post("/threads", {"messages": said})
    world.keep_track(f"/threads/{made['id']}")

    listed = (await world.api.get(f"/threads/{made['id']}/messages?order=asc"))["data"]

    expect([each["role"] for each in listed], ["user", "assistant"], "the roles")
