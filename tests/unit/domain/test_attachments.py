"""What attached files do to their thread."""

from typing import Any

from runstead.domain.attachments import attached, has_attachments, named_files
from runstead.domain.file_writes import AddStoreFiles, InsertVectorStore
from runstead.domain.resources import THREAD_STORES_EXPIRE
from runstead.wire.base import MessageId, VectorStoreId
from runstead.wire.messages import (
    Attachment,
    AttachmentTool,
    CreateMessage,
    ImageFile,
    ImageFileContent,
    Message,
    TextInput,
)
from runstead.wire.threads import Thread
from runstead.wire.tools import CodeInterpreterResources, FileSearchResources, ToolResources
from tests.unit.domain.making import NOW, THREAD

OLD, NEW = VectorStoreId("vs_old"), VectorStoreId("vs_new")
CODE, SEARCH = AttachmentTool("code_interpreter"), AttachmentTool("file_search")


def thread(**resources: Any) -> Thread:
    return Thread(id=THREAD, created_at=NOW, tool_resources=ToolResources(**resources))


def message(*attachments: Attachment) -> Message:
    return Message(
        id=MessageId("msg_1"), created_at=NOW, thread_id=THREAD, role="user", content=[], attachments=list(attachments)
    )


def test_files_are_named_with_their_places():
    body = CreateMessage(
        role="user",
        content=[TextInput("a"), ImageFileContent(ImageFile("file-i"))],
        attachments=[Attachment("file-a", [CODE])],
    )

    assert named_files(body, "messages[1].") == [
        ("file-i", "messages[1].content[1].image_file.file_id"),
        ("file-a", "messages[1].attachments[0].file_id"),
    ]
    assert named_files(CreateMessage(role="user", content="a")) == []


def test_a_file_for_no_tool_changes_nothing():
    assert not has_attachments([message(), message(Attachment("file-a"))])
    assert has_attachments([message(Attachment("file-a", [CODE]))])


def test_files_for_code_join_those_that_are_there():
    was = thread(code_interpreter=CodeInterpreterResources(["file-a"]))

    now, writes = attached(
        was, [message(Attachment("file-b", [CODE]), Attachment("file-a", [CODE]))], None, NEW, now=NOW
    )

    assert now.tool_resources == ToolResources(CodeInterpreterResources(["file-a", "file-b"]))
    assert writes == ()


def test_files_for_search_make_a_store_that_expires():
    now, writes = attached(thread(), [message(Attachment("file-a", [SEARCH]))], None, NEW, now=NOW)

    made, added = writes
    assert isinstance(made, InsertVectorStore)
    assert (made.store.id, made.store.expires_after) == (NEW, THREAD_STORES_EXPIRE)
    assert isinstance(added, AddStoreFiles)
    assert (added.vector_store_id, [file.file_id for file in added.files]) == (NEW, ["file-a"])
    assert now.tool_resources == ToolResources(file_search=FileSearchResources([NEW]))


def test_files_for_search_go_into_the_store_that_is_there():
    was = thread(file_search=FileSearchResources([OLD]))

    now, writes = attached(was, [message(Attachment("file-a", [SEARCH, CODE]))], OLD, NEW, now=NOW)

    [added] = writes
    assert isinstance(added, AddStoreFiles)
    assert added.vector_store_id == OLD
    assert now.tool_resources == ToolResources(CodeInterpreterResources(["file-a"]), FileSearchResources([OLD]))


def test_a_store_that_is_of_no_use_any_more_is_replaced():
    was = thread(file_search=FileSearchResources([OLD]))

    now, _ = attached(was, [message(Attachment("file-a", [SEARCH]))], None, NEW, now=NOW)

    assert now.tool_resources == ToolResources(file_search=FileSearchResources([NEW]))
