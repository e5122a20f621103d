"""What the words of an answer may refer to: the passages that were found for it, the files and images code has made.

Read from the stored steps of the thread, so that a worker that takes a run over knows what the one before it knew.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from runstead.domain.records import StepRecord
from runstead.wire.run_steps import (
    CodeInterpreterToolCall,
    FileSearchResult,
    FileSearchToolCall,
    ImageOutput,
    ToolCalls,
)


class Sources(Struct, frozen=True):
    """`passages` by search and place, `paths` lead to the newest file there, `images` and `files` wait to be shown."""

    passages: dict[tuple[int, int], FileSearchResult]
    paths: dict[str, str]
    images: list[str]
    files: list[str]
    # The number that the next search of the thread gets: marks never mean two passages.
    next_search: int


def of(steps: Sequence[StepRecord], earlier: Sequence[StepRecord]) -> Sources | None:
    """The sources of a run's next answer: `steps` are its own, `earlier` those of other runs. None if there are none."""
    found = Sources({}, {}, [], [], 0)
    for record in earlier:
        found = _with(found, record)
    # What an earlier run has made was shown there.
    found.images.clear()
    found.files.clear()
    for record in steps:
        if record.step.type == "message_creation":
            found.images.clear()
            found.files.clear()
        found = _with(found, record)
    return found if found.passages or found.paths or found.images or found.next_search else None


def _with(found: Sources, record: StepRecord) -> Sources:
    """The sources and those of one more step. Their collections are ours to change until they are given away."""
    details = record.step.step_details
    if not record.notes or not isinstance(details, ToolCalls):
        return found
    next_search = found.next_search
    for call in details.tool_calls:
        notes = record.notes.get(call.id)
        if notes is None:
            continue
        if isinstance(call, FileSearchToolCall):
            next_search = max(next_search, notes.number + 1)
            for place, result in enumerate(call.file_search.results or ()):
                found.passages[notes.number, place] = result
        elif isinstance(call, CodeInterpreterToolCall):
            found.paths.update(notes.files)
            found.images.extend(_images(call))
            found.files.extend(notes.files.values())
    return Sources(found.passages, found.paths, found.images, found.files, next_search)


def _images(call: CodeInterpreterToolCall) -> Iterable[str]:
    return (output.image.file_id for output in call.code_interpreter.outputs if isinstance(output, ImageOutput))
