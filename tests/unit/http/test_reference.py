"""/docs shows everything that /openapi.json says, and leads nowhere else."""

import re

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from runstead.http import openapi, reference
from runstead.http.operations import OPERATIONS


@pytest.fixture(scope="module")
def page() -> str:
    with TestClient(Starlette(routes=reference.routes())) as client:
        answer = client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    return answer.text


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_every_operation_is_shown(page: str, operation) -> None:
    assert f'id="{operation.id}"' in page
    assert f"<b>{operation.method}</b>{operation.path.replace(':path', '')}</code>" in page


def test_every_link_leads_to_a_place_of_the_page(page: str) -> None:
    targets = re.findall(r'href="([^"]*)"', page)
    places = set(re.findall(r'id="([^"]*)"', page))

    assert set(targets) - {f"#{place}" for place in places} == {"/openapi.json"}


def test_nothing_is_fetched(page: str) -> None:
    assert "//" not in re.sub(r"https?://example\.com\S*", "", page)
    assert not re.findall(r"<(?:script|link|img|iframe)\b|\bsrc=|@import|url\(", page)


def test_limits_and_alternatives_are_told(page: str) -> None:
    assert "at least 1" in page
    assert "256 characters at most" in page
    assert "<code>queued</code>" in page


def test_what_a_description_holds_is_text() -> None:
    hostile = {"title": "<script>", "version": "1", "summary": "<b>"}

    shown = reference.page({"info": hostile, "paths": {}, "components": {"schemas": {"A": {"description": "<i>"}}}})

    assert not {"<script>", "<b>", "<i>"} & set(re.findall(r"<\w+>", shown))


def test_the_document_is_the_one_that_is_served() -> None:
    with TestClient(Starlette(routes=openapi.routes())) as client:
        assert client.get("/openapi.json").content == openapi.encoded()
