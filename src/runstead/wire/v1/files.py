"""Files as v1 shows them: its clients know four purposes, and one that they do not know fails a whole list."""

from typing import Literal

from runstead.wire import files as v2
from runstead.wire.base import AssistantId, Body, FileId, MessageId, Resource, Timestamp
from runstead.wire.v1.base import recast

Purpose = Literal["assistants", "assistants_output", "fine-tune", "fine-tune-results"]


class File(Resource, frozen=True, kw_only=True):
    id: FileId
    object: Literal["file"]
    bytes: int
    created_at: Timestamp
    filename: str
    purpose: Purpose
    status: Literal["uploaded", "processed", "error"]
    status_details: str | None


class AssistantFile(Resource, frozen=True, kw_only=True):
    """A file that an assistant has. API: its id is the file's."""

    id: FileId
    object: Literal["assistant.file"] = "assistant.file"
    created_at: Timestamp
    assistant_id: AssistantId


class CreateAssistantFile(Body, frozen=True, kw_only=True):
    """POST /assistants/{id}/files."""

    file_id: str


class MessageFile(Resource, frozen=True, kw_only=True):
    """A file attached to a message. API: its id is the file's."""

    id: FileId
    object: Literal["thread.message.file"] = "thread.message.file"
    created_at: Timestamp
    message_id: MessageId


def view(file: v2.File) -> File:
    return recast(file, File, purpose=_purpose(file.purpose))


def _purpose(purpose: v2.Purpose) -> Purpose:
    match purpose:
        case "assistants" | "assistants_output" | "fine-tune" | "fine-tune-results":
            return purpose
        case "batch_output":
            return "assistants_output"
        case _:
            return "assistants"
