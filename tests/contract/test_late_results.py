"""A tool's result that is stored late - its sender was told that nobody knows, tried again, and went on - changes nothing."""

import pytest
from msgspec.structs import replace

from runstead.domain import tool_turn
from runstead.domain.change import Change, InsertRun, InsertStep, InsertThread
from runstead.domain.errors import Stale
from runstead.domain.records import CallNotes, StepRecord
from runstead.domain.tool_turn import Performed
from runstead.ports import Store
from runstead.wire.run_steps import CodeInterpreter, CodeInterpreterToolCall, LogOutput, ToolCalls
from tests.contract.samples import NOW, a_record, a_step, a_thread, claimed


def code_call(id: str, *logs: str) -> CodeInterpreterToolCall:
    return CodeInterpreterToolCall(id=id, code_interpreter=CodeInterpreter("1", [LogOutput(each) for each in logs]))


def performed(id: str, *logs: str) -> Performed:
    return Performed(code_call(id, *logs), CallNotes(is_done=True))


@pytest.mark.parametrize("logs", ["41", None], ids=["which showed something", "which showed nothing"])
async def test_a_result_that_comes_late_does_not_undo_the_next_one(store: Store, logs: str | None) -> None:
    thread = a_thread()
    record = replace(claimed(a_record(thread)), has_open_calls=True)
    calls = ToolCalls([code_call("call_1"), code_call("call_2")])
    open_step = a_step(record, status="in_progress")
    step = StepRecord(
        step=replace(open_step.step, type="tool_calls", step_details=calls, completed_at=None),
        model_call=1,
        notes={"call_1": CallNotes(), "call_2": CallNotes()},
    )
    await store.commit(Change(writes=(InsertThread(thread), InsertRun(record), InsertStep(step))))
    shown = () if logs is None else (logs,)
    first = tool_turn.conclude(record, step, performed("call_1", *shown), now=NOW)
    await store.commit(Change(writes=first.writes))
    [known] = await store.list_steps(record.run.id)
    second = tool_turn.conclude(first.record, known, performed("call_2", "42"), now=NOW)

    # A second copy of the first result is still on its way: as early as this it changes nothing ...
    with pytest.raises(Stale):
        await store.commit(Change(writes=first.writes))
    await store.commit(Change(writes=second.writes))
    stored = await store.list_steps(record.run.id)
    # ... and nothing after the next result, though run and lease still are what they were.
    with pytest.raises(Stale):
        await store.commit(Change(writes=first.writes))

    assert await store.list_steps(record.run.id) == stored
    run = await store.find_run(record.run.id)
    assert run is not None
    assert not run.has_open_calls
