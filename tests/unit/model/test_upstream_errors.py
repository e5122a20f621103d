import json

import pytest

from runstead.model.upstream_errors import MAX_WORDS, Failure, UpstreamError, explain, from_body


def body(**error: object) -> bytes:
    return json.dumps({"error": error}).encode()


OVERFLOWS = {
    "OpenAI": (
        400,
        body(message="This model's maximum context length is 8192 tokens.", code="context_length_exceeded"),
    ),
    "vLLM, older": (
        400,
        b'{"object":"error","message":"This model\'s maximum context length is 4096 tokens.","code":400}',
    ),
    "vLLM, newer": (
        400,
        body(message="The decoder prompt (length 5000) is longer than the maximum model length of 4096.", code=400),
    ),
    "vLLM, completion": (
        400,
        body(message="'max_completion_tokens' is too large: 9. This model's maximum context length is 8", code=400),
    ),
    "llama.cpp": (
        400,
        body(
            code=400,
            message="request (9 tokens) exceeds the available context size (8 tokens)",
            type="exceed_context_size_error",
        ),
    ),
    "Ollama": (400, body(message="prompt too long; exceeded max context length by 12 tokens", type="api_error")),
    "litellm": (400, body(message="litellm.ContextWindowExceededError: the prompt is too long", code="400")),
    "a proxy's 500": (500, body(message="exceeded maximum context length", code="context_length_exceeded")),
}


@pytest.mark.parametrize(("status", "answer"), OVERFLOWS.values(), ids=OVERFLOWS)
def test_a_full_context_is_an_invalid_prompt_and_not_asked_again(status, answer):
    error = from_body(status, answer)

    assert explain(error, "m", 120, None).code == "invalid_prompt"
    assert not error.is_passing


@pytest.mark.parametrize(
    ("status", "answer", "code", "named"),
    [
        (401, body(message="Incorrect API key", code="invalid_api_key"), "server_error", "RUNSTEAD_MODEL_KEY"),
        (403, b"Forbidden", "server_error", "RUNSTEAD_MODEL_KEY"),
        (
            404,
            body(message="The model `m` does not exist", code="model_not_found"),
            "server_error",
            "RUNSTEAD_MODEL_MAP",
        ),
        (404, body(message='model "m" not found, try pulling it first'), "server_error", "RUNSTEAD_MODEL_MAP"),
        (404, b"<html><head><title>404 Not Found</title></head>", "server_error", "RUNSTEAD_MODEL_URL"),
        (400, b'{"error":{"message":"Invalid model name passed in model=m"}}', "server_error", "RUNSTEAD_MODEL_MAP"),
        (429, body(message="Rate limit reached"), "rate_limit_exceeded", "Rate limit reached"),
        (429, body(message="Request too large: tokens per min. Limit 5"), "rate_limit_exceeded", "Limit 5"),
        (429, body(message="You exceeded your quota", code="insufficient_quota"), "rate_limit_exceeded", "quota"),
        (500, b"Internal Server Error", "server_error", "Internal Server Error"),
        (503, b"", "server_error", "503"),
        (400, body(message="temperature must be below 2"), "server_error", "temperature must be below 2"),
        (
            422,
            b'{"detail":[{"loc":["body","top_p"],"msg":"too big","input":"secret"}]}',
            "server_error",
            "body.top_p: too big",
        ),
        (422, b'{"detail":"nope"}', "server_error", "nope"),
        (307, b"", "server_error", "RUNSTEAD_MODEL_URL"),
    ],
)
def test_a_refusal_says_what_to_do(status, answer, code, named):
    failed = explain(from_body(status, answer), "m", 120, None)

    assert failed.code == code
    assert named in failed.message
    assert "secret" not in failed.message


@pytest.mark.parametrize(
    ("failure", "named"),
    [
        (Failure.UNREACHABLE, "RUNSTEAD_MODEL_URL"),
        (Failure.UNTRUSTED, "RUNSTEAD_MODEL_CA"),
        (Failure.CUT, "before the answer was complete"),
        (Failure.SILENT, "sent nothing for 30 seconds"),
        (Failure.NO_COMPLETION, "RUNSTEAD_MODEL_URL"),
    ],
)
def test_a_broken_connection_says_what_to_do(failure, named):
    assert named in explain(UpstreamError("", failure=failure), "m", 30, None).message


@pytest.mark.parametrize(
    ("status", "answer", "passing"),
    [
        (429, b"", True),
        (429, body(code="insufficient_quota"), False),
        (500, b"", True),
        (503, b"", True),
        (400, b"", False),
        (401, b"", False),
        (404, b"", False),
        (None, body(message="x", code=503), True),
        (None, body(message="x"), False),
    ],
)
def test_only_what_may_pass_is_asked_again(status, answer, passing):
    assert from_body(status, answer).is_passing is passing


def test_the_key_is_never_repeated():
    error = from_body(401, body(message="the key sk-very-secret is unknown"))

    assert "sk-very-secret" not in explain(error, "m", 120, "sk-very-secret").message


def test_the_words_are_bounded_and_printable():
    message = explain(
        from_body(500, json.dumps({"error": "\0\ud800" + "long " * 5000}).encode()), "m", 120, None
    ).message

    assert len(message) < MAX_WORDS + 100
    assert "\0" not in message
    message.encode()


@pytest.mark.parametrize(
    "answer", [b"", b"\xff\xfe", b"null", b"[]", b"7", b'{"error":[]}', b'{"error":' + b"[" * 200_000]
)
def test_any_body_can_be_read(answer):
    assert explain(from_body(500, answer), "m", 120, None).code == "server_error"
