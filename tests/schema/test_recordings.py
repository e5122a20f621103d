"""Every answer and every event that the acceptance tests read is as the documents say, the original's and ours.

Runs after them: `scripts/test` lets them write down what they are answered.
"""

from typing import Any

import pytest
from msgspec import structs

from tests.schema.documents import MISTAKES, Json, Mistake, original, ours, schemas_of_events
from tests.schema.judge import Judge
from tests.schema.recorded import FOLDER, Recorded, everything

WIRES = ("v1", "v2")
KNOWN = [(wire, mistake) for mistake in MISTAKES for wire in mistake.wires]


def document_of(wire: str, *, repaired: bool = True) -> Json:
    found = original(wire, repaired=repaired)
    if found is None:
        pytest.skip(f"../shared/spec/assistants-{wire}.yaml is not there: the original's document is no part of this")
    return found


def recordings(wire: str | None = None) -> list[Recorded]:
    """What was recorded, all that is not known as an extension of ours."""
    found = [each for each in everything() if wire in (None, each.wire)]
    if not found:
        pytest.skip(f"nothing was recorded: the acceptance tests did not run with {FOLDER} set")
    return found


def judge_of_ours() -> Judge:
    """Our own document; it lists the events of a stream beside the operation that streams."""
    described = ours()
    answers = described["paths"]["/v1/threads/{thread_id}/runs"]["post"]["responses"]["200"]["content"]
    return Judge(described, answers["text/event-stream"]["x-events"])


@pytest.mark.parametrize("wire", WIRES)
def test_answers_are_as_the_original_documents_them(wire: str) -> None:
    judge = Judge(document_of(wire))

    faults = judge.faults(recordings(wire))

    assert faults == []
    assert judge.judged["answers"] > 100
    assert judge.judged["events"] > 50


def test_answers_are_as_our_own_document_says() -> None:
    judge = judge_of_ours()
    # What the document says of events is said of v2.
    answers = [each for each in recordings() if each.event is None or each.wire == "v2"]

    assert judge.faults(answers) == []
    assert judge.unknown == []
    assert judge.judged["answers"] > 100


@pytest.mark.parametrize("wire", WIRES)
def test_every_event_of_the_original_is_described(wire: str) -> None:
    names = set(schemas_of_events(document_of(wire)))

    assert {each.event for each in recordings(wire) if each.event} <= names


@pytest.mark.parametrize(("wire", "mistake"), KNOWN, ids=lambda part: getattr(part, "reason", part)[:40])
def test_a_mistake_is_one_of_the_document(wire: str, mistake: Mistake) -> None:
    schemas = document_of(wire, repaired=False)["components"]["schemas"]

    assert any(mistake.is_in(schemas.get(name, {})) for name in mistake.schemas)


def listed(**changes: Any) -> Recorded:
    """A list of one model, changed."""
    model = {"id": "m", "object": "model", "created": 1, "owned_by": "us", **changes}
    page = {"object": "list", "data": [model], "first_id": "m", "last_id": "m", "has_more": False}
    return Recorded("v2", "GET", "/v1/models", 200, None, page)


def test_the_judge_finds_a_fault() -> None:
    judge = judge_of_ours()
    refused = structs.replace(listed(), status=404, value={"detail": "not found"})

    assert judge.faults([listed()]) == []
    assert len(judge.faults([listed(created="yesterday")])) == 1
    assert len(judge.faults([refused])) > 0
