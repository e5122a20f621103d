"""/v1/assistants/{assistant_id}/files, which only v1 has: the files of both tools, one by one."""

from msgspec.structs import replace

from runstead.domain.change import Change, ReplaceAssistant
from runstead.domain.errors import NotFound
from runstead.domain.resources import code_files
from runstead.http.api import Api, Call, until_settled
from runstead.http.known_ids import require_files
from runstead.http.pages import listed, page_of
from runstead.http.refusals import WrongLength
from runstead.http.retrieval import in_step
from runstead.wire.assistants import Assistant
from runstead.wire.base import AssistantId, Deleted, FileId, ListPage
from runstead.wire.tools import CodeInterpreterResources
from runstead.wire.v1.files import AssistantFile, CreateAssistantFile

MOST = 20


async def create_assistant_file(api: Api, call: Call[CreateAssistantFile]) -> AssistantFile:
    """Give an assistant one more file."""
    id = call.body.file_id

    async def add() -> AssistantFile:
        was = await _assistant(api, call)
        await require_files(api, [(id, "file_id")])
        files = code_files(was.tool_resources)
        if id not in files:
            if len(files) >= MOST:
                raise WrongLength("file_ids", "array", len(files) + 1, None, MOST)
            await _replace(api, was, [*files, id])
        return await _shown(api, was.id, id)

    return await until_settled(add)


async def list_assistant_files(api: Api, call: Call[None]) -> ListPage[AssistantFile]:
    """List an assistant's files."""
    assistant = await _assistant(api, call)
    files = [await _shown(api, assistant.id, id) for id in code_files(assistant.tool_resources)]
    return listed(page_of(files, call.query.page))


async def get_assistant_file(api: Api, call: Call[None]) -> AssistantFile:
    """Retrieve one of an assistant's files."""
    assistant = await _assistant(api, call)
    return await _shown(api, assistant.id, _required(assistant, call.path["file_id"]))


async def delete_assistant_file(api: Api, call: Call[None]) -> Deleted:
    """Take a file from an assistant; the file itself stays."""

    async def remove() -> Deleted:
        was = await _assistant(api, call)
        id = _required(was, call.path["file_id"])
        await _replace(api, was, [file for file in code_files(was.tool_resources) if file != id])
        return Deleted(id=id, object="assistant.file.deleted")

    return await until_settled(remove)


async def _assistant(api: Api, call: Call[CreateAssistantFile] | Call[None]) -> Assistant:
    return await api.store.get_assistant(AssistantId(call.path["assistant_id"]))


def _required(assistant: Assistant, id: str) -> str:
    if id not in code_files(assistant.tool_resources):
        raise NotFound("assistant file", id)
    return id


async def _replace(api: Api, was: Assistant, files: list[str]) -> None:
    resources = replace(was.tool_resources, code_interpreter=CodeInterpreterResources(files))
    assistant, writes = await in_step(api, replace(was, tool_resources=resources), was)
    await api.journal.commit(Change(writes=(*writes, ReplaceAssistant(assistant, was))))


async def _shown(api: Api, assistant_id: AssistantId, id: str) -> AssistantFile:
    # When a file was attached is not kept: it is as old as itself.
    file = await api.store.get_file(FileId(id))
    return AssistantFile(id=file.id, created_at=file.created_at, assistant_id=assistant_id)
