"""Every object of the API as a table, for both versions: the fields that clients need, and what they may hold.

The rules are those of the strictest client of each era. A field that the original documents is required even where it
may be null; a field that only some of its answers had may be absent.
"""

from typing import Any, Literal

from runstead.conformance.file_shapes import TABLES
from runstead.conformance.kinds import (
    Absent,
    Kind,
    Shape,
    anything,
    boolean,
    by_type,
    count,
    either,
    id_of,
    instant,
    list_of,
    mapping,
    metadata,
    nullable,
    number,
    one_of,
    shape,
    string,
)

Wire = Literal["v1", "v2"]

FUNCTION: Shape = {"type": string, "function": shape({"name": string, "parameters": Absent(nullable(mapping))})}
TOOLS: dict[Wire, Kind] = {
    "v1": list_of(by_type(code_interpreter={}, retrieval={}, function=FUNCTION)),
    "v2": list_of(by_type(code_interpreter={}, file_search={}, function=FUNCTION)),
}
ERROR_CODES: dict[Wire, Kind] = {
    # The seed of the first era knows two codes and refuses the rest.
    "v1": one_of("server_error", "rate_limit_exceeded"),
    "v2": one_of("server_error", "rate_limit_exceeded", "invalid_prompt"),
}
RUN_STATUSES: dict[Wire, tuple[str, ...]] = {
    "v1": ("queued", "in_progress", "requires_action", "cancelling", "cancelled", "failed", "completed", "expired"),
    "v2": (
        *("queued", "in_progress", "requires_action", "cancelling", "cancelled", "failed", "completed", "expired"),
        "incomplete",
    ),
}
USAGE = nullable(shape({"prompt_tokens": count, "completion_tokens": count, "total_tokens": count}))
FORMAT = nullable(either(one_of("auto", "none"), shape({"type": one_of("text", "json_object", "json_schema")})))
RESOURCES = nullable(
    shape(
        {
            "code_interpreter": Absent(nullable(shape({"file_ids": Absent(list_of(string))}))),
            "file_search": Absent(nullable(shape({"vector_store_ids": Absent(list_of(string))}))),
        }
    )
)
CITATION: dict[Wire, Kind] = {
    "v1": shape({"file_id": string, "quote": string}),
    "v2": shape({"file_id": string, "quote": Absent(nullable(string))}),
}
TOOL_CALL: Shape = {"id": string, "function": shape({"name": string, "arguments": string})}


def annotations(wire: Wire) -> Kind:
    place: Shape = {"text": string, "start_index": count, "end_index": count}
    return list_of(
        by_type(
            file_citation={**place, "file_citation": CITATION[wire]},
            file_path={**place, "file_path": shape({"file_id": string})},
        )
    )


def content(wire: Wire) -> Kind:
    common: dict[str, Shape] = {
        "text": {"text": shape({"value": string, "annotations": annotations(wire)})},
        "image_file": {"image_file": shape({"file_id": string})},
    }
    newer: dict[str, Shape] = {"image_url": {"image_url": shape({"url": string})}, "refusal": {"refusal": string}}
    return list_of(by_type(**common, **(newer if wire == "v2" else {})))


def assistant(wire: Wire) -> Shape:
    return {
        "id": id_of("asst_"),
        "object": one_of("assistant"),
        "created_at": instant,
        "name": nullable(string),
        "description": nullable(string),
        "model": string,
        "instructions": nullable(string),
        "tools": TOOLS[wire],
        "metadata": metadata,
        "temperature": Absent(nullable(number)),
        "top_p": Absent(nullable(number)),
        "response_format": Absent(FORMAT),
        **({"file_ids": list_of(string)} if wire == "v1" else {"tool_resources": Absent(RESOURCES)}),
    }


def thread(wire: Wire) -> Shape:
    return {
        "id": id_of("thread_"),
        "object": one_of("thread"),
        "created_at": instant,
        "metadata": metadata,
        **({} if wire == "v1" else {"tool_resources": RESOURCES}),
    }


