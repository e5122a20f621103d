"""One call of a built-in tool for a run: performed, with its result as a change, or interrupted."""

import asyncio

from runstead.domain import tool_turn
from runstead.domain.errors import ToolFailed
from runstead.domain.records import RunRecord, StepRecord
from runstead.domain.run_lifecycle import Signal
from runstead.domain.tool_turn import Performed
from runstead.executor.model_call import Outcome
from runstead.ports import Clock
from runstead.tools.surroundings import Surroundings
from runstead.tools.toolbox import Toolbox
from runstead.wire.runs import LastError


class ToolCall:
    """A call that can be aborted at any moment. `record` is the run, `step` the stored step that holds the call."""

    def __init__(self, toolbox: Toolbox, clock: Clock, record: RunRecord, step: StepRecord) -> None:
        self._toolbox = toolbox
        self._clock = clock
        self.record = record
        self.step = step
        self._task: asyncio.Task[Performed] | None = None
        self._is_aborted = False

    def abort(self) -> None:
        """Interrupt the tool now; perform() then returns None."""
        self._is_aborted = True
        if self._task is not None:
            self._task.cancel()

    def is_aborted(self) -> bool:
        """Whether abort() was called."""
        return self._is_aborted

    def cut(self, record: RunRecord, signal: Signal, error: LastError | None = None) -> Outcome:
        """The run's end; calls without a result will not get one."""
        concluded = tool_turn.cut(record, self.step, signal, now=self._clock.now(), error=error)
        return Outcome(concluded, step=self.step)

    async def perform(self, around: Surroundings) -> Outcome | None:
        """Do what the step's next call asks for. None if it was aborted. Raises Unavailable before anything is done."""
        call = tool_turn.next_call(self.step)
        assert call is not None, "the run says that a call is open, and its step has none"
        if self.is_aborted():
            return None
        performing = self._toolbox.perform(call, self.step.notes[call.id], around)
        self._task = asyncio.create_task(performing, name=call.id)
        try:
            performed = await self._task
        except asyncio.CancelledError:
            # Our own abort, not the end of the task that waits: that one goes on and concludes.
            task = asyncio.current_task()
            if not self.is_aborted() or (task is not None and task.cancelling()):
                raise
            return None
        except ToolFailed as failure:
            return self.cut(self.record, "failed", LastError("server_error", str(failure)))
        finally:
            self._task = None
        concluded = tool_turn.conclude(self.record, self.step, performed, now=self._clock.now())
        return Outcome(concluded, step=self.step)
