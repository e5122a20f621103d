"""Lists: pages, cursors, orders, and pagers that walk them."""

from typing import Any

import pytest
from openai import BadRequestError, OpenAI

from tests.acceptance.refusals import message_of
from tests.acceptance.scene import Scene, said


@pytest.fixture
def numbered(client: OpenAI) -> str:
    """A thread with 45 messages, made so fast that many share a second."""
    messages: Any = [{"role": "user", "content": str(number)} for number in range(45)]
    return client.beta.threads.create(messages=messages).id


def test_a_pager_walks_every_page_once(client: OpenAI, numbered: str) -> None:
    walked = [int(said(message)) for message in client.beta.threads.messages.list(numbered, limit=7, order="asc")]

    assert walked == list(range(45))


def test_twenty_is_the_size_of_a_page_and_newest_first_its_order(client: OpenAI, numbered: str) -> None:
    page: Any = client.beta.threads.messages.list(numbered)

    assert [int(said(message)) for message in page.data] == list(range(44, 24, -1))
    assert page.has_more
    assert (page.first_id, page.last_id) == (page.data[0].id, page.data[-1].id)


def test_before_and_after_exclude_their_cursors(client: OpenAI, numbered: str) -> None:
    everything = client.beta.threads.messages.list(numbered, limit=100, order="asc").data
    after, before = everything[10].id, everything[15].id

    between = client.beta.threads.messages.list(numbered, order="asc", after=after, before=before)

    assert [int(said(message)) for message in between.data] == [11, 12, 13, 14]
    assert not between.has_more


def test_after_the_last_object_comes_an_empty_page(client: OpenAI, numbered: str) -> None:
    last = client.beta.threads.messages.list(numbered, limit=100, order="asc").data[-1].id

    page: Any = client.beta.threads.messages.list(numbered, order="asc", after=last)

    assert (page.data, page.has_more, page.first_id, page.last_id) == ([], False, None, None)


def test_a_full_last_page_says_that_nothing_follows(client: OpenAI, numbered: str) -> None:
    page: Any = client.beta.threads.messages.list(numbered, limit=45)

    assert len(page.data) == 45
    assert not page.has_more
    assert not page.has_next_page()


def test_an_unknown_cursor_is_refused(client: OpenAI, numbered: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        client.beta.threads.messages.list(numbered, after="msg_nowhere")

    assert message_of(refused) == "Invalid 'after': no object with id 'msg_nowhere' in this list."
    assert (refused.value.param, refused.value.code) == ("after", "invalid_value")


def test_everything_can_be_deleted_while_it_is_listed(client: OpenAI, numbered: str) -> None:
    made = {client.beta.assistants.create(model="m", name="to be deleted").id for _ in range(25)}

    for assistant in client.beta.assistants.list(limit=10):
        if assistant.id in made:
            client.beta.assistants.delete(assistant.id)
    deleted = [
        client.beta.threads.messages.delete(message.id, thread_id=numbered).id
        for message in client.beta.threads.messages.list(numbered, limit=10)
    ]

    assert not made & {assistant.id for assistant in client.beta.assistants.list(limit=100)}
    assert len(set(deleted)) == 45
    assert client.beta.threads.messages.list(numbered).data == []


@pytest.mark.parametrize(
    ("limit", "message", "code"),
    [
        (
            0,
            "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 instead.",
            "integer_below_min_value",
        ),
        (
            101,
            "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
            "integer_above_max_value",
        ),
    ],
)
def test_a_page_has_one_to_a_hundred_objects(
    client: OpenAI, numbered: str, limit: int, message: str, code: str
) -> None:
    with pytest.raises(BadRequestError) as refused:
        client.beta.threads.messages.list(numbered, limit=limit)

    assert message_of(refused) == message
    assert (refused.value.param, refused.value.code) == ("limit", code)


def test_assistants_runs_and_steps_are_paged_the_same_way(scene: Scene) -> None:
    others = [scene.client.beta.assistants.create(model=scene.model.name) for _ in range(3)]
    runs = [scene.run() for _ in range(3)]

    newest = [each.id for each in scene.client.beta.assistants.list(limit=2, before=scene.assistant.id)]
    listed = list(scene.runs.list(scene.thread.id, limit=2))
    steps = scene.runs.steps.list(runs[0].id, thread_id=scene.thread.id, limit=1)

    assert newest == [each.id for each in reversed(others)]
    assert listed == runs[::-1]
    assert (len(steps.data), steps.has_more) == (1, False)
