"""Assistants, threads and messages: written, read back, replaced and removed."""

import asyncio

import pytest
from msgspec.structs import replace

from runstead.domain.change import (
    AddMessage,
    DeleteAssistant,
    DeleteMessage,
    DeleteThread,
    InsertAssistant,
    InsertMessage,
    InsertRun,
    InsertStep,
    InsertThread,
    ReplaceAssistant,
    ReplaceMessage,
    ReplaceRun,
    ReplaceThread,
)
from runstead.domain.errors import NotFound, Stale, ThreadLocked
from runstead.ports import PageRequest, Store
from runstead.wire.base import AssistantId, MessageId, ThreadId
from runstead.wire.tools import CodeInterpreterTool, FunctionDefinition, FunctionTool
from tests.contract.samples import a_message, a_record, a_step, a_thread, an_assistant, change, ended, thread_with

GONE = "thread_gone"


async def test_what_is_stored_is_read_back_whole(store: Store) -> None:
    schema = {"type": "object", "properties": {"città": {"type": "string", "minLength": 1e2}}}
    assistant = an_assistant(
        tools=[CodeInterpreterTool(), FunctionTool(FunctionDefinition(name="weather", parameters=schema))],
        metadata={'"quoted" key': "☃", "b": ""},
        temperature=None,
    )
    thread = a_thread(metadata={"a": "1"})
    message = a_message(thread, "Ünïcode \u2028 text")

    await store.commit(change(InsertAssistant(assistant), InsertThread(thread), InsertMessage(message)))

    assert await store.get_assistant(assistant.id) == assistant
    assert await store.get_thread(thread.id) == thread
    assert await store.get_message(thread.id, message.id) == message


async def test_what_is_not_there_is_not_found(store: Store) -> None:
    thread = a_thread()
    await store.commit(change(InsertThread(thread)))

    with pytest.raises(NotFound, match="No assistant found with id 'asst_x'"):
        await store.get_assistant(AssistantId("asst_x"))
    with pytest.raises(NotFound, match="No thread found with id 'thread_x'"):
        await store.get_thread(ThreadId("thread_x"))
    with pytest.raises(NotFound, match="No thread found with id 'thread_x'"):
        await store.get_message(ThreadId("thread_x"), MessageId("msg_x"))
    with pytest.raises(NotFound, match="No message found with id 'msg_x'"):
        await store.get_message(thread.id, MessageId("msg_x"))


async def test_a_message_is_found_in_its_own_thread_only(store: Store) -> None:
    thread, other = a_thread(), a_thread()
    message = a_message(thread)
    await store.commit(change(InsertThread(thread), InsertThread(other), InsertMessage(message)))

    with pytest.raises(NotFound, match="No message found"):
        await store.get_message(other.id, message.id)
    with pytest.raises(NotFound, match="No message found"):
        await store.commit(change(DeleteMessage(other.id, message.id)))


async def test_a_change_is_all_or_nothing(store: Store) -> None:
    thread, orphan = a_thread(), a_message(a_thread(id=GONE))

    with pytest.raises(NotFound, match=GONE):
        await store.commit(change(InsertThread(thread), InsertMessage(a_message(thread)), InsertMessage(orphan)))

    with pytest.raises(NotFound):
        await store.get_thread(thread.id)


async def test_a_change_without_writes_is_nothing(store: Store) -> None:
    await store.commit(change())


async def test_replacing_needs_what_was_read(store: Store) -> None:
    assistant, thread = an_assistant(), a_thread()
    message = a_message(thread)
    await store.commit(change(InsertAssistant(assistant), InsertThread(thread), InsertMessage(message)))

    named = replace(assistant, name="Ada")
    marked = replace(thread, metadata={"k": "v"})
    noted = replace(message, metadata={"k": "v"})
    await store.commit(
        change(ReplaceAssistant(named, assistant), ReplaceThread(marked, thread), ReplaceMessage(noted, message))
    )

    assert await store.get_assistant(assistant.id) == named
    assert await store.get_thread(thread.id) == marked
    assert await store.get_message(thread.id, message.id) == noted
    for late in (
        ReplaceAssistant(replace(assistant, name="Bo"), assistant),
        ReplaceThread(replace(thread, metadata={}), thread),
        ReplaceMessage(replace(message, metadata={"l": "w"}), message),
    ):
        with pytest.raises(Stale):
            await store.commit(change(late))
    assert await store.get_assistant(assistant.id) == named


