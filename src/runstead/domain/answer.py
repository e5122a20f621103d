"""A model's answer as it comes in: chunks become events at once, and steps and a message at the end.

One answer is one model call. Its text becomes one message step, all its tool calls one tool_calls step.
Text after the first tool call is dropped: its message is closed by then.
"""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from runstead.domain import asked, builtin, ids, run_lifecycle, speech
from runstead.domain.call_pieces import Call, CallDelta, CallPieces
from runstead.domain.citations import Citations
from runstead.domain.records import CallNotes, RunRecord, StepRecord
from runstead.domain.sources import Sources
from runstead.domain.speech import Said
from runstead.wire.base import MessageId, StepId
from runstead.wire.chat import ChatChunk, ChunkToolCall, ChunkUsage
from runstead.wire.events import (
    ImageFileDelta,
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
    Annotation,
    Attachment,
    AttachmentTool,
    ContentPart,
    ImageFile,
    ImageFileContent,
    IncompleteDetails,
    IncompleteReason,
    Message,
    RefusalContent,
    Text,
    TextContent,
)
from runstead.wire.run_steps import (
    CreatedMessage,
    MessageCreation,
    RunStep,
    StepDetails,
    StepStatus,
    StepType,
    ToolCall,
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
    """Collects one answer. `taken_ids` are call ids that its thread has used, `sources` what it may refer to."""

    def __init__(
        self,
        record: RunRecord,
        *,
        taken_ids: Iterable[str] = (),
        left_out: int = 0,
        sources: Sources | None = None,
    ) -> None:
        self._record = record
        self._left_out = left_out
        self._number = record.model_calls + 1
        self._texts: dict[str, Words] = {}
        # Many models begin a turn of tool calls with blank lines; nobody wants a message of those.
        self._held_back: list[str] = []
        self._builtin = {name: kind for kind, name in builtin.names(record.run.tools).items()}
        self._calls = CallPieces(taken_ids, lambda index: self._name("call_", index), self._builtin)
        self._sources = sources
        self._citations = None if sources is None else Citations(sources)
        self._notes: dict[str, CallNotes] = {}
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
        elif self._citations is not None:
            part = TextDelta(spoken.index, self._cited(words, is_first=not spoken.pieces))
        else:
            # API: only the first piece of a text carries its (empty) annotations.
            part = TextDelta(spoken.index, TextPiece(words) if spoken.pieces else TextPiece(words, []))
        spoken.pieces.append(words)
        said.append(("thread.message.delta", MessageDelta(id=message.id, delta=MessageDeltaBody([part]))))

    def _cited(self, words: str, *, is_first: bool) -> TextPiece:
        """A piece of text with the annotations that it settles."""
        assert self._citations is not None
        before = len(self._citations.annotations)
        found = self._citations.take(words)
        return TextPiece(words, speech.indexed(found, before)) if found or is_first else TextPiece(words)

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
        self._say_calls(self._calls.take(piece), said)

    def _say_calls(self, deltas: Sequence[CallDelta], said: list[Said]) -> None:
        for delta in deltas:
            assert self.tool_step is not None
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
        self._say_calls(self._calls.finish(), said)
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
            self._say_calls(self._calls.finish(), said)
            cut_off = replace(self.tool_step, step_details=ToolCalls(self.tool_calls()))
            self.tool_step = run_lifecycle.end_step(cut_off, status, now=now, usage=usage, error=error)
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
        self._show_what_waits(self.message, said)
        content, attachments = self._content(), self._attachments()
        if reason is None:
            self.message = replace(
                self.message, content=content, attachments=attachments, status="completed", completed_at=now
            )
        else:
            self.message = replace(
                self.message,
                content=content,
                attachments=attachments,
                status="incomplete",
                incomplete_details=IncompleteDetails(reason),
                incomplete_at=now,
            )
        self.message_step = run_lifecycle.end_step(self.message_step, status, now=now, usage=usage, error=error)
        said += [speech.of_message(self.message), speech.of_step(self.message_step)]

    def _show_what_waits(self, message: Message, said: list[Said]) -> None:
        """Annotations that only the text's end settles, then the images that code has drawn for this message."""
        if self._citations is None or self._sources is None:
            return
        parts: list[TextDelta | ImageFileDelta | RefusalDelta] = []
        if (text := self._texts.get("text")) is not None:
            before = len(self._citations.annotations)
            found = self._citations.finish()
            if found:
                parts.append(TextDelta(text.index, TextPiece(annotations=speech.indexed(found, before))))
        parts += [
            ImageFileDelta(index, ImageFile(id)) for index, id in enumerate(self._sources.images, len(self._texts))
        ]
        for part in parts:
            said.append(("thread.message.delta", MessageDelta(id=message.id, delta=MessageDeltaBody([part]))))

    def _content(self) -> list[ContentPart]:
        annotations: list[Annotation] = [] if self._citations is None else list(self._citations.annotations)
        parts: list[ContentPart] = [
            TextContent(Text("".join(words.pieces), annotations))
            if kind == "text"
            else RefusalContent("".join(words.pieces))
            for kind, words in self._texts.items()
        ]
        images = () if self._sources is None else self._sources.images
        return [*parts, *(ImageFileContent(ImageFile(id)) for id in images)]

    def _attachments(self) -> list[Attachment]:
        # API: a message bears the files that code has made for it.
        files = () if self._sources is None else dict.fromkeys(self._sources.files)
        return [Attachment(id, [AttachmentTool("code_interpreter")]) for id in files]

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

    @property
    def written(self) -> list[Call]:
        """The calls as the model writes them."""
        return self._calls.calls

    def tool_calls(self) -> list[ToolCall]:
        """The calls as far as they are written."""
        return [asked.as_written(call) for call in self._calls.calls]

    def judge_calls(self, functions: Iterable[str]) -> list[ToolCall]:
        """The calls, now that they are whole: each to be answered, to be performed, or a mistake with its error."""
        known = {*functions, *self._builtin}
        search = 0 if self._sources is None else self._sources.next_search
        calls: list[ToolCall] = []
        for written in self._calls.calls:
            call, notes = asked.judged(written, search, known)
            search += written.kind == "file_search"
            calls.append(call)
            if notes is not None:
                self._notes[call.id] = notes
        return calls

    @property
    def has_open_calls(self) -> bool:
        """Whether a call of a built-in tool is to be performed."""
        return not all(notes.is_done for notes in self._notes.values())

    def step_records(self, usage: Usage) -> list[StepRecord]:
        """The steps to store, in order; one still in progress keeps its usage for its end."""
        return [
            StepRecord(
                step=step,
                model_call=self._number,
                call_usage=usage,
                left_out=self._left_out,
                notes=self._notes if step is self.tool_step else {},
            )
            for step in (self.message_step, self.tool_step)
            if step is not None
        ]
