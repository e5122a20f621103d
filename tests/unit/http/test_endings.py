"""Streams whose run has ended without a word: who is asked about, how often, and who is woken."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import cast

import pytest

from runstead.domain.errors import Unavailable
from runstead.http.endings import EVERY, ROUNDS_TO_HEAL, WHEN_CUT_OFF, Endings, Listener
from runstead.ports import Store, Tail
from runstead.wire.base import RunId
from runstead.wire.events import StreamEvent
from tests.contract.engine.virtual_time import in_virtual_time, the_loop

LONG = 1_000_000.0
EVENT = StreamEvent(1, 0, "thread.run.queued", b"{}")


class Rows:
    """Which runs go on, and what was asked when."""

    def __init__(self, *under_way: str) -> None:
        self.under_way = set(under_way)
        self.asked: list[tuple[float, set[RunId]]] = []
        self.is_down = False

    async def runs_under_way(self, ids: Iterable[RunId]) -> set[RunId]:
        self.asked.append((the_loop().time(), set(ids)))
        if self.is_down:
            raise Unavailable("The line is down.")
        return set(ids) & cast("set[RunId]", self.under_way)


class QueueTail:
    """Gives out what is put in."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[StreamEvent] = asyncio.Queue()

    async def next(self, timeout: float) -> Sequence[StreamEvent]:
        try:
            async with asyncio.timeout(timeout):
                return [await self.events.get()]
        except TimeoutError:
            return []

    async def is_at_end(self) -> bool:
        return self.events.empty()


class House:
    """A node's endings, kept, and its streams."""

    def __init__(self, *under_way: str) -> None:
        self.rows = Rows(*under_way)
        self.is_told = True
        self.endings = Endings(cast(Store, self.rows), is_told=lambda: self.is_told)
        self.keeping = asyncio.create_task(self.endings.keep())

    def stream(self, run_id: str) -> tuple[Listener, QueueTail]:
        listener = Listener(RunId(run_id))
        self.endings.watch(listener)
        return listener, QueueTail()


def waiting(stream: tuple[Listener, QueueTail], timeout: float = LONG) -> "asyncio.Task[Sequence[StreamEvent] | None]":
    listener, tail = stream
    return asyncio.create_task(listener.next(cast(Tail, tail), timeout))


@in_virtual_time
async def test_a_stream_whose_run_rests_is_woken_within_two_rounds() -> None:
    house = House()
    assert await waiting(house.stream("run_ended")) is None
    assert the_loop().time() <= 2 * EVERY


@in_virtual_time
async def test_all_silent_streams_are_asked_for_in_one_statement_and_those_that_go_on_wait_on() -> None:
    house = House("run_a", "run_b")
    streams = [waiting(house.stream(run_id)) for run_id in ("run_a", "run_a", "run_b", "run_ended")]
    assert await streams.pop() is None
    await asyncio.sleep(10 * EVERY)
    assert not any(stream.done() for stream in streams)
    assert [asked for _, asked in house.rows.asked[:2]] == [{"run_a", "run_b", "run_ended"}, {"run_a", "run_b"}]
    moments = [moment for moment, _ in house.rows.asked]
    assert {after - before for before, after in pairwise(moments)} == {EVERY}
    house.rows.under_way.remove("run_a")
    assert [await stream for stream in streams[:2]] == [None, None]
    assert not streams[2].done()
    streams[2].cancel()


@in_virtual_time
async def test_nothing_is_asked_while_events_flow() -> None:
    house = House()
    listener, tail = house.stream("run_talking")
    for _ in range(100):
        wait = waiting((listener, tail))
        await asyncio.sleep(EVERY * 0.9)
        tail.events.put_nowait(EVENT)
        assert await wait == [EVENT]
    assert house.rows.asked == []


@in_virtual_time
async def test_nothing_is_asked_for_who_waits_for_its_reader_or_has_left() -> None:
    house = House()
    slow, gone = house.stream("run_of_a_slow_reader"), house.stream("run_of_nobody")
    house.endings.forget(gone[0])
    left = waiting(gone)
    await asyncio.sleep(10 * EVERY)
    assert house.rows.asked == []
    # As soon as it waits for events again it is asked for.
    assert await waiting(slow) is None
    left.cancel()


@in_virtual_time
async def test_a_keep_alive_is_no_event() -> None:
    house = House()
    stream = house.stream("run_ended")
    assert await waiting(stream, EVERY * 0.9) == []
    assert await waiting(stream, EVERY * 0.9) == []
    assert await waiting(stream) is None
    assert the_loop().time() <= 2 * EVERY


@in_virtual_time
async def test_what_is_told_at_the_moment_of_waking_is_not_lost() -> None:
    house = House()
    listener, tail = house.stream("run_ended")
    wait = waiting((listener, tail))
    await the_loop().settled()
    listener.wake()
    tail.events.put_nowait(EVENT)
    told = await wait
    assert told == [EVENT] or [told, tail.events.get_nowait()] == [None, EVENT]


@in_virtual_time
async def test_a_bus_that_is_away_gets_time_to_tell_what_waits_on_other_nodes() -> None:
    house = House()
    house.is_told = False
    wait = waiting(house.stream("run_ended"))
    await asyncio.sleep(1.5 * EVERY)
    house.is_told = True
    await asyncio.sleep((ROUNDS_TO_HEAL - 1) * EVERY)
    assert house.rows.asked == []
    assert await wait is None
    assert the_loop().time() <= (ROUNDS_TO_HEAL + 3) * EVERY


@in_virtual_time
async def test_no_stream_waits_for_ever_for_a_bus_that_is_away() -> None:
    house = House()
    house.is_told = False
    assert await waiting(house.stream("run_ended")) is None
    assert WHEN_CUT_OFF * EVERY <= the_loop().time() <= (WHEN_CUT_OFF + 1) * EVERY


@in_virtual_time
async def test_a_store_that_does_not_answer_is_asked_again() -> None:
    house = House()
    house.rows.is_down = True
    wait = waiting(house.stream("run_ended"))
    await asyncio.sleep(5 * EVERY)
    assert not wait.done()
    house.rows.is_down = False
    assert await wait is None


@in_virtual_time
async def test_a_tails_own_timeout_is_not_taken_for_an_ending() -> None:
    class Failing(QueueTail):
        async def next(self, timeout: float) -> Sequence[StreamEvent]:
            raise TimeoutError

    house = House()
    with pytest.raises(TimeoutError):
        await waiting((house.stream("run_ended")[0], Failing()))
