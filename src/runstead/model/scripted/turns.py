"""What a test writes: the turns that successive calls of one model are answered with."""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

DialectName = Literal["openai", "vllm", "ollama", "llama.cpp", "litellm"]


class ScriptedCall(Struct, frozen=True, forbid_unknown_fields=True):
    """A tool call; without an id it gets one in the dialect's manner."""

    name: str
    arguments: str = "{}"
    id: str | None = None


class Turn(Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to one call. One of the first group says what; the others say how.

    `chunks` are written in order, objects as `data:` lines, strings byte for byte. `raw` is a whole body.
    A `status` other than 200 answers with `body` as JSON.
    """

    text: str | None = None
    tool_calls: list[ScriptedCall] = []
    reasoning: str | None = None
    refusal: str | None = None
    chunks: list[dict[str, Any] | str] | None = None
    raw: str | None = None
    status: int = 200
    body: Any = None

    pieces: int | None = None
    """How many chunks the text is cut into; by default one a word."""
    argument_pieces: int = 2
    """How many chunks the arguments of each call are cut into, without regard for what the cuts go through."""
    content_type: str = "text/event-stream"
    headers: dict[str, str] = {}
    finish_reason: str | None = None
    usage: dict[str, Any] | None | UnsetType = UNSET
    """Absent: counted, and sent if the request asks for it. Null: never sent. An object: always sent."""
    usage_on_finish: bool = False
    """Usage rides on the chunk with the finish_reason, as older servers do it."""
    indexed: bool = True
    identified: bool = True
    """Whether tool calls bear an index and an id."""
    whole: bool = False
    """A JSON completion is sent although a stream was asked for."""
    delay_ms: float = 0
    hold_before: int | Literal["headers"] | None = None
    """Wait for a release before this chunk, counted from 0."""
    then: Literal["done", "end", "close", "reset", "hang"] = "done"
    """After the last chunk: [DONE]; a proper end without it; a closed socket; a TCP reset; silence."""
    dialect: DialectName = "openai"


class Script(Struct, frozen=True, forbid_unknown_fields=True):
    """The turns of a model. Past the last one the call fails, or the last is repeated."""

    turns: list[Turn] = []
    repeat: bool = False
    refuse: list[str] = []
    """Request fields that are answered with a 400 naming them; such a call uses up no turn."""
    card: dict[str, Any] = field(default_factory=dict)
    """What /v1/models shows of it beside the usual fields."""
