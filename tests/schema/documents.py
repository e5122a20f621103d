"""The OpenAPI documents that answers are judged by: the two of the original, which are not part of the product, and ours.

The documents of the original contradict what it sent, or what its own clients need. Where they do, they are repaired before
they judge, one place at a time and with the reason.
"""

import copy
import re
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from msgspec import Struct

from runstead.http.openapi import document

Json = dict[str, Any]
ORIGINALS = Path(__file__).parents[3] / "shared/spec"
"""Beside a checkout, where somebody put them; a stranger's clone has no such folder."""


NULL = {"type": "null"}


class Mistake(Struct, frozen=True):
    """Places of a schema that take null although the document says that they do not."""

    wires: tuple[str, ...]
    schemas: tuple[str, ...]
    fields: tuple[str, ...]
    reason: str


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
)
"""The known mistakes that our answers meet. Others are listed beside the documents."""


def original(wire: str) -> Json | None:
    """The original's document of a version with its known mistakes repaired; None where it is not at hand."""
    path = ORIGINALS / f"assistants-{wire}.yaml"
    if not path.exists():
        return None
    # The C loader, where there is one: the documents are long.
    found: Json = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    repaired: Json = _with_nulls(found)
    for mistake in MISTAKES:
        if wire in mistake.wires:
            _repair(repaired["components"]["schemas"], mistake)
    return repaired


def _repair(schemas: Json, mistake: Mistake) -> None:
    for name in mistake.schemas:
        properties = schemas.get(name, {}).get("properties", {})
        for field in mistake.fields:
            if field in properties:
                properties[field] = {"anyOf": [properties[field], NULL]}


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
