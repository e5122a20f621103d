"""What a reader is told when the bus has lost events: nothing twice, and never less without a word."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from msgspec.structs import replace

from runstead.domain import coarse, speech
from runstead.domain.change import InsertMessage, InsertStep
from runstead.domain.records import RunRecord, StepRecord
from runstead.http.api import Api, RunStream
from runstead.http.endings import Endings
from runstead.http.relay import LAST_WORDS, LOST, REBUILT, Relay, StreamBroken
from runstead.ports import EventsLost, Store
from runstead.store.sqlite import SqliteStore
from runstead.wire.events import StreamEvent
from runstead.wire.messages import Message
from tests.contract.samples import NOW, SetClock, a_call_step, a_message, a_record, a_step, a_thread, change, ended
from tests.contract.samples import thread_with as with_thread
from tests.unit.domain.stream_rules import StreamRules

Batch = Sequence[StreamEvent]
LOSS = "events are lost here"
Script = list[Batch | str]
SILENCE = 1_000.0
"""Seconds: nobody reaches them, since somebody notices that the run rests."""


class ScriptedBus:
    """Every time somebody listens the next script is played; silence follows."""

    def __init__(self, *scripts: Script, kept: Batch = ()) -> None:
        self._scripts = list(scripts)
        self._kept = kept

    async def history(self, run_id: str) -> list[StreamEvent]:
        return list(self._kept)

    @asynccontextmanager
    async def tail(self, run_id: str, after: object) -> AsyncIterator[Any]:
        yield ScriptedTail(self._scripts.pop(0), has_kept=bool(self._kept))


class ScriptedTail:
    def __init__(self, script: Script, *, has_kept: bool) -> None:
        self._script = script
        self._has_kept = has_kept

    async def next(self, timeout: float) -> Batch:
        batch = self._script.pop(0) if self._script else []
        if isinstance(batch, str):
            raise EventsLost
        if not batch and timeout > LAST_WORDS:
            await asyncio.sleep(timeout)
        return batch

    async def is_at_end(self) -> bool:
        # What comes next may not have reached what is kept.
        return self._has_kept or not self._script


class Play:
    """A run that said one message, as it is stored and as it was told."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.endings = Endings(cast(Store, store), is_told=lambda: True)
        self.thread = a_thread()
        self.record = ended(a_record(self.thread, epoch=2, run={"started_at": NOW, "completed_at": NOW}))
        self.step, self.message = said_in(self.record, "Hello")
        self.said = coarse.rebuilt(self.record.run, [self.step.step], {self.message.id: self.message})
        self.events = list(speech.numbered(self.said, epoch=2))

    async def stored(self) -> "Play":
        await self.store.commit(with_thread(self.thread, self.record))
        await self.store.commit(change(InsertMessage(self.message), InsertStep(self.step)))
        return self

    def relay(self, *scripts: Script, after: tuple[int, int] | None = None, kept: Batch = ()) -> Relay:
        async def begin() -> None:
            """It has begun."""

        bus = ScriptedBus(*scripts, kept=kept)
        api = cast(Api, type("Ports", (), {"store": self.store, "bus": bus, "endings": self.endings}))
        return Relay(api, RunStream(self.record.run.id, begin, after))


def said_in(record: RunRecord, words: str) -> tuple[StepRecord, Message]:
    step = a_step(record, completed_at=NOW)
    fields = {"role": "assistant", "run_id": record.run.id, "status": "completed", "completed_at": NOW}
    thread = a_thread(id=record.run.thread_id)
    return step, a_message(thread, words, id=step.step.step_details.message_creation.message_id, **fields)


@pytest.fixture
async def play() -> AsyncIterator[Play]:
    store = await SqliteStore.open_memory(SetClock())
    async with watched(await Play(store).stored()) as play:
        yield play
    await store.close()


@asynccontextmanager
async def watched(play: Play) -> AsyncIterator[Play]:
    """With somebody who looks for endings all the time."""

    async def look() -> None:
        while True:
            await play.endings.once()
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    yield play
    looking.cancel()


async def told_by(relay: Relay, told: list[StreamEvent] | None = None) -> list[StreamEvent]:
    told = [] if told is None else told
    async with relay:
        async for events in relay.batches(SILENCE):
            told += events
    return told


def as_read(told: Sequence[StreamEvent]) -> StreamRules:
    """By a client: places do not matter to it, its picture does."""
    return StreamRules().read(StreamEvent(1, place, event.name, event.data) for place, event in enumerate(told))


@pytest.mark.parametrize("already", [1, 3, 7, 8])
@pytest.mark.parametrize("after", [None, (0, 0)])
async def test_a_reader_that_was_told_something_is_told_of_the_loss_and_nothing_twice(play, already, after) -> None:
    relay = play.relay([play.events[:already], LOSS], [play.events[already:]], after=after)
    told: list[StreamEvent] = []

    with pytest.raises(StreamBroken, match=LOST):
        await told_by(relay, told)

    assert told == play.events[:already]


