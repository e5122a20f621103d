"""/v1/threads."""

from runstead.domain import creation
from runstead.domain.change import Change, DeleteThread, InsertMessage, InsertThread, ReplaceThread
from runstead.http.api import Api, Call, until_settled
from runstead.http.cancelling import cancel_and_wait
from runstead.wire.base import Deleted, MessageId, ThreadId
from runstead.wire.messages import CreateMessage, Message
from runstead.wire.threads import CreateThread, ModifyThread, Thread


async def create_thread(api: Api, call: Call[CreateThread]) -> Thread:
    """Create a thread, with messages if the body has some."""
    now = api.now()
    thread = creation.thread(ThreadId(api.new_id("thread_")), call.body, now=now)
    messages = new_messages(api, thread.id, call.body.messages, now=now, at="messages")
    await api.journal.commit(Change(writes=(InsertThread(thread), *map(InsertMessage, messages))))
    return thread


def new_messages(
    api: Api, thread_id: ThreadId, bodies: list[CreateMessage] | None, *, now: int, at: str
) -> list[Message]:
    """The messages that come with a thread or a run; `at` is where they stand in the body."""
    return [
        creation.message(MessageId(api.new_id("msg_")), thread_id, body, now=now, at=f"{at}[{i}].")
        for i, body in enumerate(bodies or ())
    ]


async def get_thread(api: Api, call: Call[None]) -> Thread:
    """Retrieve a thread."""
    return await api.store.get_thread(ThreadId(call.path["thread_id"]))


async def modify_thread(api: Api, call: Call[ModifyThread]) -> Thread:
    """Change metadata or resources; a run may be active meanwhile."""

    async def modify() -> Thread:
        was = await api.store.get_thread(ThreadId(call.path["thread_id"]))
        thread = creation.modified_thread(was, call.body)
        await api.journal.commit(Change(writes=(ReplaceThread(thread, was=was),)))
        return thread

    return await until_settled(modify)


async def delete_thread(api: Api, call: Call[None]) -> Deleted:
    """Delete a thread with all that is in it; an active run is cancelled first, so that its readers see an end."""
    id = ThreadId(call.path["thread_id"])
    await cancel_and_wait(api, id)
    await api.journal.commit(Change(writes=(DeleteThread(id),)))
    return Deleted(id=id, object="thread.deleted")
