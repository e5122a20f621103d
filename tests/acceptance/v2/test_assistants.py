"""Assistants: made, read, changed, deleted."""

import pytest
from openai import NotFoundError, OpenAI

from tests.acceptance.scene import CLOCK, WEATHER
from tests.acceptance.scripted import Model


def test_an_assistant_keeps_what_it_was_given(client: OpenAI, model: Model) -> None:
    made = client.beta.assistants.create(
        model=model.name,
        name="Atlas",
        description="Knows the way",
        instructions="Be brief.",
        tools=[WEATHER, {"type": "code_interpreter"}, {"type": "file_search", "file_search": {"max_num_results": 5}}],
        metadata={"team": "maps"},
        temperature=0.5,
        top_p=0.9,
        response_format={"type": "json_object"},
    )

    assert client.beta.assistants.retrieve(made.id) == made
    assert made.id.startswith("asst_")
    assert made.object == "assistant"
    assert made.name == "Atlas"
    assert made.description == "Knows the way"
    assert made.instructions == "Be brief."
    assert [tool.model_dump(exclude_unset=True) for tool in made.tools] == [
        WEATHER,
        {"type": "code_interpreter"},
        {"type": "file_search", "file_search": {"max_num_results": 5}},
    ]
    assert made.metadata == {"team": "maps"}
    assert (made.temperature, made.top_p) == (0.5, 0.9)
    assert made.response_format.type == "json_object"


def test_an_assistant_of_a_model_alone_has_defaults_for_the_rest(client: OpenAI, model: Model) -> None:
    made = client.beta.assistants.create(model=model.name)

    shown = made.model_dump(exclude={"id", "created_at"})
    assert {key: value for key, value in shown.items() if value is not None} == {
        "object": "assistant",
        "model": model.name,
        "tools": [],
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "response_format": "auto",
        "tool_resources": {"code_interpreter": None, "file_search": None},
    }


def test_a_change_touches_only_what_it_names(client: OpenAI, model: Model) -> None:
    made = client.beta.assistants.create(model=model.name, name="Before", instructions="Stay.", tools=[WEATHER])

    changed = client.beta.assistants.update(made.id, name="After", tools=[CLOCK])

    assert changed.name == "After"
    assert [tool.function.name for tool in changed.tools] == ["get_time"]
    assert changed.instructions == "Stay."
    assert client.beta.assistants.retrieve(made.id) == changed


def test_null_clears_a_field_of_an_assistant(client: OpenAI, model: Model) -> None:
    made = client.beta.assistants.create(
        model=model.name, name="Named", description="Described", metadata={"a": "b"}, response_format={"type": "text"}
    )

    changed = client.beta.assistants.update(made.id, name=None, description=None, metadata=None, response_format=None)

    assert (changed.name, changed.description, changed.metadata) == (None, None, {})
    assert changed.response_format == "auto"


def test_metadata_is_replaced_not_merged(client: OpenAI, model: Model) -> None:
    made = client.beta.assistants.create(model=model.name, metadata={"old": "1"})

    assert client.beta.assistants.update(made.id, metadata={"new": "2"}).metadata == {"new": "2"}


def test_a_deleted_assistant_is_gone(client: OpenAI, model: Model) -> None:
    made = client.beta.assistants.create(model=model.name)

    deleted = client.beta.assistants.delete(made.id)

    assert deleted.to_dict() == {"id": made.id, "object": "assistant.deleted", "deleted": True}
    with pytest.raises(NotFoundError, match=f"No assistant found with id '{made.id}'."):
        client.beta.assistants.retrieve(made.id)
    assert made.id not in {each.id for each in client.beta.assistants.list(limit=100)}
