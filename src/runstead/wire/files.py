"""Files: the object and what an upload says beside the contents."""

from typing import Annotated, Literal

from msgspec import Meta

from runstead.wire.base import Body, FileId, Resource, Timestamp

UploadPurpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
Purpose = UploadPurpose | Literal["assistants_output", "batch_output", "fine-tune-results"]


class File(Resource, frozen=True, kw_only=True):
    """A file whose contents are kept apart."""

    id: FileId
    object: Literal["file"] = "file"
    bytes: int
    created_at: Timestamp
    filename: str
    purpose: Purpose
    # API: pollers wait for this, and there is nothing to wait for.
    status: Literal["uploaded", "processed", "error"] = "processed"
    status_details: str | None = None
    expires_at: Timestamp | None = None


class FileExpiry(Body, frozen=True, kw_only=True):
    """When a file is to be removed."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Meta(ge=3_600, le=2_592_000)]


class CreateFile(Body, frozen=True, kw_only=True):
    """POST /files: the parts of the form but for `file`."""

    purpose: UploadPurpose
    expires_after: FileExpiry | None = None
