"""Messages: content parts, annotations, attachments, and the bodies that make and change one."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from runstead.wire.base import AssistantId, Body, MessageId, Metadata, Resource, RunId, ThreadId, Timestamp

MessageStatus = Literal["in_progress", "incomplete", "completed"]
IncompleteReason = Literal["content_filter", "max_tokens", "run_cancelled", "run_expired", "run_failed"]
Role = Literal["user", "assistant"]
ImageDetail = Literal["auto", "low", "high"]


class FileCitation(Struct, frozen=True):
    """Which file a mark in the text cites."""

    file_id: str
    quote: str = ""


class FileCitationAnnotation(Struct, frozen=True, kw_only=True, tag_field="type", tag="file_citation"):
    """A citation; the offsets are in characters of the text."""

    text: str
    start_index: int
    end_index: int
    file_citation: FileCitation


class FilePath(Struct, frozen=True):
    """Which stored file a sandbox path stands for."""

    file_id: str


class FilePathAnnotation(Struct, frozen=True, kw_only=True, tag_field="type", tag="file_path"):
    """A link to a file that the code interpreter made."""

    text: str
    start_index: int
    end_index: int
    file_path: FilePath


Annotation = FileCitationAnnotation | FilePathAnnotation


class Text(Struct, frozen=True):
    """Text as it is answered; in requests it is a plain string."""

    value: str
    annotations: list[Annotation] = []


class TextContent(Struct, frozen=True, tag_field="type", tag="text"):
    """A part of written text."""

    text: Text


class ImageFile(Struct, frozen=True, forbid_unknown_fields=True):
    """An uploaded image."""

    file_id: str
    detail: ImageDetail = "auto"


class ImageFileContent(Struct, frozen=True, tag_field="type", tag="image_file", forbid_unknown_fields=True):
    """A part that shows an uploaded image."""

    image_file: ImageFile


class ImageUrl(Struct, frozen=True, forbid_unknown_fields=True):
    """An image somewhere else, or in a data: URL."""

    url: str
    detail: ImageDetail = "auto"


class ImageUrlContent(Struct, frozen=True, tag_field="type", tag="image_url", forbid_unknown_fields=True):
    """A part that shows an image by its URL."""

    image_url: ImageUrl


class RefusalContent(Struct, frozen=True, tag_field="type", tag="refusal"):
    """The model declined, in these words."""

    refusal: str


ContentPart = TextContent | ImageFileContent | ImageUrlContent | RefusalContent


class AttachmentTool(Struct, frozen=True, forbid_unknown_fields=True):
    """A tool that an attached file is meant for."""

    type: Literal["code_interpreter", "file_search"]


class Attachment(Struct, frozen=True, forbid_unknown_fields=True):
    """A file given with a message."""

    file_id: str
    tools: list[AttachmentTool] = []


class IncompleteDetails(Struct, frozen=True):
    """Why a message was cut short."""

    reason: IncompleteReason


class Message(Resource, frozen=True, kw_only=True):
    """One turn of a thread."""

    id: MessageId
    object: Literal["thread.message"] = "thread.message"
    created_at: Timestamp
    thread_id: ThreadId
    status: MessageStatus = "completed"
    incomplete_details: IncompleteDetails | None = None
    completed_at: Timestamp | None = None
    incomplete_at: Timestamp | None = None
    role: Role
    content: list[ContentPart]
    assistant_id: AssistantId | None = None
    run_id: RunId | None = None
    attachments: list[Attachment] = []
    metadata: dict[str, str] = {}


class TextInput(Struct, frozen=True, tag_field="type", tag="text", forbid_unknown_fields=True):
    """A text part of a request: a string here, an object in answers."""

    text: Annotated[str, Meta(max_length=256_000)]


ContentInput = TextInput | ImageFileContent | ImageUrlContent


class CreateMessage(Body, frozen=True, kw_only=True):
    """POST /threads/{id}/messages, and each of a new thread's or run's messages."""

    role: Role
    content: Annotated[str, Meta(max_length=256_000)] | Annotated[list[ContentInput], Meta(min_length=1)]
    attachments: list[Attachment] | None = None
    metadata: Metadata | None = None


class ModifyMessage(Body, frozen=True, kw_only=True):
    """POST /threads/{id}/messages/{id}."""

    metadata: Metadata | None | UnsetType = UNSET
