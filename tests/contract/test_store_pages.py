"""Lists: one order, cursors from both sides, and what counts as a cursor."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runstead.domain.change import (
    DeleteAssistant,
    DeleteMessage,
    InsertAssistant,
    InsertMessage,
    InsertRun,
    InsertStep,
    InsertThread,
    ReplaceThread,
)
from runstead.domain.errors import NotFound, UnknownCursor
from runstead.ports import Page, PageRequest, Store
from tests.contract.samples import (
    SetClock,
    a_message,
    a_record,
    a_step,
    a_thread,
    an_assistant,
    change,
    ended,
    thread_with,
)

# The store is filled once and then only read, so that examples may share it.
READS_ONLY = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

Read = Callable[[PageRequest], Awaitable[Page[Any]]]


def expected(ids: Sequence[str], page: PageRequest) -> tuple[Sequence[str], bool]:
    """What a page holds, by the plainest means. `ids` are in the order of creation."""
    listed = ids if page.order == "asc" else ids[::-1]
    if page.before is not None:
        listed = listed[: listed.index(page.before)]
    if page.after is not None:
        listed = listed[listed.index(page.after) + 1 :] if page.after in listed else []
    return listed[: page.limit], len(listed) > page.limit


async def fill(store: Store) -> dict[str, tuple[list[str], Read]]:
    """Seven of everything, made in one second, among others of their kind; each list's ids and how it is read."""
    thread, other = a_thread(), a_thread()
    record = ended(a_record(thread))
    await store.commit(thread_with(thread, record))
    await store.commit(change(InsertThread(other)))
    assistants = [an_assistant() for _ in range(7)]
    messages = [a_message(thread, run_id=record.run.id if n % 2 else None) for n in range(14)]
    runs = [record, *(ended(a_record(thread)) for _ in range(6))]
    steps = [a_step(record) for _ in range(7)]
    stranger = ended(a_record(other))
    await store.commit(change(InsertRun(stranger)))
    for n in range(7):
        await store.commit(
            change(
                InsertAssistant(assistants[n]),
                InsertMessage(messages[2 * n]),
                InsertMessage(messages[2 * n + 1]),
                InsertMessage(a_message(other)),
                InsertStep(steps[n]),
                InsertStep(a_step(stranger)),
                *([InsertRun(runs[n])] if n else []),
                InsertRun(ended(a_record(other))),
            )
        )
    # A gap in the order, as deletions leave them.
    await store.commit(change(DeleteMessage(thread.id, messages.pop(4).id)))
    return {
        "assistants": ([item.id for item in assistants], store.page_assistants),
        "messages": ([item.id for item in messages], lambda page: store.page_messages(thread.id, page)),
        "messages of a run": (
            [item.id for item in messages if item.run_id],
            lambda page: store.page_messages(thread.id, page, record.run.id),
        ),
        "runs": ([item.run.id for item in runs], lambda page: store.page_runs(thread.id, page)),
        "steps": ([item.step.id for item in steps], lambda page: store.page_steps(thread.id, record.run.id, page)),
        "threads": ([thread.id, other.id], lambda page: store.page_threads(page, {})),
    }


LISTS = ["assistants", "messages", "messages of a run", "runs", "steps", "threads"]


async def test_every_page_of_every_list_is_as_a_list_would_give_it(store: Store) -> None:
    lists = await fill(store)

    for ids, read in lists.values():
        for order in ("asc", "desc"):
            for limit in (1, 3, len(ids), len(ids) + 1):
                for after in (None, *ids):
                    for before in (None, *ids):
                        request = PageRequest(limit, order, after, before)
                        page = await read(request)
                        assert ([item.id for item in page.items], page.has_more) == expected(ids, request)


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_following_the_last_id_visits_everything_once(store: Store, name, order) -> None:
    ids, read = (await fill(store))[name]

    visited: list[str] = []
    page = await read(PageRequest(2, order))
    visited += [item.id for item in page.items]
    while page.has_more:
        page = await read(PageRequest(2, order, after=visited[-1]))
        visited += [item.id for item in page.items]

    assert visited == (ids if order == "asc" else ids[::-1])


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("param", ["after", "before"])
async def test_a_cursor_from_nowhere_or_from_another_list_is_refused(store: Store, name, param) -> None:
    lists = await fill(store)
    _, read = lists[name]
    strangers = ["nothing_x", *(ids[0] for other, (ids, _) in lists.items() if other.split()[0] != name.split()[0])]

    for stranger in strangers:
        with pytest.raises(UnknownCursor, match=f"Invalid '{param}'.*{stranger}"):
            await read(msgspec.convert({param: stranger}, PageRequest))


