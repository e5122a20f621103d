"""Files with their contents: what has to happen in which order, so that no row is ever without its bytes.

Contents are put before the row is committed and removed after it is gone. What a crash leaves in between are contents
without a row, which nobody sees and `sweep` removes.
"""

import structlog
from msgspec.structs import replace

from runstead.domain.change import Change, ReplaceAssistant, ReplaceThread, Write
from runstead.domain.errors import NoFile, NotFound, Stale, Unavailable
from runstead.domain.file_writes import DeleteFile, InsertFile
from runstead.journal import Commits
from runstead.ports import Blobs, Store
from runstead.wire.base import AssistantId, FileId, ThreadId
from runstead.wire.files import File
from runstead.wire.tools import CodeInterpreterResources, ToolResources

log = structlog.get_logger(__name__)

TRIES = 50


def kept(file: File) -> Change:
    """What is committed once the contents are stored."""
    return Change(writes=(InsertFile(file),))


async def remove(store: Store, blobs: Blobs, journal: Commits, id: FileId) -> None:
    """Remove a file from everything that names it, and then its contents. Raises NoFile, Unavailable."""
    for _ in range(TRIES):
        await store.get_file(id)
        writes = [write for holder in await store.holders_of(id) if (write := await _without(store, holder, id))]
        try:
            await journal.commit(Change(writes=(*writes, DeleteFile(id))))
        except Stale:
            continue
        break
    else:
        raise Unavailable("The file is in use by too many at once; try again.")
    try:
        await blobs.delete(id)
    except Unavailable as error:
        log.warning("contents of a deleted file were not removed yet", file_id=id, reason=str(error))


async def _without(store: Store, holder: str, id: FileId) -> Write | None:
    """How an assistant or a thread loses a file, if it still has it."""
    try:
        if holder.startswith("asst_"):
            assistant = await store.get_assistant(AssistantId(holder))
            left = _less(assistant.tool_resources, id)
            return None if left is None else ReplaceAssistant(replace(assistant, tool_resources=left), assistant)
        thread = await store.get_thread(ThreadId(holder))
        left = _less(thread.tool_resources, id)
        return None if left is None else ReplaceThread(replace(thread, tool_resources=left), thread)
    except NotFound:
        return None


def _less(resources: ToolResources, id: FileId) -> ToolResources | None:
    held = resources.code_interpreter.file_ids if resources.code_interpreter else []
    if id not in held:
        return None
    return replace(resources, code_interpreter=CodeInterpreterResources([each for each in held if each != id]))


async def expire(store: Store, blobs: Blobs, journal: Commits, now: float) -> None:
    """Remove files whose time is over. Several nodes may do so at once."""
    for file in await store.expired_files(now, limit=100):
        try:
            await remove(store, blobs, journal, file.id)
        except NoFile:
            continue
        log.info("file expired", file_id=file.id)


async def orphans(store: Store, blobs: Blobs) -> set[str]:
    """Contents that no file has at the moment; those of uploads that have not ended are among them."""
    found: set[str] = set()
    async for ids in blobs.ids():
        found |= set(ids) - await store.known_files(ids)
    return found


async def sweep(store: Store, blobs: Blobs, suspects: set[str]) -> set[str]:
    """Remove contents that were orphans when `suspects` were looked for and are so still; what is suspect now.

    Between an upload's last byte and its row lie moments, between two rounds minutes: what nobody claimed by the second
    one, nobody will.
    """
    now_orphans = await orphans(store, blobs)
    for id in now_orphans & suspects:
        await blobs.delete(id)
        log.info("contents without a file removed", file_id=id)
    return now_orphans - suspects
