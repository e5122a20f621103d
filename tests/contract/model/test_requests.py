"""What the adapter sends, and what it learns about a server."""

import asyncio

import pytest

from runstead.domain.errors import ModelFailed
from runstead.model.chat_completions import ChatCompletions
from runstead.wire.models import Model
from tests.contract.model.conftest import QUICK, asking, hear

SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


async def test_only_what_was_asked_for_is_sent(model, upstream):
    await upstream.plays({"text": "a"})

    await hear(model, asking(upstream.name, temperature=0.5))

    [request] = await upstream.requests()
    assert request["headers"]["Authorization"] == "Bearer sk-a-secret"
    assert request["body"] == {
        "model": upstream.name,
        "messages": [{"role": "user", "content": "Hello there"}],
        "temperature": 0.5,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_names_are_mapped(scripted_url, upstream):
    model = ChatCompletions(scripted_url, model_map={"gpt-4o": upstream.name})
    await upstream.plays({"text": "mapped"})

    assert (await hear(model, asking("gpt-4o"))).text == "mapped"
    await model.close()


@pytest.mark.parametrize(
    ("field", "asked", "sent"),
    [
        ("stream_options", {}, {}),
        ("max_completion_tokens", {"max_completion_tokens": 7}, {"max_tokens": 7}),
        ("parallel_tool_calls", {"tools": TOOLS, "parallel_tool_calls": False}, {}),
        ("reasoning_effort", {"reasoning_effort": "low"}, {}),
    ],
)
async def test_a_refused_field_is_left_out_and_that_is_remembered(model, upstream, field, asked, sent):
    await upstream.plays({"text": "fine"}, repeat=True, refuse=[field])

    texts = [(await hear(model, asking(upstream.name, **asked))).text for _ in range(2)]

    bodies = await upstream.bodies()
    assert texts == ["fine", "fine"]
    assert [field in body for body in bodies] == [True, False, False]
    assert all(sent.items() <= body.items() for body in bodies[1:])


async def test_a_schema_falls_back_to_plain_json(model, upstream):
    refusal = {"status": 400, "body": {"error": {"message": "response_format json_schema is not supported"}}}
    await upstream.plays(refusal, {"text": "{}"})

    await hear(model, asking(upstream.name, response_format=SCHEMA))

    assert [body["response_format"]["type"] for body in await upstream.bodies()] == ["json_schema", "json_object"]


async def test_several_refused_fields_are_learned_in_one_call(model, upstream):
    await upstream.plays({"text": "fine"}, refuse=["stream_options", "max_completion_tokens", "reasoning_effort"])

    heard = await hear(model, asking(upstream.name, max_completion_tokens=7, reasoning_effort="low"))

    assert heard.text == "fine"
    assert len(await upstream.bodies()) == 4


async def test_what_did_not_help_is_not_remembered(model, upstream):
    refusal = {"status": 400, "body": {"error": {"message": "stream_options and everything else is bad"}}}
    await upstream.plays(refusal, refusal, {"text": "fine"})

    with pytest.raises(ModelFailed):
        await hear(model, asking(upstream.name))
    await hear(model, asking(upstream.name))

    assert ["stream_options" in body for body in await upstream.bodies()] == [True, False, True]


async def test_the_window_is_the_settings_or_the_servers_or_a_default(scripted_url, upstream):
    await upstream.plays({"text": "a"}, card={"max_model_len": 4096})
    told = ChatCompletions(scripted_url, model_map={"mine": upstream.name})
    fixed = ChatCompletions(scripted_url, window=1000)
    absent = ChatCompletions("http://127.0.0.1:1/v1")

    assert [await told.window("mine"), await told.window("another")] == [4096, 128_000]
    assert [await fixed.window("mine"), await absent.window("mine")] == [1000, 128_000]
    for model in (told, fixed, absent):
        await model.close()


async def test_models_are_listed(model, upstream):
    await upstream.plays({"text": "a"})

    assert Model(id=upstream.name, created=1_760_000_000, owned_by="runstead") in await model.list_models()
    assert "answers and lists" in await model.check()


async def test_a_proxy_is_given_the_request_and_its_credentials(scripted_url, upstream, monkeypatch):
    await upstream.plays({"text": "by proxy"})
    monkeypatch.setenv("http_proxy", scripted_url.replace("http://", "http://user:word@").removesuffix("/v1"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    model = ChatCompletions("http://models.example/v1", key="sk-a-secret")

    assert (await hear(model, asking(upstream.name))).text == "by proxy"
    [request] = await upstream.requests()
    assert request["headers"]["Host"] == "models.example"
    assert request["headers"]["Authorization"] == "Bearer sk-a-secret"
    assert request["headers"]["Proxy-Authorization"] == "Basic dXNlcjp3b3Jk"
    await model.close()


async def test_a_tunnel_is_asked_for_without_the_key(monkeypatch):
    asked: asyncio.Queue[bytes] = asyncio.Queue()

    async def refuse(reader, writer):
        await asked.put(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://user:word@127.0.0.1:{port}")
        model = ChatCompletions("https://models.example/v1", key="sk-a-secret", retry=QUICK)
        with pytest.raises(ModelFailed, match="RUNSTEAD_MODEL_URL"):
            await hear(model, asking("m"))
        await model.close()

    request = await asked.get()
    assert request.startswith(b"CONNECT models.example:443")
    assert b"Proxy-Authorization: Basic dXNlcjp3b3Jk" in request
    assert b"sk-a-secret" not in request