def message(wire: Wire) -> Shape:
    tools = list_of(by_type(code_interpreter={}, file_search={}))
    attachments = nullable(list_of(shape({"file_id": Absent(string), "tools": Absent(tools)})))
    reasons = one_of("content_filter", "max_tokens", "run_cancelled", "run_expired", "run_failed")
    return {
        "id": id_of("msg_"),
        "object": one_of("thread.message"),
        "created_at": instant,
        "thread_id": id_of("thread_"),
        "status": one_of("in_progress", "incomplete", "completed"),
        "incomplete_details": nullable(shape({"reason": reasons})),
        "completed_at": nullable(instant),
        "incomplete_at": nullable(instant),
        "role": one_of("user", "assistant"),
        "content": content(wire),
        "assistant_id": nullable(id_of("asst_")),
        "run_id": nullable(id_of("run_")),
        "metadata": metadata,
        **({"file_ids": list_of(string)} if wire == "v1" else {"attachments": attachments}),
    }


def run(wire: Wire) -> Shape:
    calls = list_of(by_type(function=TOOL_CALL))
    action = shape({"type": one_of("submit_tool_outputs"), "submit_tool_outputs": shape({"tool_calls": calls})})
    limit = one_of("max_completion_tokens", "max_prompt_tokens")
    choices = ("none", "auto") if wire == "v1" else ("none", "auto", "required")
    truncation = shape({"type": one_of("auto", "last_messages"), "last_messages": Absent(nullable(count))})
    return {
        "id": id_of("run_"),
        "object": one_of("thread.run"),
        "created_at": instant,
        "thread_id": id_of("thread_"),
        "assistant_id": id_of("asst_"),
        "status": one_of(*RUN_STATUSES[wire]),
        "required_action": nullable(action),
        "last_error": nullable(shape({"code": ERROR_CODES[wire], "message": string})),
        "expires_at": nullable(instant),
        "started_at": nullable(instant),
        "cancelled_at": nullable(instant),
        "failed_at": nullable(instant),
        "completed_at": nullable(instant),
        "incomplete_details": nullable(shape({"reason": Absent(limit)})),
        "model": string,
        "instructions": string,
        "tools": TOOLS[wire],
        "metadata": metadata,
        "usage": USAGE,
        "temperature": Absent(nullable(number)),
        "top_p": Absent(nullable(number)),
        "max_prompt_tokens": nullable(count),
        "max_completion_tokens": nullable(count),
        "truncation_strategy": nullable(truncation),
        "tool_choice": nullable(either(one_of(*choices), shape({"type": string}))),
        "response_format": FORMAT,
        **({"file_ids": list_of(string)} if wire == "v1" else {"parallel_tool_calls": boolean}),
    }


def run_step(wire: Wire) -> Shape:
    return {
        "id": id_of("step_"),
        "object": one_of("thread.run.step"),
        "created_at": instant,
        "assistant_id": id_of("asst_"),
        "thread_id": id_of("thread_"),
        "run_id": id_of("run_"),
        "type": one_of("message_creation", "tool_calls"),
        "status": one_of("in_progress", "cancelled", "failed", "completed", "expired"),
        "step_details": step_details(wire),
        "last_error": nullable(shape({"code": one_of("server_error", "rate_limit_exceeded"), "message": string})),
        "expired_at": nullable(instant),
        "cancelled_at": nullable(instant),
        "failed_at": nullable(instant),
        "completed_at": nullable(instant),
        "metadata": metadata,
        "usage": USAGE,
    }


def step_details(wire: Wire) -> Kind:
    output = by_type(logs={"logs": string}, image={"image": shape({"file_id": string})})
    code = shape({"input": string, "outputs": list_of(output)})
    function = shape({"name": string, "arguments": string, "output": nullable(string)})
    search: dict[str, Shape] = (
        {"retrieval": {"id": string, "retrieval": mapping}}
        if wire == "v1"
        else {"file_search": {"id": string, "file_search": mapping}}
    )
    call = by_type(
        code_interpreter={"id": string, "code_interpreter": code},
        function={"id": string, "function": function},
        **search,
    )
    return by_type(
        message_creation={"message_creation": shape({"message_id": id_of("msg_")})},
        tool_calls={"tool_calls": list_of(call)},
    )


