"""One call of the model: that it can be stopped at any moment, once and for all."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import cast

import pytest

from runstead import ports
from runstead.domain.errors import ModelFailed
from runstead.domain.speech import Said
from runstead.executor.model_call import ModelCall
from runstead.ports import Snapshot
from runstead.wire.chat import ChatChunk, ChatRequest
from runstead.wire.runs import Usage
from tests.unit.domain.making import NOW, a_record, counted, message, words


class Clock:
    def now(self) -> float:
        return NOW + 1.0


class Model:
    """Says a word, then waits; its connection takes its time to close."""

    def __init__(self, *chunks: ChatChunk | BaseException, waits: bool = True) -> None:
        self.chunks = chunks
        self.waits = waits
        self.waiting = asyncio.Event()
        self.closing = asyncio.Event()
        self.closed = asyncio.Event()
        self.requests: list[ChatRequest] = []

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Sequence[ChatChunk], None]:
        self.requests.append(request)
        try:
            for chunk in self.chunks:
                if isinstance(chunk, BaseException):
                    raise chunk
                yield [chunk]
            self.waiting.set()
            if self.waits:
                await asyncio.Event().wait()
        finally:
            self.closing.set()
            if self.waits:
                await self.closed.wait()


def a_call(model: Model, **run):
    record = a_record(run=run)
    said: list[Said] = []
    call = ModelCall(cast("ports.Model", model), Clock(), record, said.extend)
    snapshot = Snapshot(record, [], [message("msg_1", "Hi")], 0, [])
    return call, asyncio.create_task(call.perform(snapshot, 8_192)), said


async def test_an_aborted_call_leaves_what_was_said():
    model = Model(words("Hel"))
    model.closed.set()
    call, task, said = a_call(model)
    await model.waiting.wait()
    call.abort()
    assert await task is None
    assert call.answer.text == "Hel"
    assert task.cancelling() == 0
    assert said


async def test_a_call_may_be_aborted_before_it_begins():
    model = Model()
    call, task, _ = a_call(model)
    call.abort()
    assert await task is None
    assert model.requests == []


async def test_a_second_abort_changes_nothing():
    model = Model(words("Hel"))
    call, task, _ = a_call(model)
    await model.waiting.wait()
    call.abort()
    await model.closing.wait()
    call.abort()
    await asyncio.sleep(0)
    assert not task.done()
    model.closed.set()
    assert await task is None
    assert task.cancelling() == 0


async def test_a_task_that_is_cancelled_ends_though_its_call_was_aborted():
    model = Model(words("Hel"))
    call, task, _ = a_call(model)
    await model.waiting.wait()
    call.abort()
    await model.closing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_is_cancelled_ends():
    model = Model(words("Hel"))
    model.closed.set()
    _, task, _ = a_call(model)
    await model.waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_servers_count_is_taken_before_our_own():
    model = Model(words("Hello"), counted(70, 30), waits=False)
    _, task, _ = a_call(model)
    outcome = await task
    assert outcome.usage == Usage(70, 30, 100)
    assert not outcome.concluded.record.usage_estimated


async def test_without_a_count_tokens_are_estimated_and_marked_so():
    model = Model(words("Hello you"), waits=False)
    _, task, _ = a_call(model)
    outcome = await task
    assert outcome.usage.completion_tokens == 3
    assert 0 < outcome.usage.prompt_tokens < 30
    assert outcome.concluded.record.usage_estimated


async def test_a_failure_of_the_model_is_an_outcome():
    model = Model(words("Hel"), ModelFailed("rate_limit_exceeded", "slow down"), waits=False)
    call, task, _ = a_call(model)
    outcome = await task
    assert outcome.concluded.record.run.last_error.message == "slow down"
    assert outcome.concluded.record.usage_estimated
    assert call.answer.message.status == "incomplete"


@pytest.mark.parametrize("budget", [256, 300])
async def test_no_more_is_asked_for_than_the_run_allows_itself(budget):
    model = Model(words("Hi"), waits=False)
    _, task, _ = a_call(model, max_completion_tokens=budget)
    await task
    assert model.requests[0].max_completion_tokens == budget
