"""/openapi.json, generated from the table of operations and the wire structs when it is first asked for.

Both versions share their URLs, so a body or an answer that differs is described as any of the two shapes; those of v1
bear its name. `anyOf` and not `oneOf`: a simple body is valid in both.
"""

import inspect
import re
from functools import cache
from typing import Any, get_args, get_origin

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runstead import __version__
from runstead.http.errors import ErrorBody, StreamError
from runstead.http.keyed import LONGEST
from runstead.http.operations import OPERATIONS, Operation
from runstead.http.queries import MAX_WAIT, RESULT_CONTENT, STATES, Limits
from runstead.ports import PageRequest
from runstead.wire import assistants, events, files, messages, run_steps, runs, threads
from runstead.wire.base import ListPage, Resource
from runstead.wire.v1 import assistants as v1_assistants
from runstead.wire.v1 import files as v1_files
from runstead.wire.v1 import messages as v1_messages
from runstead.wire.v1 import run_steps as v1_run_steps
from runstead.wire.v1 import runs as v1_runs
from runstead.wire.v1 import threads as v1_threads

Json = dict[str, Any]

V1_ANSWERS: dict[type[Resource], type[Resource]] = {
    assistants.Assistant: v1_assistants.Assistant,
    threads.Thread: v1_threads.Thread,
    messages.Message: v1_messages.Message,
    runs.Run: v1_runs.Run,
    run_steps.RunStep: v1_run_steps.RunStep,
    files.File: v1_files.File,
}
"""What v1 is answered where v2 is answered something else."""

_SCHEMAS = "#/components/schemas/"

_VERSION: Json = {
    "name": "OpenAI-Beta",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "examples": ["assistants=v2", "assistants=v1"]},
    "description": "Which version the request and its answer are written in; v2 without it, unless it is required here.",
}
_ORDER: list[Json] = [
    {
        "name": "order",
        "in": "query",
        "schema": {"enum": ["asc", "desc"], "default": PageRequest().order},
        "description": "By creation, oldest or newest first.",
    },
    {"name": "after", "in": "query", "schema": {"type": "string"}, "description": "Only what follows this id."},
    {"name": "before", "in": "query", "schema": {"type": "string"}, "description": "Only what precedes this id."},
]
_RUN_ID: Json = {
    "name": "run_id",
    "in": "query",
    "schema": {"type": "string"},
    "description": "Only the messages that this run wrote.",
}
_PURPOSE: Json = {
    "name": "purpose",
    "in": "query",
    "schema": {"type": "string"},
    "description": "Only files of this purpose.",
}
_FILTER: Json = {
    "name": "filter",
    "in": "query",
    "schema": {"enum": list(STATES)},
    "description": "Only files in this state.",
}
_METADATA: Json = {
    "name": "metadata",
    "in": "query",
    "style": "deepObject",
    "explode": True,
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    "description": "Only what has all these pairs, each written `metadata[key]=value`.",
}
_WAIT: Json = {
    "name": "wait",
    "in": "query",
    "schema": {"type": "integer", "minimum": 0, "maximum": MAX_WAIT, "default": 0},
    "description": "Answer when the run has ended or requires action, or after so many seconds.",
}
_RANGE: Json = {
    "name": "Range",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "examples": ["bytes=0-1023"]},
    "description": "The bytes to be sent; a list of ranges is answered with the whole.",
}
_INCLUDE: Json = {
    "name": "include[]",
    "in": "query",
    "schema": {"type": "array", "items": {"enum": [RESULT_CONTENT]}},
    "description": "What is left out unless it is asked for.",
}
_LAST_EVENT: Json = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "examples": ["2.17"]},
    "description": "The id of the last event that was seen; without it the run is told from its start.",
}
_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST},
    "description": "A request that is sent again under its key within a day has no second effect.",
}
_MORE_QUERY: dict[str, Json] = {
    "list_messages": _RUN_ID,
    "list_files": _PURPOSE,
    "get_file_content": _RANGE,
    "create_run": _INCLUDE,
    "list_run_steps": _INCLUDE,
    "get_run_step": _INCLUDE,
}

_EVENTS = (
    "Each event has a name and one line of JSON as `data`; the last is `done` with `[DONE]`. "
    "Comment lines keep a silent connection open."
)


_EVENT: Json = {
    "type": "object",
    "description": "One event; the format has no schema for a stream of them.",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}, "id": {"type": "string"}},
    "required": ["event", "data"],
}


def routes() -> list[Route]:
    """/openapi.json, open to everybody: it says nothing that this program's source does not."""

    async def openapi(request: Request) -> Response:
        return Response(encoded(), media_type="application/json")

    return [Route("/openapi.json", openapi)]


@cache
def encoded() -> bytes:
    """The document as it is served."""
    return _tidy(msgspec.json.encode(document()))


def _tidy(encoded: bytes) -> bytes:
    """Lists under a name that reads well."""
    return re.sub(rb"ListPage(?:_([A-Za-z]+)_|\[([A-Za-z]+)\])", rb"\1\2List", encoded)