async def test_a_stream_of_outputs_does_not_end_with_the_wait_for_them(play) -> None:
    waited = StreamEvent(1, 9, "thread.run.requires_action", play.events[-1].data)
    relay = play.relay([[waited], [waited, *play.events]])
    relay.skip_to((2, 0))

    assert await told_by(relay) == play.events


async def test_a_reader_that_was_told_nothing_is_told_the_whole_run_once(play) -> None:
    told = await told_by(play.relay([LOSS], []))

    assert [(event.name, event.data) for event in told] == [(event.name, event.data) for event in play.events]
    assert {event.seq for event in told} == {REBUILT}


@pytest.mark.parametrize("is_at_once", [True, False])
async def test_the_last_words_of_an_epoch_are_missed(play, is_at_once) -> None:
    taken = [StreamEvent(3, 0, "thread.run.step.completed", b"{}"), StreamEvent(3, 1, "thread.run.queued", b"{}")]
    script: Script = [[*play.events[:4], *taken]] if is_at_once else [play.events[:4], taken]
    told: list[StreamEvent] = []

    with pytest.raises(StreamBroken, match=LOST):
        await told_by(play.relay(script, after=(0, 0)), told)

    assert told == play.events[:4]


async def test_a_second_loss_ends_a_stream_with_a_rebuilt_beginning(unfinished: Play) -> None:
    with pytest.raises(StreamBroken, match=LOST):
        await told_by(unfinished.relay([LOSS], [LOSS], []))


async def test_a_silent_end_is_a_loss_to_a_reader_that_was_told_something(play) -> None:
    with pytest.raises(StreamBroken, match=LOST):
        await told_by(play.relay([play.events[:3]]))


async def test_the_last_event_may_come_later_than_its_commit(play) -> None:
    assert await told_by(play.relay([play.events[:-1], [], play.events[-1:]])) == play.events


async def test_a_reader_that_comes_back_before_the_last_events_are_kept_is_told_them(play) -> None:
    kept, late = play.events[:3], play.events[3:]
    seen = (kept[-1].epoch, kept[-1].seq)

    assert await told_by(play.relay([late], after=seen, kept=kept)) == late


async def test_a_reader_that_comes_back_after_the_last_event_is_told_of_the_end_once_more(play) -> None:
    last = play.events[-1]

    told = await told_by(play.relay([], after=(last.epoch, last.seq), kept=play.events))

    assert [(event.name, event.data) for event in told] == [(last.name, last.data)]


class RunningPlay(Play):
    """The same run while it is in progress: its step and its message are in no row yet."""

    async def stored(self) -> "Play":
        running = a_record(
            self.thread, "in_progress", epoch=2, owner="node", run={"id": self.record.run.id, "started_at": NOW}
        )
        await self.store.commit(with_thread(self.thread, running))
        return self


@pytest.fixture
async def unfinished() -> AsyncIterator[Play]:
    store = await SqliteStore.open_memory(SetClock())
    async with watched(await RunningPlay(store).stored()) as play:
        yield play
    await store.close()


async def test_what_had_begun_before_a_rebuilt_beginning_is_told_at_the_end(unfinished: Play) -> None:
    play = unfinished
    relay = play.relay([LOSS], [play.events[6:8], play.events[8:]])
    told: list[StreamEvent] = []
    async with relay:
        async for events in relay.batches(SILENCE):
            if events and not told:
                await play.store.commit(change(InsertMessage(play.message), InsertStep(play.step)))
            told += events

    assert as_read(told).messages[play.message.id]["content"][0]["text"]["value"] == "Hello"
    assert [event.name for event in told] == [event.name for event in play.events]


async def test_a_beginning_that_is_announced_after_it_was_rebuilt_is_not_told_again(unfinished: Play) -> None:
    play = unfinished
    told = await told_by(play.relay([LOSS], [play.events], after=(0, 0)))

    assert [event.name for event in told].count("thread.run.created") == 1
    assert as_read(told).messages[play.message.id]["content"][0]["text"]["value"] == "Hello"


async def test_what_is_sent_again_from_before_a_rebuilt_beginning_is_not_told(unfinished: Play) -> None:
    play = unfinished
    again = [StreamEvent(1, 0, "thread.run.queued", b"{}"), StreamEvent(1, 1, "thread.run.requires_action", b"{}")]
    told = await told_by(play.relay([LOSS], [again, play.events], after=(0, 0)))

    assert {event.epoch for event in told} == {2}
    assert told[-1].name == "thread.run.completed"


async def test_calls_that_were_rebuilt_are_not_told_again_by_their_pieces(unfinished: Play) -> None:
    play = unfinished
    done = a_call_step(play.record, completed_at=NOW)
    waiting = replace(done.step, status="in_progress", completed_at=None)
    await play.store.commit(change(InsertStep(replace(done, step=waiting))))
    live = speech.numbered(coarse.rebuilt(play.record.run, [done.step], {}), epoch=2)

    told = await told_by(play.relay([LOSS], [live], after=(0, 0)))

    [step] = as_read(told).steps.values()
    assert step["step_details"]["tool_calls"][0]["function"]["arguments"] == "{}"
