"""/v1/threads/{thread_id}/runs/{run_id}/steps."""

from msgspec.structs import replace

from runstead.http import result_content
from runstead.http.api import Api, Call
from runstead.http.pages import listed
from runstead.wire.base import ListPage, RunId, StepId, ThreadId
from runstead.wire.run_steps import RunStep


async def list_run_steps(api: Api, call: Call[None]) -> ListPage[RunStep]:
    """List what a run did."""
    thread_id, run_id = ThreadId(call.path["thread_id"]), RunId(call.path["run_id"])
    page = await api.store.page_steps(thread_id, run_id, call.query.page)
    shown = page.items if call.query.has_result_content else [result_content.without(step) for step in page.items]
    return listed(replace(page, items=shown))


async def get_run_step(api: Api, call: Call[None]) -> RunStep:
    """Retrieve one step."""
    thread_id, run_id = ThreadId(call.path["thread_id"]), RunId(call.path["run_id"])
    step = await api.store.get_step(thread_id, run_id, StepId(call.path["step_id"]))
    return step if call.query.has_result_content else result_content.without(step)
