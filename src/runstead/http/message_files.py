"""/v1/threads/{thread_id}/messages/{message_id}/files, which only v1 has: the files attached to a message."""

from runstead.domain.errors import NotFound
from runstead.http.api import Api, Call
from runstead.http.pages import listed, page_of
from runstead.wire.base import FileId, ListPage, MessageId, ThreadId
from runstead.wire.messages import Message
from runstead.wire.v1.files import MessageFile
from runstead.wire.v1.messages import files_of


async def list_message_files(api: Api, call: Call[None]) -> ListPage[MessageFile]:
    """List the files attached to a message."""
    message = await _message(api, call)
    return listed(page_of([_shown(message, id) for id in files_of(message)], call.query.page))


async def get_message_file(api: Api, call: Call[None]) -> MessageFile:
    """Retrieve one of the files attached to a message."""
    message, id = await _message(api, call), call.path["file_id"]
    if id not in files_of(message):
        raise NotFound("message file", id)
    return _shown(message, id)


async def _message(api: Api, call: Call[None]) -> Message:
    return await api.store.get_message(ThreadId(call.path["thread_id"]), MessageId(call.path["message_id"]))


def _shown(message: Message, id: str) -> MessageFile:
    return MessageFile(id=FileId(id), created_at=message.created_at, message_id=message.id)
