"""Drives one claimed run: read what is stored, ask the domain, perform it, journal the result.

Nothing is remembered between rounds but the lease; every write carries it, and every event asks it first.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, ParamSpec, TypeVar, assert_never

import structlog
from msgspec import Struct
from msgspec.structs import replace

from runstead.domain import builtin, speech, takeover, tool_turn, turn, unleased
from runstead.domain.change import Change, InsertStep, ReplaceRun, ReplaceStep
from runstead.domain.errors import NotFound, Stale, ToolFailed, Unavailable
from runstead.domain.records import RunRecord, StepRecord, with_metadata
from runstead.domain.run_lifecycle import Signal, release
from runstead.domain.speech import Said
from runstead.domain.turn import Action, CallModel, Concluded, End, Rest, RunTools
from runstead.executor.lease import Lease, LeaseLost
from runstead.executor.model_call import ModelCall, Outcome
from runstead.executor.reading_ahead import Ahead, Appetite
from runstead.executor.tool_call import ToolCall
from runstead.journal import Journal
from runstead.ports import Bus, Clock, Model, Snapshot, Store
from runstead.tools.surroundings import Surroundings
from runstead.tools.toolbox import Toolbox
from runstead.wire.events import StreamEvent
from runstead.wire.runs import LastError, Usage

Why = Literal["cancelled", "deadline", "lost", "draining"]
P = ParamSpec("P")
T = TypeVar("T")

STORE_RETRY = 0.25
"""Seconds between tries while the store cannot answer; the end of the lease ends the trying."""

log = structlog.get_logger(__name__)


class Tools(Struct, frozen=True):
    """What drivers are given: the ports, and the limits of a run."""

    store: Store
    bus: Bus
    journal: Journal
    model: Model
    clock: Clock
    max_model_calls: int
    toolbox: Toolbox


class RunDriver:
    """One run under one lease. `fresh` is a claim of a queued run, otherwise it is taken over.

    `ahead` is what was read of the run before its claim. `appetite` learns how much this driver wants to read.
    """

    def __init__(
        self,
        tools: Tools,
        record: RunRecord,
        lease: Lease,
        *,
        fresh: bool,
        ahead: Ahead | None = None,
        appetite: Appetite | None = None,
    ) -> None:
        self.record = record
        self.lease = lease
        self._tools = tools
        self._fresh = fresh
        self._ahead = ahead
        self._appetite = appetite or Appetite()
        self._seq = 0
        self._why: Why | None = None
        self._call: ModelCall | ToolCall | None = None

    def interrupt(self, why: Why) -> None:
        """Stop the call of the model or a tool at once if there is one; the next step meets the reason otherwise."""
        if self._why != "lost":
            self._why = why
        if self._call is not None:
            self._call.abort()

    def learn(self, metadata: dict[str, str]) -> None:
        """Show the run with the metadata that somebody has given it meanwhile."""
        self.record = with_metadata(self.record, metadata)
        if self._call is not None:
            self._call.record = with_metadata(self._call.record, metadata)

    def _was_interrupted_by(self, why: Why) -> bool:
        return self._why == why

    async def drive(self) -> None:
        """Execute the run until it rests or the lease is lost."""
        left = self.record.deadline - self._tools.clock.now()
        timer = asyncio.get_running_loop().call_later(max(0.0, left), self.interrupt, "deadline")
        try:
            await self._begin()
            while await self._step():
                pass
        except LeaseLost:
            log.info("lease lost", run_id=self.record.run.id, epoch=self.record.epoch)
        finally:
            timer.cancel()

    async def _begin(self) -> None:
        if self._fresh:
            self._emit([speech.of_run(self.record.run)])
            return
        if self.record.requeued == self.record.epoch - 1:
            # Whoever queued it again may not have lived to say so. Nobody has spoken since.
            steps = self._ahead.snapshot.steps if self._ahead else await self._steps()
            self._say_again(unleased.taken_in(self.record, steps))
            self._emit([speech.of_run(self.record.run)])
            return
        history = await self._close_what_is_open()
        self._emit(takeover.status(history, self.record.run))

    async def _close_what_is_open(self) -> list[StreamEvent]:
        """Close in the stream what somebody began there and nobody can finish; what was said until then."""
        steps = await self._steps()
        history = await self._tools.bus.history(self.record.run.id)
        again = takeover.unheard(history, self.record, steps)
        self._say_again(again)
        history += again
        self._emit(takeover.closings(history, steps, now=int(self._tools.clock.now())))
        return history

    async def _step(self) -> bool:
        """One round; False when nothing is left to do."""
        if self._why == "lost":
            raise LeaseLost
        if self._why == "draining" and self.record.owner is not None:
            await self._hand_back(None)
            return False
        if self._why == "cancelled":
            self.record = await self._reread()
        match self._next_action():
            case CallModel():
                return await self._conclude(*await self._call_model())
            case RunTools():
                return await self._conclude(*await self._call_tool())
            case End(signal, error):
                await self._commit(await self._ended(signal, error))
                return True
            case Rest():
                return False
            case unreachable:
                assert_never(unreachable)

    def _next_action(self) -> Action:
        return turn.next_action(
            self.record,
            now=self._tools.clock.now(),
            max_model_calls=self._tools.max_model_calls,
            able=self._tools.toolbox.able,
        )

    async def _conclude(self, call: ModelCall | ToolCall | None, outcome: Outcome | None) -> bool:
        """Store what a call came to; False if it was interrupted because the run goes to another worker."""
        if outcome is not None:
            await self._commit(outcome)
        elif self._was_interrupted_by("draining"):
            await self._hand_back(call)
            return False
        return True

    async def _call_model(self) -> tuple[ModelCall | None, Outcome | None]:
        """One model call and its outcome; None if it was interrupted for a reason that ends no run."""
        window = await self._tools.model.window(self.record.run.model)
        snapshot = await self._snapshot(window)
        about = None
        if kinds := builtin.names(self.record.run.tools):
            try:
                about = await self._patiently(self._tools.toolbox.about, kinds, await self._around(snapshot, window))
            except ToolFailed as failure:
                return None, await self._ended("failed", LastError("server_error", str(failure)))
        call = self._call = ModelCall(self._tools.model, self._tools.clock, self.record, self._emit, about)
        if self._why is not None:
            call.abort()
        try:
            outcome = await call.perform(snapshot, window)
        finally:
            self._call = None
        return call, outcome or await self._interrupted(call)

    async def _call_tool(self) -> tuple[ToolCall | None, Outcome | None]:
        """One call of a built-in tool and its outcome, as _call_model has it."""
        window = await self._tools.model.window(self.record.run.model)
        snapshot = await self._snapshot(window)
        step = self._open_step(snapshot.steps)
        if tool_turn.next_call(step) is None:
            return None, self._handed_over(step)
        around = await self._around(snapshot, window)
        call = self._call = ToolCall(self._tools.toolbox, self._tools.clock, self.record, step)
        if self._why is not None:
            call.abort()
        try:
            outcome = await self._patiently(call.perform, around)
        finally:
            self._call = None
        return call, outcome or await self._interrupted(call)

    def _handed_over(self, step: StepRecord) -> Outcome:
        """The client is asked for what only it can do."""
        concluded = tool_turn.hand_over(self.record, step)
        if concluded is None:
            raise LeaseLost
        return Outcome(concluded, step=step)

    @staticmethod
    def _open_step(steps: Sequence[StepRecord]) -> StepRecord:
        """The step that holds open calls. Raises LeaseLost if somebody has closed it: only who holds the run does."""
        try:
            return tool_turn.open_step(steps)
        except Stale:
            raise LeaseLost from None

    async def _steps(self) -> Sequence[StepRecord]:
        return await self._patiently(self._tools.store.list_steps, self.record.run.id)

    async def _snapshot(self, window: int) -> Snapshot:
        bytes = self._appetite.bytes = ModelCall.bytes_for(window)
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead.bytes >= bytes:
            return ahead.snapshot
        snapshot = await self._patiently(self._tools.store.snapshot, self.record.run.id, bytes)
        if snapshot is None:
            raise LeaseLost
        return snapshot

    async def _around(self, snapshot: Snapshot, window: int) -> Surroundings:
        """What built-in tools may have to know."""
        try:
            thread = await self._patiently(self._tools.store.get_thread, self.record.run.thread_id)
        except NotFound:
            raise LeaseLost from None
        return Surroundings(snapshot, thread, window)

    async def _interrupted(self, call: ModelCall | ToolCall) -> Outcome | None:
        match self._why:
            case "deadline":
                return call.cut(self.record, "deadline_passed")
            case "cancelled":
                self.record = await self._reread()
                return call.cut(self.record, "stopped")
            case _:
                return None

    async def _ended(self, signal: Signal, error: LastError | None = None) -> Outcome:
        """The run's end while nothing is being called; a step whose calls are open ends with it."""
        now = self._tools.clock.now()
        if not self.record.has_open_calls:
            return Outcome(turn.cut(self.record, None, signal, Usage(), now=now, error=error))
        step = self._open_step(await self._steps())
        return Outcome(tool_turn.cut(self.record, step, signal, now=now, error=error), step=step)

    async def _commit(self, outcome: Outcome) -> None:
        """Store what was concluded, then say it; a cancellation that came first takes precedence."""
        concluded, is_overtaken = outcome.concluded, False
        if concluded.record.run.status == "requires_action":
            # Before the commit: whoever takes in the client's outputs cannot say it for us.
            self._emit(concluded.said[:-1])
            concluded = replace(concluded, said=concluded.said[-1:])
        while True:
            is_at_rest = concluded.record.owner is None
            said = concluded.said if is_at_rest else []
            events = speech.numbered(said, epoch=self.record.epoch, first=self._seq)
            # Whoever goes on when this process dies after the commit cannot know what was said before it.
            await self._tools.bus.push(self.record.run.id)
            change = Change(writes=concluded.writes, run_id=self.record.run.id, events=events)
            try:
                await self._patiently(self._tools.journal.commit, change)
            except Stale:
                self.record = await self._reread()
                if self.record.run.status != "cancelling":
                    if not await self._is_stored(concluded):
                        raise LeaseLost from None
                    # An earlier try was carried out, and the store's answer was lost.
                    self._emit(concluded.said)
                    return
                if outcome.step is not None and not is_overtaken and not self.record.has_open_calls:
                    # The tool's result was stored, and the store's answer was lost.
                    self._emit([said for said in concluded.said if said[0] not in speech.RUN_EVENTS])
                if is_overtaken or outcome.step is not None:
                    # The answer was stored, and the store's answer was lost: only the end is missing.
                    concluded = (await self._ended("stopped")).concluded
                else:
                    concluded = self._overtaken(outcome, concluded)
                is_overtaken = True
                continue
            self._seq += len(events)
            # What was learned while the store was at work is newer than the conclusion.
            self.record = with_metadata(concluded.record, self.record.run.metadata)
            if not is_at_rest:
                # The store may have taken longer than the lease: then the next one tells what is stored.
                self._emit(concluded.said)
            return

    async def _is_stored(self, concluded: Concluded) -> bool:
        """Whether the steps of a conclusion are what the rows have."""
        stored = await self._steps()
        steps = [write.record for write in concluded.writes if isinstance(write, InsertStep | ReplaceStep)]
        return bool(steps) and all(step in stored for step in steps)

    def _overtaken(self, outcome: Outcome, concluded: Concluded) -> Concluded:
        """What is stored in place of an answer because a cancellation came first."""
        # What the answer had already closed was true; only the run's own end is another one.
        self._emit([said for said in concluded.said if said[0] not in speech.RUN_EVENTS])
        now = self._tools.clock.now()
        return turn.cut(self.record, outcome.answer, "stopped", outcome.usage, now=now)

    async def _reread(self) -> RunRecord:
        """The run as it is stored. Raises LeaseLost if it is not ours any more."""
        stored = await self._patiently(self._tools.store.find_run, self.record.run.id)
        if stored is None or (stored.owner, stored.epoch) != (self.record.owner, self.record.epoch):
            raise LeaseLost
        if stored.run.status == "cancelling" and self.record.run.status != "cancelling":
            self._emit([speech.of_run(stored.run)])
        return stored

    async def _hand_back(self, call: ModelCall | ToolCall | None) -> None:
        """Give the run to whoever has room; it stays in progress for its client. What the call said is lost."""
        released = release(self.record)
        change = Change(writes=(ReplaceRun(released, was=self.record),), offers=(self.record.run.id,))
        try:
            await self._patiently(self._tools.journal.commit, change)
        except Stale:
            self.record = await self._reread()
            if self.record.run.status != "cancelling":
                raise LeaseLost from None
            await self._commit(await self._ended("stopped") if call is None else call.cut(self.record, "stopped"))

    async def end_broken(self) -> None:
        """End a run whose driver met an error that nobody foresaw, so that its thread is free again."""
        words = "The server met an internal error while it worked on this run. Its log has the details."
        try:
            self.record = await self._reread()
            signal: Signal = "stopped" if self.record.run.status == "cancelling" else "failed"
            error = None if signal == "stopped" else LastError("server_error", words)
            if self.record.run.status in ("in_progress", "cancelling"):
                await self._close_what_is_open()
                await self._commit(await self._ended(signal, error))
        except (LeaseLost, Stale):
            return

    def _emit(self, said: list[Said]) -> None:
        """Say something that is not stored yet. Raises LeaseLost rather than speak for another."""
        if not said:
            return
        if self._why == "lost" or not self.lease.is_valid:
            raise LeaseLost
        events = speech.numbered(said, epoch=self.record.epoch, first=self._seq)
        self._seq += len(events)
        self._tools.bus.emit(self.record.run.id, events)

    def _say_again(self, events: tuple[StreamEvent, ...]) -> None:
        """Say what was stored in an earlier epoch. Raises LeaseLost as _emit does."""
        if not self.lease.is_valid:
            raise LeaseLost
        self._tools.bus.emit(self.record.run.id, events)

    async def _patiently(self, act: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Repeat while the store cannot answer and the lease holds."""
        while True:
            try:
                return await act(*args, **kwargs)
            except Unavailable:
                if not self.lease.is_valid:
                    raise LeaseLost from None
                await asyncio.sleep(STORE_RETRY)
