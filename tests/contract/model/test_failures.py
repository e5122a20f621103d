"""Every failure ends in a ModelFailed that says what happened and what to do; what may pass is asked again first."""

import socket

import pytest

from runstead.domain.errors import ModelFailed
from runstead.model.chat_completions import ChatCompletions
from tests.contract.model.conftest import QUICK, asking, hear

GOOD = {"text": "recovered"}
WORD = {"choices": [{"delta": {"content": "word"}}]}
ROLE = {"choices": [{"delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
THOUGHT = {"choices": [{"delta": {"reasoning_content": "Hm"}}]}
OVERLOADED = {"error": {"message": "overloaded", "code": 503}}
BAD_END = {"choices": [{"delta": {}, "finish_reason": "error"}]}


def refusal(status: int, message: str = "the words", **extra: object) -> dict[str, object]:
    headers = extra.pop("headers", {})
    return {"status": status, "headers": headers, "body": {"error": {"message": message, **extra}}}


@pytest.mark.parametrize(
    ("turn", "code", "named", "calls"),
    [
        (refusal(401), "server_error", "RUNSTEAD_MODEL_KEY", 1),
        (refusal(403), "server_error", "RUNSTEAD_MODEL_KEY", 1),
        (refusal(404), "server_error", "RUNSTEAD_MODEL_MAP", 1),
        (refusal(400), "server_error", "the words", 1),
        (refusal(429), "rate_limit_exceeded", "the words", 3),
        (refusal(429, code="insufficient_quota"), "rate_limit_exceeded", "quota", 1),
        (refusal(429, headers={"Retry-After": "60"}), "rate_limit_exceeded", "60 seconds", 1),
        (refusal(500), "server_error", "the words", 3),
        (refusal(503), "server_error", "503", 3),
        (refusal(400, "maximum context length is 5 tokens"), "invalid_prompt", "context", 1),
        (
            refusal(307, headers={"Location": "http://elsewhere.example/v1?q=1"}),
            "server_error",
            "elsewhere.example/v1",
            1,
        ),
        ({"raw": "<html>hi</html>", "content_type": "text/html"}, "server_error", "RUNSTEAD_MODEL_URL", 1),
        ({"raw": '{"not": "a completion"}'}, "server_error", "failed while it answered", 1),
        ({"raw": "data: {bad\n\ndata: [DONE]\n\n"}, "server_error", "RUNSTEAD_MODEL_URL", 1),
        ({"raw": "", "then": "end"}, "server_error", "before the answer was complete", 3),
        ({"chunks": [], "then": "reset"}, "server_error", "before the answer was complete", 3),
        ({"chunks": [{"error": {"message": "the words", "code": 503}}]}, "server_error", "the words", 3),
        ({"chunks": [WORD], "then": "end"}, "server_error", "before the answer was complete", 1),
        ({"chunks": [WORD], "then": "close"}, "server_error", "before the answer was complete", 1),
        ({"chunks": [WORD], "then": "reset"}, "server_error", "before the answer was complete", 1),
        ({"chunks": [WORD, {"error": {"message": "the words"}}]}, "server_error", "the words", 1),
        ({"chunks": [WORD, {"error": {"message": "x", "code": 500}}]}, "server_error", "500", 1),
        ({"chunks": [ROLE, OVERLOADED]}, "server_error", "503", 3),
        ({"chunks": [ROLE, THOUGHT], "then": "reset"}, "server_error", "before the answer was complete", 3),
        ({"chunks": [ROLE, WORD], "then": "reset"}, "server_error", "before the answer was complete", 1),
        ({"chunks": [ROLE, WORD, BAD_END]}, "server_error", "failed while it answered: it gave 'error'", 1),
        ({"chunks": [ROLE, BAD_END]}, "server_error", "failed while it answered: it gave 'error'", 1),
        ({"text": "word", "finish_reason": "error", "whole": True}, "server_error", "it gave 'error'", 1),
        (
            {
                "chunks": [
                    WORD,
                    {"choices": [{"delta": {}, "finish_reason": "error", "error": {"message": "the words"}}]},
                ]
            },
            "server_error",
            "the words",
            1,
        ),
    ],
)
async def test_a_lasting_failure_says_what_to_do(model, upstream, turn, code, named, calls):
    await upstream.plays(turn, repeat=True)

    with pytest.raises(ModelFailed) as failed:
        await hear(model, asking(upstream.name))

    assert failed.value.code == code
    assert named in failed.value.message
    assert "sk-a-secret" not in failed.value.message
    assert len(await upstream.bodies()) == calls


@pytest.mark.parametrize(
    "turn",
    [
        refusal(429),
        refusal(429, headers={"Retry-After": "0"}),
        refusal(429, headers={"retry-after-ms": "1"}),
        refusal(500),
        refusal(502),
        {"chunks": [], "then": "reset"},
        {"chunks": [], "then": "close"},
        {"chunks": [OVERLOADED]},
        {"chunks": [ROLE, OVERLOADED]},
        {"chunks": [ROLE, OVERLOADED], "delay_ms": 50},
        *({"chunks": [ROLE, THOUGHT], "then": then, "delay_ms": 50} for then in ("reset", "close", "end")),
        {"chunks": [{"choices": [{"delta": {}, "finish_reason": "error", "error": {"code": 502, "message": "x"}}]}]},
    ],
)
async def test_a_passing_failure_is_not_noticed(model, upstream, turn):
    await upstream.plays(turn, turn, GOOD)

    assert (await hear(model, asking(upstream.name))).text == "recovered"


async def test_what_came_before_the_first_words_is_passed_on_once(model, upstream):
    thought = {**THOUGHT, "usage": {"prompt_tokens": 7, "completion_tokens": 1}}
    call = {"choices": [{"delta": {"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}}]}
    end = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}
    await upstream.plays(
        {"chunks": [ROLE, thought], "then": "close"},
        {"chunks": [ROLE, thought, thought, call, end], "delay_ms": 50},
    )

    heard = await hear(model, asking(upstream.name))

    assert heard.names == ["f"]
    assert heard.usage is not None
    assert heard.usage.prompt_tokens == 7
    assert sum(chunk.usage is not None for chunk in heard.chunks) == 1


async def test_an_answer_without_words_is_complete(model, upstream):
    await upstream.plays({"chunks": [ROLE, {"choices": [], "usage": {"prompt_tokens": 7}}], "delay_ms": 50})

    heard = await hear(model, asking(upstream.name))

    assert heard.text == ""
    assert heard.usage is not None


async def test_nothing_is_said_twice(model, upstream):
    await upstream.plays({"chunks": [WORD], "then": "reset"}, GOOD)
    stream = model.stream(asking(upstream.name))

    assert len(await anext(stream)) == 1
    with pytest.raises(ModelFailed):
        await anext(stream)
    assert len(await upstream.bodies()) == 1


@pytest.mark.parametrize("turn", [{"text": "a", "hold_before": "headers"}, {"chunks": [WORD], "then": "hang"}])
async def test_silence_has_a_limit(scripted_url, upstream, turn):
    model = ChatCompletions(scripted_url, idle_limit=0.1, retry=QUICK)
    await upstream.plays(turn)

    with pytest.raises(ModelFailed, match=r"sent nothing for 0\.1 seconds"):
        await hear(model, asking(upstream.name))

    await upstream.waits(aborted=1)
    assert len(await upstream.bodies()) == 1
    await model.close()


async def test_a_server_that_is_not_there_names_the_setting():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    model = ChatCompletions(f"http://127.0.0.1:{port}/v1", retry=QUICK)

    with pytest.raises(ModelFailed, match="RUNSTEAD_MODEL_URL"):
        await hear(model, asking("m"))
    with pytest.raises(ModelFailed, match="RUNSTEAD_MODEL_URL"):
        await model.check()
    with pytest.raises(ModelFailed, match="RUNSTEAD_MODEL_URL"):
        await model.list_models()
    await model.close()


async def test_a_wrong_path_names_the_setting(scripted_url):
    model = ChatCompletions(scripted_url.removesuffix("/v1"))

    for asked in (model.check(), hear(model, asking("m"))):
        with pytest.raises(ModelFailed, match="RUNSTEAD_MODEL_URL"):
            await asked
    await model.close()


async def test_a_wrong_prompt_is_refused_by_the_scripted_server(model, upstream):
    request = asking(upstream.name, tool_choice="auto")

    with pytest.raises(ModelFailed, match="tool_choice"):
        await hear(model, request)
