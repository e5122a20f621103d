"""Tool resources and attachments against what is there: refused by name, or made into writes."""

from collections.abc import Sequence

from msgspec import UNSET, UnsetType

from runstead.domain import attachments, resources
from runstead.domain.change import Write
from runstead.domain.errors import NotFound
from runstead.domain.resources import Resolved
from runstead.domain.vector_stores import has_expired
from runstead.http.api import Api
from runstead.http.known_ids import in_list, require_files, require_searchable, require_vector_store
from runstead.wire.base import VectorStoreId
from runstead.wire.messages import CreateMessage, Message
from runstead.wire.threads import Thread
from runstead.wire.tool_resources import FileSearchInput, ResourcesChange, ResourcesInput
from runstead.wire.tools import ToolResources
from runstead.wire.vector_stores import StoreExpiry

NOTHING = Resolved(ToolResources())


async def resolve(
    api: Api, given: ResourcesInput | ResourcesChange | None, *, at: str = "", expires_after: StoreExpiry | None = None
) -> Resolved:
    """Raises UnknownFile and WrongPrefix with the place; `at` is where the body stands in the request."""
    if given is None:
        return NOTHING
    resources.refuse_two_kinds(given, at)
    if given.code_interpreter is not None:
        ids = given.code_interpreter.file_ids
        await require_files(api, in_list(ids, f"{at}tool_resources.code_interpreter.file_ids"))
    if given.file_search is not None:
        where = f"{at}tool_resources.file_search"
        for id, param in in_list(given.file_search.vector_store_ids, f"{where}.vector_store_ids"):
            await require_vector_store(api, id, param)
        new = given.file_search.vector_stores if isinstance(given.file_search, FileSearchInput) else []
        for i, store in enumerate(new):
            await require_files(api, in_list(store.file_ids, f"{where}.vector_stores[{i}].file_ids"))
    new_store = VectorStoreId(api.new_id("vs_"))
    return resources.resolved(given, new_store, now=api.now(), expires_after=expires_after, at=at)


async def resolve_change(api: Api, given: ResourcesChange | None | UnsetType) -> ToolResources | None | UnsetType:
    """What modifying makes of it: absent stays absent, and null null."""
    if given is None or given is UNSET:
        return given
    return (await resolve(api, given)).resources


async def require_named(api: Api, bodies: Sequence[CreateMessage], at: Sequence[str]) -> None:
    """Raises UnknownFile and WrongPrefix for the files that messages name, and NotSearchable."""
    places = list(zip(bodies, at, strict=True))
    await require_files(api, [named for body, place in places for named in attachments.named_files(body, place)])
    await require_searchable(
        api, [named for body, place in places for named in attachments.named_for_search(body, place)]
    )


async def attach(
    api: Api, thread: Thread, messages: Sequence[Message], made: Sequence[Write] = ()
) -> tuple[Thread, tuple[Write, ...]]:
    """The thread with the messages' files, and what is written along; `made` is what the same change writes before."""
    if not attachments.has_attachments(messages):
        return thread, ()
    store = await _usable_store(api, thread, is_new=bool(made))
    return attachments.attached(thread, messages, store, VectorStoreId(api.new_id("vs_")), now=api.now())


async def _usable_store(api: Api, thread: Thread, *, is_new: bool) -> VectorStoreId | None:
    """The thread's store, unless it is gone or expired since it was named."""
    id = resources.store_of(thread.tool_resources)
    if id is None or is_new:
        return id
    try:
        return None if has_expired(await api.store.get_vector_store(id), api.now()) else id
    except NotFound:
        return None
