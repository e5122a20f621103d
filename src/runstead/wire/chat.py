"""Chat completions: what a run asks of a model server, and the chunks it answers with.

Chunks are read into partial structs: servers differ, so every field may be missing and unknown ones are skipped.
They are many, and no cycle can run through them, so the garbage collector need not know them (`gc=False`).
"""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType


class ChatFunction(Struct, frozen=True):
    """A call as the model is reminded of it."""

    name: str
    arguments: str


class ChatToolCall(Struct, frozen=True, kw_only=True):
    """A call of an earlier turn."""

    id: str
    type: Literal["function"] = "function"
    function: ChatFunction


class ChatText(Struct, frozen=True, tag_field="type", tag="text"):
    """A text part."""

    text: str


class ChatImageUrl(Struct, frozen=True):
    """Where an image is; data: URLs included."""

    url: str
    detail: str = "auto"


class ChatImage(Struct, frozen=True, tag_field="type", tag="image_url"):
    """An image part."""

    image_url: ChatImageUrl


class ChatMessage(Struct, frozen=True, kw_only=True):
    """One message of the prompt; `content` is null only beside tool calls."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[ChatText | ChatImage] | None = None
    tool_calls: list[ChatToolCall] | UnsetType = UNSET
    tool_call_id: str | UnsetType = UNSET


class ChatRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A streaming chat completion; absent fields are not sent, so that odd servers are not disturbed."""

    model: str
    messages: list[ChatMessage]
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_completion_tokens: int | None = None
    reasoning_effort: str | None = None


class ChunkFunction(Struct, frozen=True, gc=False):
    """A piece of a call."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class ChunkToolCall(Struct, frozen=True, gc=False):
    """A piece of one call; some servers send neither index nor id."""

    index: int | None = None
    id: str | None = None
    function: ChunkFunction | None = None


class ChunkDelta(Struct, frozen=True, gc=False):
    """What a chunk adds to the answer."""

    content: str | None = None
    refusal: str | None = None
    tool_calls: list[ChunkToolCall] | None = None


class ChunkChoice(Struct, frozen=True, gc=False):
    """One choice; only the first is read."""

    delta: ChunkDelta | None = None
    finish_reason: str | None = None


class ChunkUsage(Struct, frozen=True, gc=False):
    """Tokens, as the server counts them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


class ChatChunk(Struct, frozen=True, gc=False):
    """One server-sent chunk."""

    choices: list[ChunkChoice] | None = None
    usage: ChunkUsage | None = None
