"""What attaching files to messages does to their thread: its tools get to read them."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from runstead.domain import vector_stores
from runstead.domain.file_writes import AddStoreFiles, FileWrite, InsertVectorStore
from runstead.domain.resources import THREAD_STORES_EXPIRE, code_files
from runstead.wire.base import VectorStoreId
from runstead.wire.messages import CreateMessage, ImageFileContent, Message
from runstead.wire.threads import Thread
from runstead.wire.tools import CodeInterpreterResources, FileSearchResources
from runstead.wire.vector_stores import CreateVectorStore


def named_files(body: CreateMessage, at: str = "") -> list[tuple[str, str]]:
    """The files that a message's body names, each with its place in the request."""
    parts = [] if isinstance(body.content, str) else body.content
    images = [
        (part.image_file.file_id, f"{at}content[{i}].image_file.file_id")
        for i, part in enumerate(parts)
        if isinstance(part, ImageFileContent)
    ]
    attached = [(each.file_id, f"{at}attachments[{i}].file_id") for i, each in enumerate(body.attachments or ())]
    return images + attached


def named_for_search(body: CreateMessage, at: str = "") -> list[tuple[str, str]]:
    """Those of them that are for file search and nothing else: code could do something with any file."""
    return [
        (each.file_id, f"{at}attachments[{i}].file_id")
        for i, each in enumerate(body.attachments or ())
        if {tool.type for tool in each.tools} == {"file_search"}
    ]


def has_attachments(messages: Iterable[Message]) -> bool:
    """Whether a thread is changed by these messages."""
    return any(attachment.tools for message in messages for attachment in message.attachments)


def attached(
    thread: Thread, messages: Sequence[Message], store: VectorStoreId | None, new_store: VectorStoreId, *, now: int
) -> tuple[Thread, tuple[FileWrite, ...]]:
    """The thread with these messages' files, and what is written along.

    `store` is the thread's own, if it has one that can take files; otherwise it gets `new_store`.
    """
    resources = thread.tool_resources
    for_code = _for_tool("code_interpreter", messages)
    if for_code:
        held = CodeInterpreterResources(list(dict.fromkeys([*code_files(resources), *for_code])))
        resources = replace(resources, code_interpreter=held)
    for_search = vector_stores.files_of(_for_tool("file_search", messages), None)
    writes: tuple[FileWrite, ...] = ()
    if for_search:
        if store is None:
            store = new_store
            body = CreateVectorStore(expires_after=THREAD_STORES_EXPIRE)
            writes = (InsertVectorStore(vector_stores.vector_store(store, body, now=now)),)
            resources = replace(resources, file_search=FileSearchResources([store]))
        writes = (*writes, AddStoreFiles(store, for_search, now))
    return replace(thread, tool_resources=resources), writes


def _for_tool(tool: str, messages: Iterable[Message]) -> list[str]:
    return [
        attachment.file_id
        for message in messages
        for attachment in message.attachments
        if any(each.type == tool for each in attachment.tools)
    ]
