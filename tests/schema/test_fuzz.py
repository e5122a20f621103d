"""Requests that our own OpenAPI document allows: nothing breaks, and nothing is answered that it does not say."""

import zlib
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.schema.conftest import Inhabited
from tests.schema.documents import ours

EXAMPLES = 12
"""Requests for each operation: a minute for all of them."""
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
WIRES = ("assistants=v1", "assistants=v2", None)

schema = schemathesis.openapi.from_dict(ours())
# The same requests in every run: a failure has to be found again.
bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def made_likely(case: Any, ids: dict[str, str]) -> None:
    """Point most of a request at what exists, in a version that exists; else all would end as 404 or invalid_beta."""
    chance = zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode())
    if chance % 4:
        case.path_parameters = {name: ids.get(name, value) for name, value in (case.path_parameters or {}).items()}
        wire = WIRES[chance % len(WIRES)]
        headers = {name: value for name, value in (case.headers or {}).items() if name.lower() != "openai-beta"}
        case.headers = headers if wire is None else {**headers, "OpenAI-Beta": wire}
        if isinstance(case.body, dict) and "assistant_id" in case.body:
            case.body["assistant_id"] = ids["assistant_id"]


@schema.parametrize()
@bounded
def test_nothing_breaks_and_nothing_is_undocumented(case: Any, inhabited: Inhabited) -> None:
    made_likely(case, inhabited.ids)

    case.call_and_validate(base_url=inhabited.url, checks=CHECKS, timeout=30)
