"""Which stored files a thread's code finds in /mnt/data: what its users gave, and what its code has made."""

from collections.abc import Iterable, Sequence

from runstead.domain.records import StepRecord
from runstead.wire.messages import Message
from runstead.wire.tools import ToolResources


def given(resources: Iterable[ToolResources], messages: Sequence[Message]) -> list[str]:
    """The files for code of assistant, run and thread, then those attached to messages, each once."""
    ids: list[str] = []
    for each in resources:
        ids += each.code_interpreter.file_ids if each.code_interpreter else []
    for message in messages:
        # What an assistant's message bears was made by code, and is known from its steps.
        if message.role == "user":
            ids += [
                attachment.file_id
                for attachment in message.attachments
                if any(tool.type == "code_interpreter" for tool in attachment.tools)
            ]
    return list(dict.fromkeys(ids))


def made(steps: Iterable[StepRecord]) -> dict[str, str]:
    """The newest stored file for each path below /mnt/data that code has written."""
    files: dict[str, str] = {}
    for record in steps:
        for notes in record.notes.values():
            files |= notes.files
    return files
