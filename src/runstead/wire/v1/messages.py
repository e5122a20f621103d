"""Messages as v1 writes them: text and image files, `file_ids`, no attachments."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from runstead.wire import messages as v2
from runstead.wire.base import AssistantId, MessageId, Metadata, Resource, RunId, ThreadId, Timestamp
from runstead.wire.messages import (
    Attachment,
    AttachmentTool,
    ImageFileContent,
    IncompleteDetails,
    MessageStatus,
    Role,
    Text,
    TextContent,
)
from runstead.wire.v1.base import V1Body, recast

ContentPart: TypeAlias = TextContent | ImageFileContent

_BOTH_TOOLS = [AttachmentTool("code_interpreter"), AttachmentTool("file_search")]


class Message(Resource, frozen=True, kw_only=True):
    id: MessageId
    object: Literal["thread.message"]
    created_at: Timestamp
    thread_id: ThreadId
    status: MessageStatus
    incomplete_details: IncompleteDetails | None
    completed_at: Timestamp | None
    incomplete_at: Timestamp | None
    role: Role
    content: list[ContentPart]
    assistant_id: AssistantId | None
    run_id: RunId | None
    file_ids: list[str]
    metadata: dict[str, str]


class CreateMessage(V1Body, frozen=True, kw_only=True):
    role: Role
    content: Annotated[str, Meta(min_length=1, max_length=256_000)]
    file_ids: Annotated[list[str], Meta(max_length=10)] | None = None
    metadata: Metadata | None = None

    def canonical(self) -> v2.CreateMessage:
        # v1 does not say which tool a message's files are for: any that the run has may read them.
        attachments = None if self.file_ids is None else [Attachment(id, _BOTH_TOOLS) for id in self.file_ids]
        return recast(self, v2.CreateMessage, attachments=attachments)


def canonical_messages(messages: list[CreateMessage] | None) -> list[v2.CreateMessage] | None:
    return None if messages is None else [message.canonical() for message in messages]


def view(message: v2.Message) -> Message:
    return recast(
        message,
        Message,
        content=view_content(message.content),
        file_ids=files_of(message),
    )


def files_of(message: v2.Message) -> list[str]:
    """The files attached to a message, each once."""
    return list(dict.fromkeys(attachment.file_id for attachment in message.attachments))


def view_content(content: list[v2.ContentPart]) -> list[ContentPart]:
    """A refusal keeps its words; an image by URL is left out, but a message never loses its last part."""
    parts: list[ContentPart] = []
    for part in content:
        match part:
            case v2.RefusalContent(refusal=words):
                parts.append(TextContent(Text(words)))
            case v2.ImageUrlContent():
                pass
            case _:
                parts.append(part)
    if content and not parts:
        parts.append(TextContent(Text("")))
    return parts
