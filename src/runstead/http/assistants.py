"""/v1/assistants."""

from runstead.domain import creation
from runstead.domain.change import Change, DeleteAssistant, InsertAssistant, ReplaceAssistant, Write
from runstead.http.api import Api, Call, until_settled
from runstead.http.pages import listed
from runstead.http.resources import resolve, resolve_change
from runstead.http.retrieval import in_step
from runstead.wire.assistants import Assistant, CreateAssistant, ModifyAssistant
from runstead.wire.base import AssistantId, Deleted, ListPage


async def create_assistant(api: Api, call: Call[CreateAssistant]) -> Assistant:
    """Create an assistant."""
    id = AssistantId(api.new_id("asst_"))

    async def create() -> Assistant:
        resources, made = await resolve(api, call.body.tool_resources)
        assistant = creation.assistant(id, call.body, resources, now=api.now())
        await api.journal.commit(Change(writes=(*made, InsertAssistant(assistant))))
        return assistant

    return await until_settled(create)


async def list_assistants(api: Api, call: Call[None]) -> ListPage[Assistant]:
    """List assistants."""
    return listed(await api.store.page_assistants(call.query.page))


async def get_assistant(api: Api, call: Call[None]) -> Assistant:
    """Retrieve an assistant."""
    return await api.store.get_assistant(AssistantId(call.path["assistant_id"]))


async def modify_assistant(api: Api, call: Call[ModifyAssistant]) -> Assistant:
    """Change what the body names."""

    async def modify() -> Assistant:
        was = await api.store.get_assistant(AssistantId(call.path["assistant_id"]))
        resources = await resolve_change(api, call.body.tool_resources)
        assistant = creation.modified_assistant(was, call.body, resources)
        writes: tuple[Write, ...] = ()
        if call.version == "v1":
            assistant, writes = await in_step(api, assistant, was)
        await api.journal.commit(Change(writes=(*writes, ReplaceAssistant(assistant, was=was))))
        return assistant

    return await until_settled(modify)


async def delete_assistant(api: Api, call: Call[None]) -> Deleted:
    """Delete an assistant; its threads and runs stay."""
    id = AssistantId(call.path["assistant_id"])
    await api.journal.commit(Change(writes=(DeleteAssistant(id),)))
    return Deleted(id=id, object="assistant.deleted")
