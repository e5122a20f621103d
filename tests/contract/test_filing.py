"""Files with their contents: what is removed together, what is left behind, and who tidies up."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from obstore.store import MemoryStore

from runstead import filing
from runstead.blobs.contents import StoredContents
from runstead.bus.local import LocalBus
from runstead.domain.change import InsertAssistant, InsertThread, ReplaceAssistant
from runstead.domain.errors import NoFile, Unavailable
from runstead.domain.file_writes import InsertFile
from runstead.executor import housekeeper
from runstead.journal import Journal
from runstead.ports import Blobs, NoContents, Store
from runstead.wire.files import File
from runstead.wire.tools import CodeInterpreterResources, ToolResources
from tests.contract.file_samples import a_file, a_store, store_with
from tests.contract.samples import NOW, a_thread, an_assistant, change


async def piece(contents: bytes = b"abc") -> AsyncIterator[bytes]:
    yield contents


async def listed(blobs: Blobs) -> set[str]:
    return {id async for some in blobs.ids() for id in some}


class OutOfReach(StoredContents):
    """Storage that has just gone away."""

    async def delete(self, id: str) -> None:
        raise Unavailable("gone")


@pytest.fixture
def blobs() -> StoredContents:
    return StoredContents(MemoryStore())


@pytest.fixture
def journal(store: Store) -> Journal:
    return Journal(store, LocalBus())


async def uploaded(store: Store, blobs: Blobs, **fields: int) -> File:
    file = a_file(**fields)
    await blobs.put(file.id, piece())
    await store.commit(filing.kept(file))
    return file


async def test_a_removed_file_is_gone_from_everything_that_named_it(store, blobs, journal) -> None:
    file, other = await uploaded(store, blobs), await uploaded(store, blobs)
    given = ToolResources(CodeInterpreterResources([other.id, file.id]))
    assistant, thread, holder = an_assistant(tool_resources=given), a_thread(tool_resources=given), a_store()
    await store.commit(change(InsertAssistant(assistant), InsertThread(thread)))
    await store.commit(store_with(holder))

    await filing.remove(store, blobs, journal, file.id)

    left = ToolResources(CodeInterpreterResources([other.id]))
    assert (await store.get_assistant(assistant.id)).tool_resources == left
    assert (await store.get_thread(thread.id)).tool_resources == left
    assert await listed(blobs) == {other.id}
    with pytest.raises(NoFile):
        await filing.remove(store, blobs, journal, file.id)


async def test_who_changed_meanwhile_is_read_again(store, blobs) -> None:
    file = await uploaded(store, blobs)
    assistant = an_assistant(tool_resources=ToolResources(CodeInterpreterResources([file.id])))
    await store.commit(change(InsertAssistant(assistant)))

    class Racing(Journal):
        """Somebody renames the assistant between the read and the first commit."""

        is_first = True

        async def commit(self, wanted) -> None:
            if self.is_first:
                self.is_first = False
                await super().commit(change(ReplaceAssistant(replace(assistant, name="Ada"), assistant)))
            await super().commit(wanted)

    await filing.remove(store, blobs, Racing(store, LocalBus()), file.id)

    found = await store.get_assistant(assistant.id)
    assert (found.name, found.tool_resources.code_interpreter) == ("Ada", CodeInterpreterResources([]))


async def test_contents_that_cannot_be_removed_do_not_bring_the_file_back(store, journal) -> None:
    gone = OutOfReach(MemoryStore())
    file = await uploaded(store, gone)

    await filing.remove(store, gone, journal, file.id)

    with pytest.raises(NoFile):
        await store.get_file(file.id)
    assert await filing.orphans(store, gone) == {file.id}


async def test_only_files_whose_time_is_over_are_removed(store, blobs, journal) -> None:
    await uploaded(store, blobs, expires_at=NOW)
    later, never = await uploaded(store, blobs, expires_at=NOW + 1), await uploaded(store, blobs)

    await filing.expire(store, blobs, journal, NOW)

    assert await listed(blobs) == {later.id, never.id}


async def test_a_sweep_removes_what_two_rounds_found_without_a_file(store, blobs) -> None:
    file = await uploaded(store, blobs)
    await blobs.put("file-lost", piece())

    suspects = await filing.sweep(store, blobs, set())
    assert (suspects, await listed(blobs)) == ({"file-lost"}, {file.id, "file-lost"})
    # An upload that ended between two rounds has its contents, and its row comes a moment later.
    await blobs.put("file-new", piece())
    suspects = await filing.sweep(store, blobs, suspects)

    assert (suspects, await listed(blobs)) == ({"file-new"}, {file.id, "file-new"})
    await store.commit(change(InsertFile(a_file(id="file-new"))))
    assert await filing.sweep(store, blobs, suspects) == set()
    assert await listed(blobs) == {file.id, "file-new"}


async def test_two_who_sweep_at_once_do_each_other_no_harm(store, blobs) -> None:
    await blobs.put("file-lost", piece())
    one, other = await filing.sweep(store, blobs, set()), await filing.sweep(store, blobs, set())

    await filing.sweep(store, blobs, one)
    await filing.sweep(store, blobs, other)

    assert await listed(blobs) == set()


async def test_at_the_start_whoever_is_alone_needs_one_round(store, blobs) -> None:
    file = await uploaded(store, blobs)
    await blobs.put("file-lost", piece())

    await housekeeper.tidy(store, blobs)

    assert await listed(blobs) == {file.id}


async def test_storage_that_is_out_of_reach_does_not_keep_a_node_from_starting(store) -> None:
    gone = OutOfReach(MemoryStore())
    await gone.put("file-lost", piece())

    await housekeeper.tidy(store, gone)

    assert await listed(gone) == {"file-lost"}
    with pytest.raises(NoContents):
        await gone.get("file-none")
