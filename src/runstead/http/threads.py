"""/v1/threads."""

from typing import NamedTuple

from runstead.domain import creation
from runstead.domain.change import Change, DeleteThread, InsertMessage, InsertThread, ReplaceThread, Write
from runstead.domain.resources import THREAD_STORES_EXPIRE
from runstead.http.api import Api, Call, until_settled
from runstead.http.cancelling import cancel_and_wait
from runstead.http.pages import listed
from runstead.http.resources import attach, require_named, resolve, resolve_change
from runstead.wire.base import Deleted, ListPage, MessageId, ThreadId
from runstead.wire.messages import CreateMessage, Message
from runstead.wire.threads import CreateThread, ModifyThread, Thread


async def create_thread(api: Api, call: Call[CreateThread]) -> Thread:
    """Create a thread, with messages if the body has some."""
    id = ThreadId(api.new_id("thread_"))

    async def create() -> Thread:
        new = await new_thread(api, id, call.body)
        await api.journal.commit(Change(writes=(*new.before, InsertThread(new.thread), *new.after)))
        return new.thread

    return await until_settled(create)


class NewThread(NamedTuple):
    """A thread with what is written before and after it."""

    thread: Thread
    before: tuple[Write, ...]
    after: tuple[InsertMessage, ...]


async def new_thread(api: Api, id: ThreadId, body: CreateThread, *, at: str = "") -> NewThread:
    """A thread and its messages; `at` is where its body stands in the request."""
    now = api.now()
    resources, made = await resolve(api, body.tool_resources, at=at, expires_after=THREAD_STORES_EXPIRE)
    messages = await new_messages(api, id, body.messages, now=now, at=f"{at}messages")
    thread = creation.thread(id, body, resources, now=now)
    thread, attached = await attach(api, thread, messages, made)
    return NewThread(thread, (*made, *attached), tuple(map(InsertMessage, messages)))


async def new_messages(
    api: Api, thread_id: ThreadId, bodies: list[CreateMessage] | None, *, now: int, at: str
) -> list[Message]:
    """The messages that come with a thread or a run; `at` is where they stand in the body."""
    bodies = bodies or []
    await require_named(api, bodies, [f"{at}[{i}]." for i in range(len(bodies))])
    return [creation.message(MessageId(api.new_id("msg_")), thread_id, body, now=now) for body in bodies]


async def list_threads(api: Api, call: Call[None]) -> ListPage[Thread]:
    """List threads, or those whose metadata has all the given pairs."""
    return listed(await api.store.page_threads(call.query.page, call.query.metadata))


async def get_thread(api: Api, call: Call[None]) -> Thread:
    """Retrieve a thread."""
    return await api.store.get_thread(ThreadId(call.path["thread_id"]))


async def modify_thread(api: Api, call: Call[ModifyThread]) -> Thread:
    """Change metadata or resources; a run may be active meanwhile."""

    async def modify() -> Thread:
        was = await api.store.get_thread(ThreadId(call.path["thread_id"]))
        resources = await resolve_change(api, call.body.tool_resources)
        thread = creation.modified_thread(was, call.body, resources)
        await api.journal.commit(Change(writes=(ReplaceThread(thread, was=was),)))
        return thread

    return await until_settled(modify)


async def delete_thread(api: Api, call: Call[None]) -> Deleted:
    """Delete a thread with all that is in it; an active run is cancelled first, so that its readers see an end."""
    id = ThreadId(call.path["thread_id"])
    await cancel_and_wait(api, id)
    await api.journal.commit(Change(writes=(DeleteThread(id),)))
    return Deleted(id=id, object="thread.deleted")