async def test_a_cursor_of_another_threads_list_is_refused(store: Store) -> None:
    thread, other = a_thread(), a_thread()
    record, stranger = ended(a_record(thread)), ended(a_record(other))
    message, step = a_message(other), a_step(stranger)
    await store.commit(thread_with(thread, record))
    await store.commit(thread_with(other, stranger))
    await store.commit(change(InsertMessage(message), InsertStep(step)))

    for asked in (
        store.page_messages(thread.id, PageRequest(after=message.id)),
        store.page_runs(thread.id, PageRequest(after=stranger.run.id)),
        store.page_steps(thread.id, record.run.id, PageRequest(after=step.step.id)),
    ):
        with pytest.raises(UnknownCursor):
            await asked


async def test_of_two_unknown_cursors_after_is_named(store: Store) -> None:
    with pytest.raises(UnknownCursor, match="Invalid 'after'"):
        await store.page_assistants(PageRequest(after="x", before="y"))


async def test_an_empty_list_is_an_empty_page(store: Store) -> None:
    assert await store.page_assistants(PageRequest()) == Page([], False)


async def test_threads_are_found_by_all_of_the_pairs(store: Store) -> None:
    threads = [a_thread(metadata=metadata) for metadata in ({}, {"a": "1"}, {"a": "1", "b": "2"}, {"a": "2", "b": "2"})]
    for thread in threads:
        await store.commit(change(InsertThread(thread)))

    async def found(metadata):
        return [threads.index(thread) for thread in (await store.page_threads(PageRequest(), metadata)).items]

    assert await found({}) == [3, 2, 1, 0]
    assert await found({"a": "1"}) == [2, 1]
    assert await found({"a": "1", "b": "2"}) == [2]
    assert await found({"b": "2"}) == [3, 2]
    assert await found({"a": ""}) == []
    assert await found({"c": "1"}) == []


async def test_a_client_can_go_on_after_a_thread_that_no_longer_matches(store: Store) -> None:
    threads = [a_thread(metadata={"a": "1"}) for _ in range(3)]
    for thread in threads:
        await store.commit(change(InsertThread(thread)))
    await store.commit(change(ReplaceThread(a_thread(id=threads[1].id), threads[1])))

    page = await store.page_threads(PageRequest(after=threads[1].id), {"a": "1"})

    assert page == Page([threads[0]], False)


Make = Callable[[], Awaitable[str]]
Delete = Callable[[str], Awaitable[None]]


async def deletable(store: Store, name: str) -> tuple[Make, Delete, Read]:
    """How objects of a list are made, deleted and read."""
    thread, other = a_thread(), a_thread()
    await store.commit(change(InsertThread(thread), InsertThread(other)))

    async def make_assistant() -> str:
        assistant = an_assistant()
        await store.commit(change(InsertAssistant(assistant)))
        return assistant.id

    async def make_message() -> str:
        message = a_message(thread, run_id="run_any")
        await store.commit(change(InsertMessage(message)))
        return message.id

    match name:
        case "assistants":
            return make_assistant, lambda old: store.commit(change(DeleteAssistant(old))), store.page_assistants
        case "messages":
            read: Read = lambda page: store.page_messages(thread.id, page)  # noqa: E731
        case _:
            read = lambda page: store.page_messages(thread.id, page, "run_any")  # noqa: E731
    return make_message, lambda old: store.commit(change(DeleteMessage(thread.id, old))), read


DELETABLE = ["assistants", "messages", "messages of a run"]


def ids_of(page: Page[Any]) -> list[str]:
    return [item.id for item in page.items]


@pytest.mark.parametrize("name", DELETABLE)
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_whoever_deletes_what_is_shown_is_shown_everything_once(store: Store, name, order) -> None:
    make, delete, read = await deletable(store, name)
    ids = [await make() for _ in range(7)]

    visited: list[str] = []
    page = await read(PageRequest(2, order))
    while page.items:
        for item in page.items:
            await delete(item.id)
            visited.append(item.id)
        page = await read(PageRequest(2, order, after=visited[-1]))

    assert visited == (ids if order == "asc" else ids[::-1])
    assert (await read(PageRequest())).items == []


@pytest.mark.parametrize("name", DELETABLE)
async def test_a_deleted_object_keeps_its_place_on_both_sides(store: Store, name) -> None:
    make, delete, read = await deletable(store, name)
    a, b, c, d, e = [await make() for _ in range(5)]
    await delete(b)
    await delete(d)

    assert ids_of(await read(PageRequest(order="asc", after=b))) == [c, e]
    assert ids_of(await read(PageRequest(order="asc", before=d))) == [a, c]
    assert ids_of(await read(PageRequest(order="asc", after=b, before=d))) == [c]
    assert ids_of(await read(PageRequest(order="desc", after=d, before=b))) == [c]
    assert ids_of(await read(PageRequest(order="desc", after=d))) == [c, a]
    assert ids_of(await read(PageRequest(order="desc", before=b))) == [e, c]


