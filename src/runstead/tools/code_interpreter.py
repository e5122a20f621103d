"""The code interpreter: runs what the model wrote where it can do no harm, and keeps what it made."""

from contextlib import AbstractAsyncContextManager, nullcontext

from msgspec.structs import replace

from runstead.domain import code_files
from runstead.domain.errors import ToolFailed, Unavailable
from runstead.domain.records import CallNotes, RunRecord, StepRecord
from runstead.domain.tool_turn import Performed
from runstead.ports import CodeFile, CodeFiles, CodeOutcome, Sandbox, SandboxUnavailable
from runstead.tools.code_sessions import CodeSessions
from runstead.tools.surroundings import Surroundings
from runstead.wire.run_steps import (
    CodeInterpreter,
    CodeInterpreterToolCall,
    ImageOutput,
    LogOutput,
    OutputImage,
    ToolCalls,
)

LISTED = 50
"""Files that the model is told of by name; it can list the others itself."""
STARTED_ANEW = "[The Python session was started anew: variables and imports of earlier calls are gone, files are not.]"


class CodeInterpreterTool:
    """`timeout` is how many seconds one call may take. With `sessions` other nodes may have the thread's session."""

    def __init__(
        self, sandbox: Sandbox, files: CodeFiles, *, timeout: float, sessions: CodeSessions | None = None
    ) -> None:
        self._sandbox = sandbox
        self._files = files
        self._timeout = timeout
        self._sessions = sessions

    async def about(self, around: Surroundings) -> str:
        """What the model is told of the Python it gets and of the files there. Raises ToolFailed, or Unavailable."""
        try:
            python = await self._sandbox.describe()
        except SandboxUnavailable as reason:
            raise ToolFailed(str(reason)) from reason
        paths = self._sandbox.paths(await self._found_files(around))
        shown = ", ".join(paths[:LISTED])
        more = f", and {len(paths) - LISTED} more" if len(paths) > LISTED else ""
        return f"{python}\nFiles now: {shown}{more}" if paths else python

    async def perform(self, call: CodeInterpreterToolCall, around: Surroundings) -> Performed:
        """Run the code. Raises ToolFailed if none can be run, or Unavailable before anything was."""
        snapshot = around.snapshot
        steps = [*snapshot.earlier_steps, *snapshot.steps]
        files = await self._found_files(around)
        code, thread_id = call.code_interpreter.input, around.thread.id
        try:
            async with self._at_home(snapshot.record):
                outcome = await self._sandbox.run(thread_id, code, files, timeout=self._timeout)
        except SandboxUnavailable as reason:
            raise ToolFailed(str(reason)) from reason
        images = [await self._kept(image) for image in outcome.images]
        kept = {file.name: await self._kept(file) for file in outcome.files}
        logs = _logs(outcome, has_history=_has_run_code(steps))
        if lost := [name for name, id in kept.items() if id is None] + ["a figure"] * images.count(None):
            logs = "\n".join((logs, f"[Not kept, because nothing could be stored: {', '.join(lost)}]")).lstrip()
        outputs: list[LogOutput | ImageOutput] = [LogOutput(logs)] if logs else []
        outputs += [ImageOutput(OutputImage(id)) for id in images if id is not None]
        done = CodeInterpreterToolCall(id=call.id, code_interpreter=CodeInterpreter(code, outputs))
        notes = CallNotes(is_done=True, files={name: id for name, id in kept.items() if id is not None})
        return Performed(done, notes)

    def _at_home(self, record: RunRecord) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self._sessions is None else self._sessions.at_home(record)

    async def _kept(self, file: CodeFile) -> str | None:
        try:
            return await self._files.keep(file)
        except Unavailable:
            # The code has run and will not be run again for this.
            return None

    async def _found_files(self, around: Surroundings) -> list[CodeFile]:
        """The originals, then what code has made, each under its newest contents."""
        snapshot = around.snapshot
        resources = (snapshot.record.run.tool_resources, around.thread.tool_resources)
        given = await self._files.open(code_files.given(resources, snapshot.messages))
        made = code_files.made([*snapshot.earlier_steps, *snapshot.steps])
        stored = {file.file_id: file for file in await self._files.open(list(made.values()))}
        return given + [replace(stored[id], name=path, is_output=True) for path, id in made.items() if id in stored]


def _logs(outcome: CodeOutcome, *, has_history: bool) -> str:
    notice = outcome.notice or (STARTED_ANEW if outcome.is_fresh and has_history else None)
    return "\n".join(words for words in (notice, outcome.logs) if words)


def _has_run_code(steps: list[StepRecord]) -> bool:
    """Whether the thread has run code before: only then has a new session lost anything."""
    return any(
        isinstance(call, CodeInterpreterToolCall) and record.notes.get(call.id, CallNotes()).is_done
        for record in steps
        if isinstance(record.step.step_details, ToolCalls)
        for call in record.step.step_details.tool_calls
    )
