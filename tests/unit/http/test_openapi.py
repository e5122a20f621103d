"""The description names every operation, says what it takes and answers by version, and holds together."""

from collections.abc import Iterator
from typing import Any, get_type_hints

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from runstead.http import openapi
from runstead.http.operations import OPERATIONS, Operation
from runstead.wire import v1
from runstead.wire.assistants import Assistant
from runstead.wire.base import ListPage
from runstead.wire.v1.assistants import Assistant as V1Assistant

BODIES = [operation for operation in OPERATIONS if operation.body is not None]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    with TestClient(Starlette(routes=openapi.routes())) as client:
        answer = client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def described(document: dict[str, Any], operation: Operation) -> dict[str, Any]:
    return document["paths"][operation.path.replace(":path", "")][operation.method.lower()]


def walk(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for member in value.values():
            yield from walk(member)
    if isinstance(value, list):
        for member in value:
            yield from walk(member)


def names(schema: dict[str, Any]) -> list[str]:
    alternatives = schema.get("anyOf", [schema])
    return [each["$ref"].rpartition("/")[2] for each in alternatives]


def test_it_is_openapi_3_1(document):
    assert document["openapi"] == "3.1.0"
    assert set(document["info"]) >= {"title", "version"}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_every_operation_is_described(document, operation):
    it = described(document, operation)

    assert it["operationId"] == operation.id
    assert it["summary"].endswith(".")
    assert {"200", "4XX", "5XX"} <= set(it["responses"])
    in_path = {each["name"] for each in it["parameters"] if each["in"] == "path"}
    assert in_path == {part[1:-1] for part in operation.path.replace(":path", "").split("/") if part.startswith("{")}


def test_nothing_else_is_described(document):
    count = sum(len(methods) for methods in document["paths"].values())

    assert count == len(OPERATIONS)


def test_operation_ids_are_unique(document):
    ids = [each["operationId"] for path in document["paths"].values() for each in path.values()]

    assert len(set(ids)) == len(ids)


def test_every_reference_leads_to_a_schema(document):
    schemas = document["components"]["schemas"]
    references = {each["$ref"] for each in walk(document) if isinstance(each.get("$ref"), str)}

    assert {reference.removeprefix("#/components/schemas/") for reference in references} <= set(schemas)


def test_every_schema_is_used(document):
    used = {each["$ref"] for each in walk(document) if isinstance(each.get("$ref"), str)}

    assert {f"#/components/schemas/{name}" for name in document["components"]["schemas"]} <= used


@pytest.mark.parametrize("operation", BODIES, ids=lambda operation: operation.id)
def test_a_body_is_described_for_each_version(document, operation):
    body = described(document, operation)["requestBody"]
    schemas = document["components"]["schemas"]
    media_type = "multipart/form-data" if operation.is_upload else "application/json"
    own = {"file"} if operation.is_upload else set()
    schema = body["content"][media_type]["schema"]
    described_fields = [set(schemas[name]["properties"]) - own for name in names(schema)]

    assert body["required"] is not operation.is_body_optional
    for version in operation.versions:
        assert set(operation.body_in(version).__struct_fields__) in described_fields


def test_an_upload_has_a_file_that_fits_its_other_parts(document):
    form = document["components"]["schemas"]["CreateFile"]

    assert {"file", "purpose"} <= set(form["required"]) <= set(form["properties"])


def test_an_answer_that_v1_sees_otherwise_is_described_twice(document):
    answer = document["paths"]["/v1/threads/{thread_id}/runs/{run_id}"]["get"]["responses"]["200"]

    assert names(answer["content"]["application/json"]["schema"]) == ["Run", "V1Run"]


def test_every_key_of_an_answer_is_required(document):
    schemas = document["components"]["schemas"]

    for name in ("Run", "V1Run", "Assistant", "Thread", "Message", "RunStep", "RunList", "V1RunList", "Deleted"):
        assert set(schemas[name]["required"]) == set(schemas[name]["properties"]), name


def test_v1_answers_are_those_of_the_views():
    for kind, shown in openapi.V1_ANSWERS.items():
        assert get_type_hints(v1._VIEWS[kind])["return"] is shown
    assert set(openapi.V1_ANSWERS) == set(v1._VIEWS)
    assert openapi.v1_answer(ListPage[Assistant]) == ListPage[V1Assistant]


def test_streaming_is_noted_where_it_is_offered(document):
    for operation in OPERATIONS:
        content = described(document, operation)["responses"]["200"]["content"]
        assert ("text/event-stream" in content) is operation.may_stream
        assert ("application/json" in content) is not (operation.is_resumable or operation.is_download)
        assert ("application/octet-stream" in content) is operation.is_download


def test_lists_take_their_parameters(document):
    for operation in OPERATIONS:
        queries = {each["name"] for each in described(document, operation)["parameters"] if each["in"] == "query"}
        assert ({"limit", "order", "after", "before"} <= queries) is operation.is_list


def test_what_has_an_effect_may_bear_a_key(document):
    without = {operation.id for operation in OPERATIONS if operation.method == "POST" and operation.again is None}
    assert without == {"create_file", "search_vector_store"}
    for operation in OPERATIONS:
        headers = {each["name"] for each in described(document, operation)["parameters"] if each["in"] == "header"}
        assert ("Idempotency-Key" in headers) is (operation.again is not None)


@pytest.mark.parametrize(
    "operation", [operation for operation in OPERATIONS if operation.again is not None], ids=lambda it: it.id
)
def test_what_came_of_a_request_is_retrieved_by_an_operation_that_answers_alike(operation):
    by_handler = {each.handler: each for each in OPERATIONS}
    assert by_handler[operation.again].method == "GET"
    assert by_handler[operation.again].answer is operation.answer
    assert set(operation.versions) <= set(by_handler[operation.again].versions)


def test_refusals_have_the_apis_shape(document):
    schemas = document["components"]["schemas"]

    for operation in OPERATIONS:
        refused = described(document, operation)["responses"]["4XX"]
        assert names(refused["content"]["application/json"]["schema"]) == ["ErrorBody"]
    assert set(schemas["ErrorObject"]["properties"]) == {"message", "type", "param", "code"}


def test_it_is_built_once():
    (route,) = openapi.routes()
    with TestClient(Starlette(routes=[route])) as client:
        first = client.get("/openapi.json").content
        assert client.get("/openapi.json").content == first
    assert msgspec.json.decode(first)["info"]["title"] == "Runstead"