@pytest.mark.parametrize("name", DELETABLE)
async def test_what_is_made_after_a_deletion_never_takes_the_place(store: Store, name) -> None:
    make, delete, read = await deletable(store, name)
    oldest, middle, newest = [await make() for _ in range(3)]
    await delete(newest)
    await delete(middle)
    made = [await make(), await make()]
    await delete(made.pop())
    made.append(await make())

    for cursor in (middle, newest):
        assert ids_of(await read(PageRequest(order="asc", after=cursor))) == made
        assert ids_of(await read(PageRequest(order="desc", before=cursor))) == made[::-1]
        assert ids_of(await read(PageRequest(order="desc", after=cursor))) == [oldest]
        assert ids_of(await read(PageRequest(order="asc", before=cursor))) == [oldest]


@pytest.mark.parametrize("name", DELETABLE)
async def test_a_place_is_forgotten_after_a_day(store: Store, clock: SetClock, name) -> None:
    make, delete, read = await deletable(store, name)
    ids = [await make() for _ in range(12)]
    for id in ids[:10]:
        await delete(id)
    clock.time += 24 * 3600
    await delete(ids[10])
    assert ids_of(await read(PageRequest(order="asc", after=ids[0]))) == [ids[11]]

    clock.time += 1
    # Each deletion takes a few of the forgotten with it.
    for _ in range(2):
        await delete(await make())

    for id in ids[:10]:
        with pytest.raises(UnknownCursor):
            await read(PageRequest(after=id))
    assert ids_of(await read(PageRequest(order="asc", after=ids[10]))) == [ids[11]]


async def test_a_deleted_object_is_a_cursor_in_its_own_list_only(store: Store) -> None:
    thread, other = a_thread(), a_thread()
    message, assistant = a_message(thread), an_assistant()
    await store.commit(change(InsertThread(thread), InsertThread(other), InsertMessage(message)))
    await store.commit(change(InsertAssistant(assistant)))
    await store.commit(change(DeleteMessage(thread.id, message.id), DeleteAssistant(assistant.id)))

    for asked in (
        store.page_messages(other.id, PageRequest(after=message.id)),
        store.page_messages(thread.id, PageRequest(after=assistant.id)),
        store.page_assistants(PageRequest(after=message.id)),
    ):
        with pytest.raises(UnknownCursor):
            await asked


async def test_a_deletion_that_is_refused_leaves_no_place(store: Store) -> None:
    thread, assistant = a_thread(), an_assistant()
    await store.commit(change(InsertThread(thread), InsertAssistant(assistant)))

    with pytest.raises(NotFound):
        await store.commit(change(DeleteAssistant(assistant.id), DeleteMessage(thread.id, a_message(thread).id)))
    await store.commit(change(DeleteAssistant(assistant.id)))

    assert await store.page_assistants(PageRequest(after=assistant.id)) == Page([], False)


# What the API lets through: U+0000 is refused there, and lone surrogates are no text.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@READS_ONLY
@given(held=st.dictionaries(texts, texts, max_size=3), wanted=st.dictionaries(texts, texts, max_size=2))
async def test_any_character_may_be_in_a_key_or_a_value(store: Store, held, wanted) -> None:
    thread = a_thread(metadata=held)
    await store.commit(change(InsertThread(thread)))

    newest = PageRequest(limit=1)
    assert (await store.page_threads(newest, held)).items == [thread]
    is_found = thread in (await store.page_threads(newest, wanted)).items
    assert is_found == (wanted.items() <= held.items())


@READS_ONLY
@given(data=st.data())
async def test_a_list_model_and_the_store_agree(store: Store, data) -> None:
    newest_first = PageRequest(limit=1)
    if not (await store.page_assistants(newest_first)).items:
        for _ in range(12):
            await store.commit(change(InsertAssistant(an_assistant())))
    ids = [item.id for item in (await store.page_assistants(PageRequest(100, "asc"))).items]
    cursors = st.none() | st.sampled_from(ids)
    request = PageRequest(
        data.draw(st.integers(1, 14)),
        data.draw(st.sampled_from(["asc", "desc"])),
        data.draw(cursors),
        data.draw(cursors),
    )

    page = await store.page_assistants(request)

    assert ([item.id for item in page.items], page.has_more) == expected(ids, request)
