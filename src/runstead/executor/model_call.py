"""One call of the model for a run: the prompt that fits, the chunks as events, the outcome as a change."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing

from msgspec import Struct
from msgspec.structs import replace

from runstead.domain import prompt, sources, tokens, turn
from runstead.domain.answer import Answer
from runstead.domain.builtin import BuiltinKind
from runstead.domain.errors import ModelFailed
from runstead.domain.prompt import Budget, Prompt
from runstead.domain.records import RunRecord, StepRecord
from runstead.domain.run_lifecycle import Signal
from runstead.domain.speech import Said
from runstead.domain.turn import Concluded
from runstead.ports import Clock, Model, Snapshot
from runstead.wire.runs import LastError, RunIncompleteDetails, Usage

RESERVED = 4_096
"""Tokens of the window kept for the answer when the run sets no limit of its own; an eighth of a small window."""


class Outcome(Struct, frozen=True):
    """What a step of a run concluded, and the answer or the stored step that it came from."""

    concluded: Concluded
    answer: Answer | None = None
    usage: Usage = Usage()
    step: StepRecord | None = None


class _TooLongToGuess(Exception):
    """The prompt's tokens have to be counted."""


def _refuse_to_count(_text: str) -> int:
    raise _TooLongToGuess


class ModelCall:
    """A call that can be aborted at any moment without cost to the others."""

    def __init__(
        self,
        model: Model,
        clock: Clock,
        record: RunRecord,
        emit: Callable[[list[Said]], None],
        about: Mapping[BuiltinKind, str] | None = None,
    ) -> None:
        self._model = model
        self._clock = clock
        self._about = about
        self.record = record
        self._emit = emit
        self._task: asyncio.Task[None] | None = None
        self._is_aborted = False
        self._prompt_tokens = 0
        self.answer: Answer | None = None

    @staticmethod
    def bytes_for(window: int) -> int:
        """How many bytes of stored messages are worth reading: more would not fit the window."""
        return max(window, 1_024) * 8

    def abort(self) -> None:
        """Close the model's connection now; perform() then returns None."""
        if self._task is not None and not self._is_aborted:
            # Once: a second one would cut the closing of the connection short.
            self._task.cancel()
        self._is_aborted = True

    def is_aborted(self) -> bool:
        """Whether abort() was called."""
        return self._is_aborted

    def cut(self, record: RunRecord, signal: Signal, error: LastError | None = None) -> Outcome:
        """The run's end, and what came of the answer until then."""
        concluded = turn.cut(record, self.answer, signal, self.usage, now=self._clock.now(), error=error)
        return Outcome(concluded, self.answer, self.usage)

    async def perform(self, snapshot: Snapshot, window: int) -> Outcome | None:
        """Ask, relay, conclude. None if it was aborted; what came until then is in `answer` and `usage`."""
        left = turn.budget_left(self.record)
        if left is not None and left <= 0:
            details = RunIncompleteDetails("max_completion_tokens")
            return Outcome(turn.exhausted(self.record, details, now=self._clock.now()))
        try:
            asked = await self._build(snapshot, self._budget(window, left))
        except prompt.TooLong:
            details = RunIncompleteDetails("max_prompt_tokens")
            return Outcome(turn.exhausted(self.record, details, now=self._clock.now()))
        self._prompt_tokens = asked.tokens
        answer = self.answer = Answer(
            self.record,
            # Of earlier runs too: they are shown to the model beside those of this one.
            taken_ids=turn.used_call_ids([*snapshot.earlier_steps, *snapshot.steps]),
            left_out=asked.left_out,
            sources=sources.of(snapshot.steps, snapshot.earlier_steps),
        )
        try:
            if not await self._relay(asked, answer):
                return None
        except ModelFailed as failure:
            error = turn.last_error(failure)
            cut = turn.cut(self.record, answer, "failed", self.usage, now=self._clock.now(), error=error)
            return Outcome(cut, answer, self.usage)
        concluded = turn.conclude(self.record, answer, self.usage, now=self._clock.now())
        return Outcome(concluded, answer, self.usage)

    async def _relay(self, asked: Prompt, answer: Answer) -> bool:
        """Turn chunks into events until the model is done; False if aborted."""
        if self.is_aborted():
            return False
        self._task = task = asyncio.current_task()
        assert task is not None
        try:
            async with aclosing(self._model.stream(asked.request)) as chunks:
                async for some in chunks:
                    self._emit(answer.feed(some, int(self._clock.now())))
        except asyncio.CancelledError:
            # Our own abort, not the end of the task: the task goes on and concludes.
            if not self.is_aborted() or task.uncancel() > 0:
                raise
            return False
        finally:
            self._task = None
        return True

    async def _build(self, snapshot: Snapshot, budget: Budget) -> Prompt:
        def build(count: Callable[[str], int]) -> Prompt:
            return prompt.build(
                self.record,
                snapshot.steps,
                snapshot.messages,
                snapshot.earlier_steps,
                older=snapshot.older,
                budget=budget,
                count=count,
                about=self._about,
            )

        try:
            # Never counted, so known only by its bytes: a bound, which is no estimate.
            bounded = build(_refuse_to_count)
            return replace(bounded, tokens=turn.tokens_of(bounded.tokens))
        except _TooLongToGuess:
            # Counting is slow, and loads the ranks the first time: not on the loop.
            return await asyncio.to_thread(build, tokens.count)

    def _budget(self, window: int, completion_left: int | None) -> Budget:
        run = self.record.run
        reserved = min(RESERVED, window // 8) if completion_left is None else min(completion_left, window // 2)
        prompt_left = None if run.max_prompt_tokens is None else run.max_prompt_tokens - self.record.usage.prompt_tokens
        return Budget(window=window - reserved, prompt_left=prompt_left, completion_left=completion_left)

    @property
    def usage(self) -> Usage:
        """The call's tokens: the server's count, or our estimate of what was said so far."""
        answer = self.answer
        if answer is None:
            return Usage()
        if answer.counted is not None:
            return answer.counted
        words = answer.text + "".join(piece for call in answer.written for piece in call.arguments)
        completion = turn.estimate_tokens(words)
        return Usage(self._prompt_tokens, completion, self._prompt_tokens + completion)