def message_delta(wire: Wire) -> Shape:
    place: Shape = {"index": count, "text": Absent(string), "start_index": Absent(count), "end_index": Absent(count)}
    marks = list_of(by_type(file_citation=place, file_path={**place, "file_path": Absent(shape({"file_id": string}))}))
    words = shape({"value": Absent(string), "annotations": Absent(marks)})
    common: dict[str, Shape] = {
        "text": {"index": count, "text": Absent(words)},
        "image_file": {"index": count, "image_file": shape({"file_id": string})},
    }
    newer: dict[str, Shape] = {name: {"index": count} for name in ("image_url", "refusal")}
    parts = by_type(**common, **(newer if wire == "v2" else {}))
    delta = shape({"role": Absent(one_of("user", "assistant")), "content": Absent(list_of(parts))})
    return {"id": id_of("msg_"), "object": one_of("thread.message.delta"), "delta": delta}


def run_step_delta(wire: Wire) -> Shape:
    pieces: Shape = {"name": Absent(string), "arguments": Absent(string), "output": Absent(nullable(string))}
    search = "retrieval" if wire == "v1" else "file_search"
    output = by_type(logs={"index": count, "logs": string}, image={"index": count, "image": shape({"file_id": string})})
    code = shape({"input": Absent(string), "outputs": Absent(list_of(output))})
    calls: dict[str, Shape] = {
        "function": {"index": count, "id": Absent(string), "function": Absent(shape(pieces))},
        "code_interpreter": {"index": count, "id": Absent(string), "code_interpreter": Absent(code)},
        search: {"index": count, "id": Absent(string), search: mapping},
    }
    details = by_type(message_creation={}, tool_calls={"tool_calls": Absent(list_of(by_type(**calls)))})
    delta = shape({"step_details": Absent(details)})
    return {"id": id_of("step_"), "object": one_of("thread.run.step.delta"), "delta": delta}


def listing(_: Wire) -> Shape:
    edge = nullable(string)
    return {"object": one_of("list"), "data": list_of(anything), "first_id": edge, "last_id": edge, "has_more": boolean}


def model(_: Wire) -> Shape:
    return {"id": string, "object": one_of("model"), "created": count, "owned_by": string}


def deleted(_: Wire) -> Shape:
    """The marker of a deletion; which `object` it names is how its table is found."""
    return {"id": string, "object": string, "deleted": one_of(True)}


OBJECTS = {
    "assistant": assistant,
    "thread": thread,
    "thread.message": message,
    "thread.run": run,
    "thread.run.step": run_step,
    "thread.message.delta": message_delta,
    "thread.run.step.delta": run_step_delta,
    "list": listing,
    "model": model,
    "assistant.deleted": deleted,
    "assistant.file.deleted": deleted,
    "thread.deleted": deleted,
    "thread.message.deleted": deleted,
    "vector_store.deleted": deleted,
    "vector_store.file.deleted": deleted,
}
"""By what `object` says. Models come without the envelope of a page and are judged one by one."""


def table_of(value: Any, wire: Wire) -> Shape | None:
    """The table that an object has to satisfy; None for what has none."""
    name = value.get("object") if isinstance(value, dict) else None
    if not isinstance(name, str):
        return None
    if name == "file" and "deleted" in value:
        # API: the marker of a deleted file has no word of its own.
        return deleted(wire)
    if name == "list" and "has_more" not in value and all(_is_model(each) for each in value.get("data", ())):
        return {field: kind for field, kind in listing(wire).items() if field in ("object", "data")}
    if name in OBJECTS:
        return OBJECTS[name](wire)
    return TABLES.get(name)


def _is_model(value: Any) -> bool:
    return isinstance(value, dict) and value.get("object") == "model"


ERROR: Shape = {"message": string, "type": string, "param": nullable(string), "code": nullable(string)}