async def test_of_two_who_read_the_same_one_wins(store: Store) -> None:
    assistant = an_assistant()
    await store.commit(change(InsertAssistant(assistant)))

    outcomes = await asyncio.gather(
        *(store.commit(change(ReplaceAssistant(replace(assistant, name=name), assistant))) for name in "ab"),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes] == [type(None), Stale]
    assert (await store.get_assistant(assistant.id)).name == "a"


async def test_replacing_what_is_gone_is_stale(store: Store) -> None:
    assistant = an_assistant()

    with pytest.raises(Stale):
        await store.commit(change(ReplaceAssistant(assistant, assistant)))


async def test_an_integer_where_a_float_may_be_is_no_change(store: Store) -> None:
    assistant = an_assistant(temperature=1)
    await store.commit(change(InsertAssistant(assistant)))
    read = await store.get_assistant(assistant.id)

    await store.commit(change(ReplaceAssistant(replace(read, name="Ada"), read)))


async def test_a_taken_id_is_stale_and_undoes_its_change(store: Store) -> None:
    assistant, thread = an_assistant(), a_thread()
    await store.commit(change(InsertAssistant(assistant)))

    with pytest.raises(Stale, match=assistant.id):
        await store.commit(change(InsertThread(thread), InsertAssistant(assistant)))

    with pytest.raises(NotFound):
        await store.get_thread(thread.id)


async def test_removed_means_gone_and_only_once(store: Store) -> None:
    assistant, thread = an_assistant(), a_thread()
    message = a_message(thread)
    await store.commit(change(InsertAssistant(assistant), InsertThread(thread), InsertMessage(message)))
    removals = (DeleteAssistant(assistant.id), DeleteMessage(thread.id, message.id), DeleteThread(thread.id))

    for removal in removals:
        await store.commit(change(removal))

    for removal in removals:
        with pytest.raises(NotFound):
            await store.commit(change(removal))


async def test_a_thread_goes_with_all_that_is_in_it(store: Store) -> None:
    thread, other = a_thread(), a_thread()
    record, kept = ended(a_record(thread)), a_record(other)
    message, step = a_message(thread), a_step(record)
    await store.commit(thread_with(other, kept))
    await store.commit(thread_with(thread, record))
    await store.commit(change(InsertMessage(message), InsertStep(step)))

    await store.commit(change(DeleteThread(thread.id)))

    assert await store.find_run(record.run.id) is None
    assert await store.list_steps(record.run.id) == []
    assert await store.find_run(kept.run.id) == kept
    with pytest.raises(NotFound, match="No thread"):
        await store.page_messages(thread.id, PageRequest())


async def test_a_message_cannot_come_to_a_thread_that_was_just_removed(store: Store) -> None:
    thread = a_thread()
    await store.commit(change(InsertThread(thread)))

    outcomes = await asyncio.gather(
        store.commit(change(DeleteThread(thread.id))),
        store.commit(change(AddMessage(a_message(thread)))),
        store.commit(change(InsertMessage(a_message(thread)))),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes] == [type(None), NotFound, NotFound]
    assert str(outcomes[1]) == f"No thread found with id '{thread.id}'."


@pytest.mark.parametrize("status", ["queued", "in_progress", "requires_action", "cancelling"])
async def test_an_active_run_locks_its_thread_for_clients(store: Store, status) -> None:
    thread, other = a_thread(), a_thread()
    record = a_record(thread, status)
    await store.commit(thread_with(thread, record))
    await store.commit(change(InsertThread(other)))

    with pytest.raises(ThreadLocked, match=f"to {thread.id} while a run {record.run.id} is active"):
        await store.commit(change(AddMessage(a_message(thread))))
    await store.commit(change(InsertMessage(a_message(thread)), AddMessage(a_message(other))))

    await store.commit(change(ReplaceRun(ended(record), record), AddMessage(a_message(thread))))
    assert len((await store.page_messages(thread.id, PageRequest())).items) == 2


async def test_the_lock_is_seen_by_who_comes_at_the_same_moment(store: Store) -> None:
    thread = a_thread()
    await store.commit(change(InsertThread(thread)))

    outcomes = await asyncio.gather(
        store.commit(change(InsertRun(a_record(thread)))),
        store.commit(change(AddMessage(a_message(thread)))),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes] == [type(None), ThreadLocked]
