"""A model's answer as it comes in: chunks become events at once, and steps and a message at the end.

One answer is one model call. Its text becomes one message step, all its tool calls one tool_calls step.
Text after the first tool call is dropped: its message is closed by then.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from runstead.domain import ids, speech
from runstead.domain.call_pieces import CallPieces
from runstead.domain.records import RunRecord, StepRecord
from runstead.domain.speech import Said
from runstead.wire.base import MessageId, StepId
from runstead.wire.chat import ChatChunk, ChunkToolCall, ChunkUsage
from runstead.wire.events import (
    MessageDelta,
    MessageDeltaBody,
    RefusalDelta,
    RunStepDelta,
    StepDeltaBody,
    TextDelta,
    TextPiece,
    ToolCallsDelta,
)
from runstead.wire.messages import (
    ContentPart,
    IncompleteDetails,
    IncompleteReason,
    Message,
    RefusalContent,
    Text,
    TextContent,
)
from runstead.wire.run_steps import (
    CreatedMessage,
    FunctionToolCall,
    MessageCreation,
    RunStep,
    StepDetails,
    StepStatus,
    StepType,
    ToolCalls,
)
from runstead.wire.runs import LastError, Usage

MAX_TOKENS = 2**31 - 1
"""Of one call. No server counts as many, and typed clients read the counts as 32-bit numbers."""


class Words:
    """One content part that is being said."""

    __slots__ = ("index", "pieces")

    def __init__(self, index: int) -> None:
        self.index = index
        self.pieces: list[str] = []


class Answer:
    """Collects one answer. `taken_ids` are the call ids the run has used before."""

    def __init__(self, record: RunRecord, *, taken_ids: Iterable[str] = (), left_out: int = 0) -> None:
        self._record = record
        self._left_out = left_out
        self._number = record.model_calls + 1
        self._texts: dict[str, Words] = {}
        # Many models begin a turn of tool calls with blank lines; nobody wants a message of those.
        self._held_back: list[str] = []
        self._calls = CallPieces(taken_ids, lambda index: self._name("call_", index))
        self.message: Message | None = None
        self.message_step: RunStep | None = None
        self.tool_step: RunStep | None = None
        self.finish_reason: str | None = None
        self.usage: ChunkUsage | None = None

    def feed(self, chunks: Iterable[ChatChunk], now: int) -> list[Said]:
        """Take chunks in; the events they make."""
        said: list[Said] = []
        for chunk in chunks:
            if chunk.usage is not None:
                self.usage = chunk.usage
            if not chunk.choices:
                continue
            choice = chunk.choices[0]
            if (delta := choice.delta) is not None:
                if delta.content:
                    self._take_words("text", delta.content, now, said)
                if delta.refusal:
                    self._take_words("refusal", delta.refusal, now, said)
                for piece in delta.tool_calls or ():
                    self._take_call(piece, now, said)
            if choice.finish_reason:
                self.finish_reason = choice.finish_reason
        return said

    def _take_words(self, kind: str, words: str, now: int, said: list[Said]) -> None:
        if self.tool_step is not None:
            return
        if self.message is None:
            self._held_back.append(words)
            if not words.strip():
                return
            words = "".join(self._held_back)
        self._say_words(kind, words, now, said)

    def _say_words(self, kind: str, words: str, now: int, said: list[Said]) -> None:
        message = self.message or self._open_message(now, said)
        spoken = self._texts.get(kind)
        if spoken is None:
            spoken = self._texts[kind] = Words(len(self._texts))
        part: TextDelta | RefusalDelta
        if kind == "refusal":
            part = RefusalDelta(spoken.index, words)
        else:
            # API: only the first piece of a text carries its (empty) annotations.
            part = TextDelta(spoken.index, TextPiece(words) if spoken.pieces else TextPiece(words, []))
        spoken.pieces.append(words)
        said.append(("thread.message.delta", MessageDelta(id=message.id, delta=MessageDeltaBody([part]))))

    def _open_message(self, now: int, said: list[Said]) -> Message:
        run = self._record.run
        self.message = Message(
            id=MessageId(self._name("msg_")),
            created_at=now,
            thread_id=run.thread_id,
            status="in_progress",
            role="assistant",
            content=[],
            assistant_id=run.assistant_id,
            run_id=run.id,
        )
        details = MessageCreation(CreatedMessage(self.message.id))
        self.message_step = self._open_step(details, now, said)
        said.append(("thread.message.created", self.message))
        said.append(("thread.message.in_progress", self.message))
        return self.message

    def _take_call(self, piece: ChunkToolCall, now: int, said: list[Said]) -> None:
        if self.tool_step is None:
            if self.message is not None:
                self._close_message("completed", None, now, said)
            self.tool_step = self._open_step(ToolCalls([]), now, said)
        for delta in self._calls.take(piece):
            payload = RunStepDelta(id=self.tool_step.id, delta=StepDeltaBody(ToolCallsDelta([delta])))
            said.append(("thread.run.step.delta", payload))

    def _open_step(self, details: StepDetails, now: int, said: list[Said]) -> RunStep:
        run = self._record.run
        type: StepType = "message_creation" if isinstance(details, MessageCreation) else "tool_calls"
        step = RunStep(
            id=StepId(self._name("step_", type)),
            created_at=now,
            assistant_id=run.assistant_id,
            thread_id=run.thread_id,
            run_id=run.id,
            type=type,
            status="in_progress",
            step_details=details,
            expires_at=self._record.deadline,
        )
        said += [("thread.run.step.created", step), ("thread.run.step.in_progress", step)]
        return step

    def _name(self, prefix: str, *place: object) -> str:
        return ids.derive(prefix, self._record.run.id, self._record.epoch, self._number, *place)

    def finish(self, now: int, usage: Usage) -> list[Said]:
        """The answer is whole: an open message is completed, an empty answer is one empty text part."""
        said: list[Said] = []
        if self.message is None and self.tool_step is None:
            self._say_words("text", "".join(self._held_back), now, said)
        self._close_message("completed", None, now, said, usage=usage)
        return said

    def cut(
        self,
        status: StepStatus,
        reason: IncompleteReason,
        now: int,
        usage: Usage,
        error: LastError | None = None,
    ) -> list[Said]:
        """The answer ends here: what is open closes with these words, what has closed stays as it is."""
        said: list[Said] = []
        self._close_message(status, reason, now, said, usage=usage, error=error)
        if self.tool_step is not None and self.tool_step.status == "in_progress":
            cut_off = replace(self.tool_step, step_details=ToolCalls(list(self.tool_calls())))
            self.tool_step = _ended(cut_off, status, now, usage, error)
            said.append(speech.of_step(self.tool_step))
        return said

    def _close_message(
        self,
        status: StepStatus,
        reason: IncompleteReason | None,
        now: int,
        said: list[Said],
        *,
        usage: Usage | None = None,
        error: LastError | None = None,
    ) -> None:
        if self.message is None or self.message_step is None or self.message.status != "in_progress":
            return
        if reason is None:
            self.message = replace(self.message, content=self._content(), status="completed", completed_at=now)
        else:
            self.message = replace(
                self.message,
                content=self._content(),
                status="incomplete",
                incomplete_details=IncompleteDetails(reason),
                incomplete_at=now,
            )
        self.message_step = _ended(self.message_step, status, now, usage, error)
        said += [speech.of_message(self.message), speech.of_step(self.message_step)]

    def _content(self) -> list[ContentPart]:
        return [
            TextContent(Text("".join(words.pieces))) if kind == "text" else RefusalContent("".join(words.pieces))
            for kind, words in self._texts.items()
        ]

    @property
    def counted(self) -> Usage | None:
        """The tokens as the server counted them, if it did and they are possible."""
        said = self.usage
        if said is None or said.prompt_tokens is None or said.completion_tokens is None:
            return None
        total = said.prompt_tokens + said.completion_tokens
        if min(said.prompt_tokens, said.completion_tokens) < 0 or total > MAX_TOKENS:
            return None
        return Usage(said.prompt_tokens, said.completion_tokens, total)

    @property
    def text(self) -> str:
        """The words said so far."""
        said = self._texts.get("text")
        return "" if said is None else "".join(said.pieces)

    def tool_calls(self) -> list[FunctionToolCall]:
        """The calls as far as they are written."""
        return self._calls.written()

    def step_records(self, usage: Usage) -> list[StepRecord]:
        """The steps to store, in order; one still in progress keeps its usage for its end."""
        return [
            StepRecord(step=step, model_call=self._number, call_usage=usage, left_out=self._left_out)
            for step in (self.message_step, self.tool_step)
            if step is not None
        ]


_MOMENTS: dict[StepStatus, str] = {
    "completed": "completed_at",
    "failed": "failed_at",
    "cancelled": "cancelled_at",
    "expired": "expired_at",
}


def _ended(step: RunStep, status: StepStatus, now: int, usage: Usage | None, error: LastError | None) -> RunStep:
    return replace(step, status=status, last_error=error, usage=usage, **{_MOMENTS[status]: now})
