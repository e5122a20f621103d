"""Files as v1 shows them: its clients know four purposes, and one that they do not know fails a whole list."""

from typing import Literal

from runstead.wire import files as v2
from runstead.wire.base import FileId, Resource, Timestamp
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
