"""Files: written, listed and removed, and who is told to let go of them."""

import pytest
from msgspec.structs import replace

from runstead.domain.change import InsertAssistant, InsertThread, ReplaceAssistant, ReplaceThread
from runstead.domain.errors import NoFile, Stale, UnknownCursor
from runstead.domain.file_writes import DeleteFile, InsertFile
from runstead.ports import PageRequest, Store
from runstead.wire.base import FileId
from runstead.wire.tools import CodeInterpreterResources, ToolResources
from tests.contract.file_samples import a_file
from tests.contract.samples import NOW, a_thread, an_assistant, change


def with_files(*ids: str) -> ToolResources:
    return ToolResources(CodeInterpreterResources(list(ids)))


async def test_what_is_stored_is_read_back_whole(store: Store) -> None:
    file = a_file(filename="Ünïcode \u2028 ☃.txt", bytes=2**40, purpose="vision", expires_at=NOW + 3600)

    await store.commit(change(InsertFile(file)))

    assert await store.get_file(file.id) == file


async def test_what_is_not_there_is_not_found(store: Store) -> None:
    with pytest.raises(NoFile, match="No such File object: file-x"):
        await store.get_file(FileId("file-x"))
    with pytest.raises(NoFile):
        await store.commit(change(DeleteFile(FileId("file-x"))))


async def test_a_deleted_file_is_gone_and_stays_a_cursor(store: Store) -> None:
    first, second, third = a_file(), a_file(), a_file()
    await store.commit(change(*map(InsertFile, (first, second, third))))
    await store.commit(change(DeleteFile(second.id)))

    assert (await store.page_files(PageRequest(order="asc", after=second.id))).items == [third]
    assert (await store.page_files(PageRequest(after=second.id))).items == [first]
    with pytest.raises(NoFile):
        await store.commit(change(DeleteFile(second.id)))


async def test_the_newest_file_s_place_is_not_given_away_again(store: Store) -> None:
    first, second, third = a_file(), a_file(), a_file()
    await store.commit(change(InsertFile(first), InsertFile(second)))
    await store.commit(change(DeleteFile(second.id)))
    await store.commit(change(InsertFile(third)))

    assert (await store.page_files(PageRequest(order="asc", after=second.id))).items == [third]


async def test_a_list_of_one_purpose_holds_no_other(store: Store) -> None:
    image, text = a_file(purpose="vision"), a_file()
    await store.commit(change(InsertFile(image), InsertFile(text)))

    assert (await store.page_files(PageRequest(), "vision")).items == [image]
    # The cursor is a place, whatever the filter lets through.
    assert (await store.page_files(PageRequest(after=text.id), "vision")).items == [image]
    assert (await store.page_files(PageRequest(), "batch")).items == []
    with pytest.raises(UnknownCursor):
        await store.page_files(PageRequest(after="file-x"))


async def test_what_is_known_is_told_from_what_is_not(store: Store) -> None:
    known = [a_file() for _ in range(3)]
    await store.commit(change(*map(InsertFile, known)))

    asked = [known[0].id, "file-x", 'file-"quoted"', known[2].id, known[0].id]
    assert await store.known_files(asked) == {known[0].id, known[2].id}
    assert await store.known_files([]) == set()
    found = await store.find_files(asked)
    assert sorted(found, key=lambda file: file.id) == sorted((known[0], known[2]), key=lambda file: file.id)
    assert await store.find_files([]) == []


async def test_expired_files_are_told_from_the_longest_expired_on(store: Store) -> None:
    late, early, never = a_file(expires_at=NOW + 20), a_file(expires_at=NOW + 10), a_file()
    await store.commit(change(*map(InsertFile, (late, early, never))))

    assert await store.expired_files(NOW + 9, 10) == []
    assert await store.expired_files(NOW + 10, 10) == [early]
    assert await store.expired_files(NOW + 99, 10) == [early, late]
    assert await store.expired_files(NOW + 99, 1) == [early]


async def test_the_name_of_contents_is_this_database_s_own(store: Store) -> None:
    name = await store.contents_name()

    assert len(name) == 16
    assert await store.contents_name() == name


async def test_whoever_gave_a_file_to_code_is_known(store: Store) -> None:
    file, other = a_file(), a_file()
    assistant, thread = an_assistant(tool_resources=with_files(file.id)), a_thread()
    await store.commit(change(InsertFile(file), InsertFile(other), InsertAssistant(assistant), InsertThread(thread)))
    given = replace(thread, tool_resources=with_files(file.id, other.id))
    await store.commit(change(ReplaceThread(given, thread)))

    assert await store.holders_of(file.id) == sorted([assistant.id, thread.id])
    assert await store.holders_of(other.id) == [thread.id]

    await store.commit(change(DeleteFile(file.id)))
    assert await store.holders_of(file.id) == []


async def test_a_file_that_is_gone_is_given_to_nobody(store: Store) -> None:
    file, assistant = a_file(), an_assistant()
    await store.commit(change(InsertFile(file), InsertAssistant(assistant)))
    await store.commit(change(DeleteFile(file.id)))

    for write in (
        InsertAssistant(an_assistant(tool_resources=with_files(file.id))),
        ReplaceAssistant(replace(assistant, tool_resources=with_files(file.id)), assistant),
        InsertThread(a_thread(tool_resources=with_files(file.id))),
    ):
        with pytest.raises(Stale):
            await store.commit(change(write))
    assert await store.get_assistant(assistant.id) == assistant


async def test_keeping_a_file_asks_nothing_of_it(store: Store) -> None:
    """An assistant whose file vanished meanwhile can still be changed."""
    file = a_file()
    assistant = an_assistant(tool_resources=with_files(file.id))
    await store.commit(change(InsertFile(file), InsertAssistant(assistant)))
    await store.commit(change(DeleteFile(file.id)))

    named = replace(assistant, name="Ada")
    await store.commit(change(ReplaceAssistant(named, assistant)))

    assert await store.get_assistant(assistant.id) == named
