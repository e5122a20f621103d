"""How the servers in use shape their chunks, as tables of facts; the differences are what clients stumble over."""

from typing import Any, Literal

from msgspec import Struct

from runstead.model.scripted.turns import DialectName


class Dialect(Struct, frozen=True, kw_only=True):
    """What is peculiar to one server's stream."""

    id_prefix: str
    fingerprint: str | None
    role: Literal["own_chunk", "every_chunk", "first_chunk"]
    first_content: str | None = ""
    """The content beside the role, where the role has a chunk of its own."""
    choice: dict[str, Any] = {}
    """Fields that every choice carries."""
    finish: dict[str, Any] = {}
    finish_delta: dict[str, Any] = {}
    omits_null_finish: bool = False
    reasoning_field: str = "reasoning_content"
    call_id_prefix: str = "call_"
    whole_calls: bool = False
    """A call comes in one chunk instead of name first, arguments after."""
    named_calls_stop: bool = False
    """A call forced by a named tool_choice ends with finish_reason stop."""
    usage_choices: list[dict[str, Any]] = []
    usage_extra: dict[str, Any] = {}
    null_usage: bool = False
    """Every chunk carries a null usage once usage was asked for."""


DIALECTS: dict[DialectName, Dialect] = {
    "openai": Dialect(
        id_prefix="chatcmpl-",
        fingerprint="fp_50cad350e4",
        role="own_chunk",
        choice={"logprobs": None},
        null_usage=True,
    ),
    "vllm": Dialect(
        id_prefix="chatcmpl-",
        fingerprint=None,
        role="own_chunk",
        choice={"logprobs": None},
        finish={"stop_reason": None},
        finish_delta={"content": ""},
        reasoning_field="reasoning",
        call_id_prefix="chatcmpl-tool-",
        named_calls_stop=True,
    ),
    "ollama": Dialect(
        id_prefix="chatcmpl-",
        fingerprint="fp_ollama",
        role="every_chunk",
        finish_delta={"role": "assistant", "content": ""},
        reasoning_field="reasoning",
        whole_calls=True,
    ),
    "llama.cpp": Dialect(
        id_prefix="chatcmpl-",
        fingerprint="b6527-7f766929",
        role="own_chunk",
        first_content=None,
        call_id_prefix="",
        usage_extra={"timings": {"prompt_n": 1, "prompt_ms": 1.0, "predicted_n": 1, "predicted_ms": 1.0}},
    ),
    "litellm": Dialect(
        id_prefix="chatcmpl-",
        fingerprint=None,
        role="first_chunk",
        omits_null_finish=True,
        usage_choices=[{"index": 0, "delta": {}}],
    ),
}
