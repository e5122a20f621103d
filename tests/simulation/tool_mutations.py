"""Rules of built-in tools, broken on purpose: see mutations.py."""

from typing import Any

from msgspec.structs import replace

from runstead.domain import prompt, takeover, tool_turn, turn
from runstead.domain.change import InsertStep, ReplaceRun, ReplaceStep
from runstead.domain.code_sessions import CodeSession
from runstead.domain.records import CallNotes, RunRecord, StepRecord
from runstead.domain.turn import Concluded
from tests.simulation.changing import Mutation, changed
from tests.simulation.database import Database


def a_result_is_stored_without_a_fence() -> Any:
    real = tool_turn.conclude

    def conclude(*given: Any, **more: Any) -> Concluded:
        concluded = real(*given, **more)
        return replace(concluded, writes=tuple(w for w in concluded.writes if isinstance(w, ReplaceStep)))

    return changed(tool_turn, "conclude", conclude)


def a_late_result_is_stored() -> Any:
    def replace_step(self: Database, step: StepRecord, was: StepRecord, undo: Any) -> None:
        undo.append(lambda before=self.steps[step.step.id]: self.steps.__setitem__(step.step.id, before))
        self.steps[step.step.id] = step

    return changed(Database, "_replace_step", replace_step)


def a_tool_runs_before_it_is_stored_that_it_shall() -> Any:
    real = turn._concluded

    def concluded(was: RunRecord, record: RunRecord, *given: Any) -> Concluded:
        whole = real(was, record, *given)
        if not record.has_open_calls:
            return whole
        writes = tuple(w for w in whole.writes if not (isinstance(w, InsertStep) and w.record.notes))
        return replace(whole, writes=writes)

    return changed(turn, "_concluded", concluded)


def a_finished_call_is_performed_again() -> Any:
    def next_call(record: StepRecord) -> Any:
        return next((c for c in tool_turn._calls(record).tool_calls if c.id in record.notes), None)

    return changed(tool_turn, "next_call", next_call)


def a_takeover_forgets_results() -> Any:
    real = tool_turn.open_step

    def open_step(steps: Any) -> StepRecord:
        step = real(steps)
        return replace(step, notes=dict.fromkeys(step.notes, CallNotes()))

    return changed(tool_turn, "open_step", open_step)


def a_result_is_not_remembered() -> Any:
    real = tool_turn.conclude

    def conclude(record: RunRecord, step: StepRecord, performed: Any, *, now: float) -> Concluded:
        return real(record, step, replace(performed, notes=replace(performed.notes, is_done=False)), now=now)

    return changed(tool_turn, "conclude", conclude)


def results_that_nobody_lived_to_tell_stay_untold() -> Any:
    return changed(takeover, "_untold_outputs", lambda step, shown: iter(()))


def results_are_told_again_at_every_takeover() -> Any:
    real = takeover._untold_outputs
    return changed(takeover, "_untold_outputs", lambda step, shown: real(step, set()))


def the_run_waits_for_the_client_while_calls_are_open() -> Any:
    return changed(tool_turn, "next_call", lambda record: None)


def an_open_step_outlives_its_run() -> Any:
    def cut(record: RunRecord, step: StepRecord, signal: Any, **given: Any) -> Concluded:
        concluded = real(record, step, signal, **given)
        return replace(concluded, writes=tuple(w for w in concluded.writes if isinstance(w, ReplaceRun)))

    real = tool_turn.cut
    return changed(tool_turn, "cut", cut)


def results_are_said_twice_to_the_model() -> Any:
    real = prompt.build

    def build(record: RunRecord, steps: Any, messages: Any, earlier: Any, **given: Any) -> Any:
        return real(record, steps, messages, [*earlier, *steps], **given)

    return changed(prompt, "build", build)


def call_ids_of_earlier_runs_are_taken_again() -> Any:
    real = turn.used_call_ids
    return changed(turn, "used_call_ids", lambda steps: real([]))


def a_dead_node_is_waited_for_because_it_had_a_session() -> Any:
    return changed(CodeSession, "host", lambda session, now: session.owner)


TOOL_MUTATIONS: tuple[Mutation, ...] = (
    a_result_is_stored_without_a_fence,
    a_late_result_is_stored,
    a_tool_runs_before_it_is_stored_that_it_shall,
    a_finished_call_is_performed_again,
    a_takeover_forgets_results,
    a_result_is_not_remembered,
    results_that_nobody_lived_to_tell_stay_untold,
    results_are_told_again_at_every_takeover,
    the_run_waits_for_the_client_while_calls_are_open,
    an_open_step_outlives_its_run,
    results_are_said_twice_to_the_model,
    call_ids_of_earlier_runs_are_taken_again,
    a_dead_node_is_waited_for_because_it_had_a_session,
)