def document() -> Json:
    """The whole description."""
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        path = operation.path.replace(":path}", "}")
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Runstead",
            "version": __version__,
            "summary": "The Assistants API, versions 1 and 2",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        # Keys are a setting: without them nobody is asked for one.
        "security": [{"key": []}, {}],
        "paths": paths,
        "components": {"schemas": _components(), "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(operation: Operation, path: str) -> Json:
    described: Json = {
        "operationId": operation.id,
        "summary": _summary(operation),
        "tags": [path.split("/")[2]],
        "parameters": list(_parameters(operation, path)),
        "responses": {
            "200": _answer(operation),
            "4XX": _error("The request is refused."),
            "5XX": _error("The server, or the model's server, failed."),
        },
    }
    if operation.versions != ("v1", "v2"):
        described["description"] = f"Only with `OpenAI-Beta: assistants={operation.versions[0]}`."
    if operation.body is not None:
        described["requestBody"] = {
            "required": not operation.is_body_optional,
            "content": {_media_type(operation): {"schema": _any_of(_body_refs(operation))}},
        }
    return described


def _media_type(operation: Operation) -> str:
    return "multipart/form-data" if operation.is_upload else "application/json"


def _summary(operation: Operation) -> str:
    return (inspect.getdoc(operation.handler) or operation.id).partition("\n")[0]


def _parameters(operation: Operation, path: str) -> list[Json]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]
    # Models come whole, whatever a client asks for.
    page = _page(operation.limits) if operation.is_list else []
    more = [_MORE_QUERY[operation.id]] if operation.id in _MORE_QUERY else []
    more += [_FILTER] if operation.has_filter else []
    more += [_METADATA] if operation.has_metadata else []
    more += [_WAIT] if operation.has_wait else []
    more += [_LAST_EVENT] if operation.is_resumable else []
    more += [_KEY] if operation.again is not None else []
    return [*in_path, *([_VERSION] if operation.needs_beta else []), *page, *more]


def _page(limits: Limits) -> list[Json]:
    limit: Json = {
        "name": "limit",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": limits.most, "default": limits.default},
        "description": "How many objects at most.",
    }
    return [limit, *_ORDER]


def _answer(operation: Operation) -> Json:
    if operation.is_download:
        return {"description": "The bytes.", "content": {"application/octet-stream": {}}}
    content: Json = {"application/json": {"schema": _any_of(_answer_refs(operation))}}
    stream = {"text/event-stream": {"schema": _EVENT, "x-events": _event_refs()}}
    if operation.is_resumable:
        return {"description": f"Server-sent events. {_EVENTS}", "content": stream}
    if operation.may_stream:
        described = f"Done; with `stream` in the body, server-sent events instead. {_EVENTS}"
        return {"description": described, "content": content | stream}
    return {"description": "Done.", "content": content}


def _error(description: str) -> Json:
    return {"description": description, "content": {"application/json": {"schema": _ref(_name(ErrorBody))}}}


def _event_refs() -> Json:
    kinds = {
        "thread.created": threads.Thread,
        "thread.message.delta": events.MessageDelta,
        "thread.run.step.delta": events.RunStepDelta,
        "error": StreamError,
    }
    by_prefix = {"thread.message": messages.Message, "thread.run.step": run_steps.RunStep, "thread.run": runs.Run}
    return {
        name: _ref(_name(kinds.get(name) or by_prefix[name.rpartition(".")[0]]))
        for name in get_args(events.EventName)
        if name != "done"
    }


def _any_of(names: list[str]) -> Json:
    return _ref(names[0]) if len(names) == 1 else {"anyOf": [_ref(name) for name in names]}


def _ref(name: str) -> Json:
    return {"$ref": f"{_SCHEMAS}{name}"}


def _body_refs(operation: Operation) -> list[str]:
    """The names of an operation's bodies, v2's first."""
    bodies = {version: operation.body_in(version) for version in operation.versions}
    names = [_name(operation.body)] if operation.body in bodies.values() else []
    if "v1" in bodies and bodies["v1"] is not operation.body:
        names.append(f"V1{_name(bodies['v1'])}")
    return names


def _answer_refs(operation: Operation) -> list[str]:
    shown = v1_answer(operation.answer)
    names = [_name(operation.answer)] if "v2" in operation.versions or shown == operation.answer else []
    if "v1" in operation.versions and shown != operation.answer:
        names.append(f"V1{_name(shown)}")
    return names


def v1_answer(answer: Any) -> Any:
    """The type that v1 is answered where v2 is answered this one."""
    if get_origin(answer) is ListPage:
        (item,) = get_args(answer)
        return ListPage[V1_ANSWERS.get(item, item)]  # type: ignore[misc] # mypy wants a type it can see
    return V1_ANSWERS.get(answer, answer)


def _name(kind: Any) -> str:
    """The name msgspec gives to a type."""
    item = "".join(f"_{each.__name__}_" for each in get_args(kind))
    return f"{(get_origin(kind) or kind).__name__}{item}"


def _components() -> Json:
    answers = [operation.answer for operation in OPERATIONS]
    bodies = [operation.body for operation in OPERATIONS if operation.body is not None]
    deltas = [events.MessageDelta, events.RunStepDelta]
    newer = _schemas([*answers, *bodies, *deltas, ErrorBody, StreamError], prefix="")
    for upload in OPERATIONS:
        if upload.is_upload and upload.body is not None:
            # The file is a part of the form, and no field of the struct: it never is in memory whole.
            form = newer[_name(upload.body)]
            form["properties"]["file"] = {"type": "string", "format": "binary"}
            form["required"].append("file")
    v1_types = [v1_answer(answer) for answer in answers if v1_answer(answer) != answer]
    v1_types += [body for each in OPERATIONS if (body := each.body_in("v1")) not in (None, each.body)]
    return newer | _schemas(v1_types, prefix="V1")


def _schemas(types: list[Any], *, prefix: str) -> Json:
    unique = list(dict.fromkeys(types))
    _, schemas = msgspec.json.schema_components(unique, ref_template=f"{_SCHEMAS}{prefix}{{name}}")
    for kind in unique:
        if issubclass(get_origin(kind) or kind, Resource):
            # Every key of an answer is always sent, defaults included.
            schemas[_name(kind)]["required"] = list(schemas[_name(kind)]["properties"])
    return {f"{prefix}{name}": schema for name, schema in schemas.items()}
