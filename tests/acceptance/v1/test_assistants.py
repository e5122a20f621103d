"""Assistants over v1: file_ids and retrieval, no tool_resources."""

from typing import Any

import pytest
from openai import NotFoundError

from tests.acceptance.scene import CLOCK, WEATHER


def shown(thing) -> dict[str, Any]:
    return thing.model_dump(exclude_unset=True)


def test_an_assistant_keeps_what_it_was_given(client, model) -> None:
    made = client.beta.assistants.create(
        model=model.name,
        name="Atlas",
        description="Knows the way",
        instructions="Be brief.",
        tools=[{"type": "code_interpreter"}, {"type": "retrieval"}, WEATHER],
        metadata={"team": "maps"},
    )

    assert made.id.startswith("asst_")
    assert shown(made) == {
        "id": made.id,
        "object": "assistant",
        "created_at": made.created_at,
        "name": "Atlas",
        "description": "Knows the way",
        "model": model.name,
        "instructions": "Be brief.",
        "tools": [{"type": "code_interpreter"}, {"type": "retrieval"}, WEATHER],
        "file_ids": [],
        "metadata": {"team": "maps"},
        "temperature": 1.0,
        "top_p": 1.0,
        "response_format": "auto",
    }
    assert client.beta.assistants.retrieve(made.id) == made


def test_an_assistant_of_a_model_alone_has_lists_and_no_nulls_in_their_place(client, model) -> None:
    made = client.beta.assistants.create(model=model.name)

    assert (made.tools, made.file_ids, made.metadata) == ([], [], {})
    assert (made.name, made.description, made.instructions) == (None, None, None)


def test_a_change_touches_only_what_it_names(client, model) -> None:
    made = client.beta.assistants.create(model=model.name, name="Before", instructions="Stay.", tools=[WEATHER])

    changed = client.beta.assistants.update(made.id, name="After", tools=[CLOCK], file_ids=[])

    assert (changed.name, changed.instructions) == ("After", "Stay.")
    assert [tool.function.name for tool in changed.tools] == ["get_time"]
    assert client.beta.assistants.retrieve(made.id) == changed


def test_a_deleted_assistant_is_gone(client, model) -> None:
    made = client.beta.assistants.create(model=model.name)

    deleted = client.beta.assistants.delete(made.id)

    assert shown(deleted) == {"id": made.id, "object": "assistant.deleted", "deleted": True}
    with pytest.raises(NotFoundError, match=f"No assistant found with id '{made.id}'."):
        client.beta.assistants.retrieve(made.id)


def test_the_pager_of_the_time_walks_past_the_end_and_stops_at_an_empty_page(client, model) -> None:
    # It knows no has_more: after the last object it asks once more.
    made = [client.beta.assistants.create(model=model.name).id for _ in range(5)]

    walked = [each.id for each in client.beta.assistants.list(limit=2)]

    assert walked[:5] == made[::-1]
    assert len(walked) == len(set(walked))


def test_models_are_listed_without_a_version(client, model) -> None:
    model.will({"text": "Fine"})

    assert model.name in {each.id for each in client.models.list()}
    assert client.models.retrieve(model.name).object == "model"
