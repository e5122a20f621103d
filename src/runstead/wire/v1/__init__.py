"""The v1 view of every object and body, both ways: the only place that knows v1 differs.

The canonical shape is v2's. A v1 body is read into its own struct and turned into the canonical body; a canonical
answer is turned into what v1's clients can read, whose enums are closed.
"""

import re
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from runstead.wire import assistants as v2_assistants
from runstead.wire import files as v2_files
from runstead.wire import messages as v2_messages
from runstead.wire import run_steps as v2_run_steps
from runstead.wire import runs as v2_runs
from runstead.wire import threads as v2_threads
from runstead.wire.base import Body, ListPage, Resource
from runstead.wire.v1 import assistants, files, messages, run_steps, runs, threads
from runstead.wire.v1.base import V1Body
from runstead.wire.v1.events import view_event
from runstead.wire.v1.runs import view_status

__all__ = ["body_type", "canonical", "parameter", "view", "view_event", "view_status"]

_BODIES: dict[type[Body], type[V1Body]] = {
    v2_assistants.CreateAssistant: assistants.CreateAssistant,
    v2_assistants.ModifyAssistant: assistants.ModifyAssistant,
    v2_threads.CreateThread: threads.CreateThread,
    v2_threads.ModifyThread: threads.ModifyThread,
    v2_messages.CreateMessage: messages.CreateMessage,
    v2_runs.CreateRun: runs.CreateRun,
    v2_runs.CreateThreadAndRun: runs.CreateThreadAndRun,
}

_VIEWS: dict[type[Resource], Callable[[Any], Resource]] = {
    v2_assistants.Assistant: assistants.view,
    v2_threads.Thread: threads.view,
    v2_messages.Message: messages.view,
    v2_runs.Run: runs.view,
    v2_run_steps.RunStep: run_steps.view,
    v2_files.File: files.view,
}


def body_type(kind: type[Body]) -> type[Body]:
    """What v1 sends where v2 sends `kind`: often the same."""
    return _BODIES.get(kind, kind)


def canonical(body: Body) -> Body:
    """A body of either version in v2's words."""
    return body.canonical() if isinstance(body, V1Body) else body


def view(answer: Resource) -> Resource:
    """An answer as v1 writes it. Markers of deletion and models are the same in both."""
    if isinstance(answer, ListPage):
        return replace(answer, data=[view(each) for each in answer.data])
    show = _VIEWS.get(type(answer))
    return answer if show is None else show(answer)


_PARAMETERS = (
    (re.compile(r"\btool_resources\.code_interpreter\.file_ids\b"), "file_ids"),
    (re.compile(r"\battachments\[(\d+)\]\.file_id\b"), r"file_ids[\1]"),
)


def parameter(path: str) -> str:
    """Where v1 wrote what a refusal of the canonical body names."""
    for pattern, replacement in _PARAMETERS:
        path = pattern.sub(replacement, path)
    return path
