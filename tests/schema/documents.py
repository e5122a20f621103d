"""The OpenAPI documents that answers are judged by: the two of the original, which are not part of the product, and ours.

The documents of the original contradict what it sent, or what its own clients need. Where they do, they are repaired before
they judge, one place at a time and with the reason.
"""

import copy
import re
from pathlib import Path
from typing import Any, Literal

import yaml  # type: ignore[import-untyped]
from msgspec import Struct

from runstead.http.openapi import document

Json = dict[str, Any]
ORIGINALS = Path(__file__).parents[3] / "shared/spec"
"""Beside a checkout, where somebody put them; a stranger's clone has no such folder."""


NULL = {"type": "null"}


class Mistake(Struct, frozen=True):
    """Fields of some schemas of which the document says too much: they may be null, be absent, or have another value."""

    wires: tuple[str, ...]
    schemas: tuple[str, ...]
    fields: tuple[str, ...]
    reason: str
    kind: Literal["null", "absent", "value"] = "null"
    value: str | None = None

    def is_in(self, schema: Json) -> bool:
        """Whether a schema says what is wrong: a repair that repairs nothing would hide the next fault of ours."""
        said = schema.get("required", []) if self.kind == "absent" else schema.get("properties", {})
        return any(field in said for field in self.fields)

    def repair(self, schema: Json) -> None:
        for field in self.fields:
            properties = schema.get("properties", {})
            if self.kind == "absent" and field in schema.get("required", []):
                schema["required"].remove(field)
            elif self.kind != "absent" and field in properties:
                other = NULL if self.kind == "null" else {"const": self.value}
                properties[field] = {"anyOf": [properties[field], other]}


MISTAKES = (
    Mistake(
        ("v1", "v2"),
        (
            "ListAssistantsResponse",
            "ListMessagesResponse",
            "ListRunsResponse",
            "ListRunStepsResponse",
            "ListFilesResponse",
            "ListVectorStoresResponse",
            "ListVectorStoreFilesResponse",
            "ListAssistantFilesResponse",
            "ListMessageFilesResponse",
        ),
        ("first_id", "last_id"),
        "An empty page has no first and no last object; every client's type has them optional.",
    ),
    Mistake(
        ("v1", "v2"),
        ("OpenAIFile",),
        ("status_details", "expires_at"),
        "Every key is always sent, and there is nothing to say in these; every client's type has them optional.",
    ),
    Mistake(
        ("v2",),
        ("OpenAIFile",),
        ("purpose",),
        "The document takes `evals` in an upload and does not know it in the file that this makes.",
        kind="value",
        value="evals",
    ),
    Mistake(
        ("v2",),
        ("VectorStoreObject",),
        ("name", "expires_after"),
        "A store that has none shows null, and was seen to; every client's type has both optional.",
    ),
    Mistake(
        ("v1",),
        ("ListAssistantFilesResponse", "ListMessageFilesResponse"),
        ("items",),
        "The document requires a field that it does not describe; its own example has none.",
        kind="absent",
    ),
)
"""The known mistakes that our answers meet. Others are listed beside the documents."""


def original(wire: str, *, repaired: bool = True) -> Json | None:
    """The original's document of a version, its known mistakes repaired; None where it is not at hand."""
    path = ORIGINALS / f"assistants-{wire}.yaml"
    if not path.exists():
        return None
    # The C loader, where there is one: the documents are long.
    found: Json = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    found = _with_nulls(found)
    for mistake in MISTAKES if repaired else ():
        if wire in mistake.wires:
            for name in mistake.schemas:
                mistake.repair(found["components"]["schemas"].get(name, {}))
    return found


def ours() -> Json:
    """What /openapi.json answers."""
    return copy.deepcopy(document())


def _with_nulls(node: Any) -> Any:
    """`nullable` of the older format in the words of JSON Schema."""
    if isinstance(node, list):
        return [_with_nulls(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = {key: _with_nulls(value) for key, value in node.items() if key != "nullable"}
    return {"anyOf": [found, NULL]} if node.get("nullable") is True else found


def schema_of_answer(described: Json, method: str, path: str, status: int) -> Json | None:
    """The schema of an answer; None if the document does not have that answer, or only by its words."""
    # A path without parameters comes before one that has them: /threads/runs is no thread.
    for template in sorted(described["paths"], key=lambda each: each.count("{")):
        operation = described["paths"][template].get(method.lower())
        if operation is not None and _matches(template, path):
            answers = operation["responses"]
            answer = answers.get(str(status)) or answers.get(f"{status // 100}XX") or {}
            found: Json | None = answer.get("content", {}).get("application/json", {}).get("schema")
            return found
    return None


def _matches(template: str, path: str) -> bool:
    pattern = re.sub(r"\{[^/]+\}", "[^/]+", template.removeprefix("/v1"))
    return re.fullmatch(pattern, path.removeprefix("/v1")) is not None


def schemas_of_events(described: Json) -> dict[str, Json]:
    """The schema of each event's data, by its name."""
    found: dict[str, Json] = {}
    schemas = described["components"]["schemas"]
    waiting = [schemas["AssistantStreamEvent"]]
    while waiting:
        each = waiting.pop()
        if "$ref" in each:
            waiting.append(schemas[each["$ref"].rpartition("/")[2]])
            continue
        waiting += each.get("oneOf", []) + each.get("anyOf", [])
        properties = each.get("properties", {})
        if "event" in properties and "data" in properties:
            found[properties["event"]["enum"][0]] = properties["data"]
    return found
