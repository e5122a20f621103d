"""/v1/threads/{thread_id}/messages."""

from msgspec import UNSET
from msgspec.structs import replace

from runstead.domain import creation
from runstead.domain.attachments import has_attachments
from runstead.domain.change import AddMessage, Change, DeleteMessage, ReplaceMessage, ReplaceThread, Write
from runstead.http.api import Api, Call, until_settled
from runstead.http.pages import listed
from runstead.http.resources import attach, require_named
from runstead.wire.base import Deleted, ListPage, MessageId, ThreadId
from runstead.wire.messages import CreateMessage, Message, ModifyMessage


async def create_message(api: Api, call: Call[CreateMessage]) -> Message:
    """Add a message; refused while a run is active."""
    thread_id = ThreadId(call.path["thread_id"])
    id = MessageId(api.new_id("msg_"))

    async def create() -> Message:
        await require_named(api, [call.body], [""])
        message = creation.message(id, thread_id, call.body, now=api.now())
        await api.journal.commit(Change(writes=(AddMessage(message), *await _attaching(api, message))))
        return message

    return await until_settled(create)


async def _attaching(api: Api, message: Message) -> tuple[Write, ...]:
    """What a message's files do to its thread."""
    if not has_attachments([message]):
        return ()
    was = await api.store.get_thread(message.thread_id)
    thread, writes = await attach(api, was, [message])
    return (*writes, ReplaceThread(thread, was))


async def list_messages(api: Api, call: Call[None]) -> ListPage[Message]:
    """List a thread's messages, all or one run's."""
    thread_id = ThreadId(call.path["thread_id"])
    return listed(await api.store.page_messages(thread_id, call.query.page, call.query.run_id))


async def get_message(api: Api, call: Call[None]) -> Message:
    """Retrieve a message."""
    return await api.store.get_message(ThreadId(call.path["thread_id"]), MessageId(call.path["message_id"]))


async def modify_message(api: Api, call: Call[ModifyMessage]) -> Message:
    """Change a message's metadata; a run may be active meanwhile."""

    async def modify() -> Message:
        was = await api.store.get_message(ThreadId(call.path["thread_id"]), MessageId(call.path["message_id"]))
        if call.body.metadata is UNSET:
            return was
        message = replace(was, metadata=call.body.metadata or {})
        await api.journal.commit(Change(writes=(ReplaceMessage(message, was=was),)))
        return message

    return await until_settled(modify)


async def delete_message(api: Api, call: Call[None]) -> Deleted:
    """Delete a message."""
    id = MessageId(call.path["message_id"])
    await api.journal.commit(Change(writes=(DeleteMessage(ThreadId(call.path["thread_id"]), id),)))
    return Deleted(id=id, object="thread.message.deleted")
