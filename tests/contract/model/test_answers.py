"""Every way in which servers answer must read the same."""

import json

import pytest

from runstead.model import answer
from tests.contract.model.conftest import Heard, asking, hear

DIALECTS = ["openai", "vllm", "ollama", "llama.cpp", "litellm"]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_text_reads_the_same_in_every_dialect(model, upstream, dialect):
    await upstream.plays({"text": "Grüße aus München", "reasoning": "hidden thoughts", "dialect": dialect})

    heard = await hear(model, asking(upstream.name))

    assert heard.text == "Grüße aus München"
    assert heard.finish_reasons == ["stop"]
    assert heard.usage is not None
    assert heard.usage.prompt_tokens == 2


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_tool_calls_read_the_same_in_every_dialect(model, upstream, dialect):
    await upstream.plays({"tool_calls": [{"name": "f", "arguments": '{"a": 1}'}], "dialect": dialect})

    heard = await hear(model, asking(upstream.name, tools=TOOLS))

    assert heard.names == ["f"]
    assert heard.arguments == '{"a": 1}'
    assert heard.finish_reasons == ["tool_calls"]


async def test_calls_without_index_and_id_pass_through(model, upstream):
    calls = [{"name": "f"}, {"name": "g"}]
    await upstream.plays({"tool_calls": calls, "indexed": False, "identified": False, "dialect": "ollama"})

    heard = await hear(model, asking(upstream.name, tools=TOOLS))

    assert [(call.index, call.id) for call in heard.calls] == [(None, None)] * 2
    assert heard.names == ["f", "g"]


@pytest.mark.parametrize("turn", [{"text": "whole"}, {"tool_calls": [{"name": "f"}]}, {"refusal": "no"}])
async def test_a_completion_in_one_piece_reads_like_a_stream(model, upstream, turn):
    await upstream.plays({**turn, "whole": True})

    heard = await hear(model, asking(upstream.name))

    assert heard.text == turn.get("text", "")
    assert heard.refusal == turn.get("refusal", "")
    assert heard.names == [call["name"] for call in turn.get("tool_calls", [])]
    assert len(heard.finish_reasons) == 1
    assert heard.usage is not None


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}])
async def test_usage_may_be_missing_or_ride_on_the_last_chunk(model, upstream, usage):
    await upstream.plays({"text": "a", "usage": usage, "usage_on_finish": True})

    heard = await hear(model, asking(upstream.name))

    assert (heard.usage is None) == (usage is None)


@pytest.mark.parametrize("then", ["end", "close", "reset"])
async def test_an_answer_that_said_why_it_finished_is_complete(model, upstream, then):
    await upstream.plays({"text": "all of it", "then": then})

    assert (await hear(model, asking(upstream.name))).text == "all of it"


@pytest.mark.parametrize("shape", ["delta", "message"])
async def test_text_may_come_as_a_list_of_parts(model, upstream, shape):
    parts = [{"type": "text", "text": "Hello"}, {"type": "thinking", "text": "Hm"}, {"type": "text", "text": " you"}]
    end = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    said = {"choices": [{shape: {"content": parts}}]}
    await upstream.plays({"chunks": [said, end]} if shape == "delta" else {"raw": json.dumps(said)})

    heard = await hear(model, asking(upstream.name))

    assert heard.text == "Hello you"
    assert heard.finish_reasons == ["stop"]


async def test_counts_that_are_no_whole_numbers_lose_nothing_else(model, upstream):
    usage = {"prompt_tokens": 7.0, "completion_tokens": 2.5, "total_tokens": "many"}
    await upstream.plays({"text": "all of it", "usage": usage, "usage_on_finish": True})

    heard = await hear(model, asking(upstream.name))

    assert heard.finish_reasons == ["stop"]
    assert (heard.usage.prompt_tokens, heard.usage.completion_tokens) == (7, None)


async def test_a_pause_after_an_empty_finish_reason_is_no_end(model, upstream, monkeypatch):
    monkeypatch.setattr(answer, "GRACE", 0.05)
    first, second = ({"choices": [{"delta": {"content": text}, "finish_reason": ""}]} for text in "ab")
    end = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    await upstream.plays({"chunks": [first, second, end], "delay_ms": 200})

    assert (await hear(model, asking(upstream.name))).text == "ab"


async def test_malformed_chunks_are_skipped(model, upstream):
    good = {"choices": [{"delta": {"content": "good"}}]}
    end = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    await upstream.plays({"chunks": [good, "data: {bad\r\n\r\n", ": comment\n\n", good, end]})

    assert (await hear(model, asking(upstream.name))).text == "goodgood"


async def test_chunks_arrive_while_the_server_still_writes(model, upstream):
    await upstream.plays({"text": "first second", "hold_before": 2})
    stream = model.stream(asking(upstream.name))

    begun = Heard(list(await anext(stream)))
    await upstream.release()
    rest = Heard([chunk async for batch in stream for chunk in batch])

    assert (begun.text, rest.text) == ("first", " second")
    assert rest.usage is not None


async def test_leaving_closes_the_connection_at_once(model, upstream):
    await upstream.plays({"text": "first", "then": "hang"})
    stream = model.stream(asking(upstream.name))
    await anext(stream)

    await stream.aclose()

    await upstream.waits(aborted=1)


async def test_cancelling_before_the_first_chunk_closes_the_connection(model, upstream):
    import asyncio

    await upstream.plays({"text": "never", "hold_before": "headers"})
    asked = asyncio.create_task(hear(model, asking(upstream.name)))
    await upstream.waits(held=1)

    asked.cancel()

    await upstream.waits(aborted=1)
    with pytest.raises(asyncio.CancelledError):
        await asked


async def test_many_answers_use_few_connections(model, upstream):
    await upstream.plays({"text": "a b c"}, repeat=True)

    for _ in range(5):
        await hear(model, asking(upstream.name))

    assert len(model._session.connector._conns) == 1


async def test_a_prompt_of_megabytes_is_sent(model, upstream):
    await upstream.plays({"text": "short"})

    heard = await hear(model, asking(upstream.name, text="word " * 500_000))

    assert heard.usage is not None
    assert heard.usage.prompt_tokens == 500_000
