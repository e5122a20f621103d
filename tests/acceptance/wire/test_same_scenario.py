"""The same scenario over v1 and over v2: what is told agrees field by field, but for what docs/compatibility.md says.

The mapping stands here a second time, written from that page and not from the code that does it.
"""

from typing import Any

from tests.acceptance.scripted import Json, Model, ScriptedServer
from tests.acceptance.wire.scenario import Play
from tests.acceptance.wire.talk import Api

ONLY_V2 = {"tool_resources", "attachments", "reasoning_effort"}
WITH_FILES = {"assistant", "thread.run", "thread.message"}
CUT = "The run is incomplete: it reached max_completion_tokens (256)."


def in_v1_words(value: Any) -> Any:
    """What v2 was told, as v1 has to be told it."""
    if isinstance(value, list):
        return [in_v1_words(each) for each in value]
    if not isinstance(value, dict):
        return value
    shown = {key: in_v1_words(each) for key, each in value.items() if key not in ONLY_V2}
    if shown.get("object") in WITH_FILES:
        shown["file_ids"] = [each["file_id"] for each in value.get("attachments", [])]
    if shown.get("type") == "file_search":
        # A step's call shows that there was a search; what it found is told to v2 only.
        found: Json = {"retrieval": {}} if shown.pop("file_search", None) is not None else {}
        shown = {**shown, "type": "retrieval", **found}
    return _run_in_v1_words(shown) if shown.get("object") == "thread.run" else shown


def _run_in_v1_words(run: Json) -> Json:
    if run["status"] == "incomplete":
        error = {"code": "server_error", "message": CUT}
        return {**run, "status": "failed", "failed_at": run["completed_at"], "completed_at": None, "last_error": error}
    if run["last_error"] and run["last_error"]["code"] == "invalid_prompt":
        return {**run, "last_error": {**run["last_error"], "code": "server_error"}}
    return run


def test_both_wires_tell_the_same_story(api: Api, scripted: ScriptedServer, model: Model) -> None:
    told = {wire: Play(api, wire, model).play() for wire in ("v1", "v2")}

    expected = [(name.replace("thread.run.incomplete", "thread.run.failed"), value) for name, value in told["v2"]]
    assert [name for name, _ in told["v1"]] == [name for name, _ in expected]
    for (name, older), (_, newer) in zip(told["v1"], expected, strict=True):
        assert older == in_v1_words(newer), name


def test_the_story_has_what_the_wires_tell_differently(api: Api, model: Model) -> None:
    """A mapping that nothing needs would pass unseen."""
    told = dict(Play(api, "v2", model).play())

    assert in_v1_words(told["assistant"]["tools"][1]) != told["assistant"]["tools"][1]
    assert told["cut: thread.run.incomplete"]["status"] == "incomplete"
    assert told["failed"]["last_error"]["code"] == "invalid_prompt"
    assert told["searched: thread.message.completed"]["content"][0]["text"]["annotations"]
    assert told["messages of the search"]["data"][-1]["attachments"]
    assert told["cancelled: thread.run.cancelled"]["status"] == "cancelled"
