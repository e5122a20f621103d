"""docs/compatibility.md has every endpoint, field and event, in the version that has it."""

import re
from typing import Any, get_args, get_origin

import pytest
from msgspec import Struct
from msgspec.structs import fields

from runstead.http.errors import ErrorBody
from runstead.http.openapi import v1_answer
from runstead.http.operations import OPERATIONS
from runstead.http.queries import Query
from runstead.ports import PageRequest
from runstead.wire.events import EventName
from tests.docs.pages import read, rows, section

PAGE = read("docs/compatibility.md")
FIELDS = PAGE.split("\n## Objects and bodies\n")[1].split("\n## Where the original is not known\n")[0]
DOCUMENTED = {
    heading: {row[0]: (row[1], row[2]) for row in rows(section(FIELDS, heading))}
    for heading in re.findall(r"^### (\w+)$", FIELDS, re.MULTILINE)
}


def structs_in(hint: Any) -> set[type[Struct]]:
    """Every struct that a type mentions, and those that these mention."""
    found: set[type[Struct]] = set()
    waiting = [hint]
    while waiting:
        each = waiting.pop()
        waiting += get_args(each)
        if isinstance(each, type) and issubclass(each, Struct) and each not in found:
            found.add(each)
            waiting += [field.type for field in fields(each)]
        if (generic := get_origin(each)) is not None:
            waiting.append(generic)
    return found


def shapes() -> dict[str, dict[str, set[str]]]:
    """The fields of everything that travels, by name and version."""
    found: dict[str, dict[str, set[str]]] = {}
    for operation in OPERATIONS:
        for version in operation.versions:
            answer = operation.answer if version == "v2" else v1_answer(operation.answer)
            for kind in structs_in(answer) | structs_in(operation.body_in(version)) | structs_in(ErrorBody):
                names = set(kind.__struct_fields__) | ({kind.__struct_config__.tag_field or ""} - {""})
                found.setdefault(kind.__name__, {}).setdefault(version, set()).update(names)
    return found


SHAPES = shapes()

WRAPPERS = {
    "ErrorBody",
    "CreatedMessage",
    "SubmitToolOutputsAction",
    "ChosenFunction",
    "ImageFile",
    "ImageUrl",
    "FileCitation",
    "FilePath",
    "AttachmentTool",
    "LogOutput",
    "ImageOutput",
    "OutputImage",
    "FileSearchRanking",
    "FileSearchText",
}
"""Parts whose few fields go without saying: what holds them is described."""


def test_every_endpoint_is_listed_with_its_versions():
    documented = {row[0]: (row[1], row[2]) for row in rows(section(PAGE, "Endpoints")) if "not yet" not in row}
    served = {
        f"{operation.method} {operation.path.replace(':path', '')}": tuple(
            "yes" if version in operation.versions else "-" for version in ("v1", "v2")
        )
        for operation in OPERATIONS
    }

    assert documented == served


@pytest.mark.parametrize("name", sorted(set(SHAPES) - WRAPPERS))
def test_every_field_is_listed_with_its_versions(name):
    by_version = SHAPES[name]
    expected = {
        field: tuple("yes" if field in by_version.get(version, ()) else "-" for version in ("v1", "v2"))
        for field in set().union(*by_version.values())
    }

    assert DOCUMENTED[name] == expected


def test_nothing_is_listed_that_does_not_travel():
    assert set(DOCUMENTED) == set(SHAPES) - WRAPPERS


def test_every_event_is_listed():
    documented = {row[0]: (row[1], row[2]) for row in rows(section(PAGE, "Stream events"))}

    assert set(documented) == set(get_args(EventName))
    assert {name for name, versions in documented.items() if versions[0] == "-"} == {"thread.run.incomplete"}


def test_every_query_parameter_is_listed():
    documented = {name for row in rows(section(PAGE, "Query parameters")) for name in row[0].split(", ")}

    known = {*PageRequest.__struct_fields__, *Query.__struct_fields__} - {"page", "has_result_content"}
    assert documented == known | {"include[]"}
