"""Keys of requests: written with an effect or not at all, known to one of two, forgotten in the end."""

import asyncio
import secrets

import pytest

from runstead.domain.change import InsertThread
from runstead.domain.errors import KeyUsed, NotFound, Stale
from runstead.domain.keyed_requests import KeyedRequest, RememberRequest
from runstead.ports import Store
from tests.contract.samples import NOW, a_record, a_thread, change, claimed, thread_with

NEVER = 2**40


def a_request(key: str | None = None, *, expires_at: int = NEVER) -> RememberRequest:
    place = {"thread_id": "thread_1", "run_id": "run_1"}
    return RememberRequest(key or secrets.token_hex(32), KeyedRequest("what was asked", place), expires_at)


async def test_a_key_is_found_with_what_it_was_used_for(store: Store) -> None:
    asked = a_request()
    assert await store.find_keyed_request(asked.key, NOW) is None

    await store.commit(change(asked, InsertThread(a_thread())))

    assert await store.find_keyed_request(asked.key, NOW) == asked.request
    assert await store.find_keyed_request(a_request().key, NOW) is None


async def test_a_used_key_brings_its_effect_once(store: Store) -> None:
    asked, first, second = a_request(), a_thread(), a_thread()
    await store.commit(change(asked, InsertThread(first)))

    with pytest.raises(KeyUsed):
        await store.commit(change(asked, InsertThread(second)))

    assert await store.get_thread(first.id) == first
    with pytest.raises(NotFound):
        await store.get_thread(second.id)


async def test_of_two_at_once_one_has_the_effect(store: Store) -> None:
    asked, threads = a_request(), [a_thread() for _ in range(8)]

    ends = await asyncio.gather(
        *(store.commit(change(asked, InsertThread(thread))) for thread in threads), return_exceptions=True
    )

    assert sorted(map(type, ends), key=str) == sorted([type(None), *[KeyUsed] * 7], key=str)
    assert await store.get_thread(threads[ends.index(None)].id) == threads[ends.index(None)]


async def test_the_key_is_asked_for_before_a_lock(store: Store) -> None:
    thread = a_thread()
    held = claimed(a_record(thread), owner="node-a", lease_until=NOW + 6)
    asked, made = a_request(), thread_with(thread, held)
    await store.commit(change(asked, *made.writes))

    with pytest.raises(KeyUsed):
        await store.commit(change(asked, *made.writes))


async def test_a_refused_effect_leaves_its_key_free(store: Store) -> None:
    asked, thread = a_request(), a_thread()
    await store.commit(change(InsertThread(thread)))

    with pytest.raises(Stale):
        await store.commit(change(asked, InsertThread(thread)))

    assert await store.find_keyed_request(asked.key, NOW) is None
    await store.commit(change(asked, InsertThread(a_thread())))


async def test_a_key_is_free_again_when_its_time_is_over(store: Store) -> None:
    old = a_request(expires_at=int(NOW))
    await store.commit(change(old, InsertThread(a_thread())))
    assert await store.find_keyed_request(old.key, NOW - 1) == old.request
    assert await store.find_keyed_request(old.key, NOW) is None

    new = RememberRequest(old.key, KeyedRequest("something else", {}), NEVER)
    await store.commit(change(new, InsertThread(a_thread())))

    assert await store.find_keyed_request(old.key, NOW) == new.request
