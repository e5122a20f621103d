"""The client's streaming helpers: handlers, text deltas, and what they have gathered in the end."""

import pytest
from openai import BadRequestError, OpenAI

from tests.acceptance.listener import Listener
from tests.acceptance.scene import Scene, answers, said
from tests.acceptance.scripted import Model, call, calls, refusal, text


def test_a_handler_hears_a_message_grow(scene: Scene) -> None:
    scene.model.will(text("One two three"))
    listener = Listener()

    with scene.runs.stream(
        thread_id=scene.thread.id, assistant_id=scene.assistant.id, event_handler=listener
    ) as stream:
        stream.until_done()

    assert listener.notes == [
        ("step created", "message_creation"),
        ("message created", 0),
        ("text created", "One"),
        ("text", ("One", "One")),
        ("text", (" two", "One two")),
        ("text", (" three", "One two three")),
        ("text done", "One two three"),
        ("message done", "completed"),
        ("step done", "completed"),
        ("end", None),
    ]


def test_a_handler_hears_calls_come_in(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather", '{"city": "Oslo"}'), call("get_time", "{}")))
    listener = Listener()

    with scene.runs.stream(
        thread_id=scene.thread.id, assistant_id=scene.assistant.id, event_handler=listener
    ) as stream:
        stream.until_done()

    names = [(note, value) for note, value in listener.notes if note in ("call created", "call done")]
    assert names == [
        ("call created", "get_weather"),
        ("call done", ("get_weather", '{"city": "Oslo"}')),
        ("call created", "get_time"),
        ("call done", ("get_time", "{}")),
    ]


def test_text_deltas_are_the_words_as_they_come(scene: Scene) -> None:
    scene.model.will(text("One two three"))

    with scene.runs.stream(thread_id=scene.thread.id, assistant_id=scene.assistant.id) as stream:
        words = list(stream.text_deltas)

    assert words == ["One", " two", " three"]


def test_what_a_stream_gathered_is_what_is_stored(scene: Scene) -> None:
    scene.model.will(text("One two three"))

    with scene.runs.stream(thread_id=scene.thread.id, assistant_id=scene.assistant.id) as stream:
        run = stream.get_final_run()
        [message] = stream.get_final_messages()
        [step] = stream.get_final_run_steps()

    assert run == scene.reload(run)
    assert message == scene.messages()[-1]
    # The helper leaves steps as they were created, save for their deltas.
    assert [(step.id, step.step_details)] == [(each.id, each.step_details) for each in scene.steps(run)]
    assert said(message) == "One two three"


def test_a_stream_of_a_new_thread_tells_its_thread_first(client: OpenAI, model: Model) -> None:
    model.will(text("Fine"))
    assistant = client.beta.assistants.create(model=model.name)

    with client.beta.threads.create_and_run_stream(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hello"}]}
    ) as stream:
        first = next(iter(stream))
        run = stream.get_final_run()
        [message] = stream.get_final_messages()

    assert (first.event, first.data) == ("thread.created", client.beta.threads.retrieve(run.thread_id))
    assert (run.status, said(message)) == ("completed", "Fine")


def test_outputs_are_submitted_and_the_stream_goes_on_from_there(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_time", '{"zone": "CET"}')), text("It is noon"))

    with scene.runs.stream(thread_id=scene.thread.id, assistant_id=scene.assistant.id) as first:
        waiting = first.get_final_run()
    with scene.runs.submit_tool_outputs_stream(
        run_id=waiting.id, thread_id=scene.thread.id, tool_outputs=answers(waiting, get_time="noon")
    ) as second:
        words = "".join(second.text_deltas)
        done = second.get_final_run()
        [written] = second.get_final_run_steps()

    assert (waiting.status, done.status, words) == ("requires_action", "completed", "It is noon")
    # The step of the calls was created in the first stream.
    assert [step.type for step in scene.steps(done)] == ["tool_calls", written.type]


def test_a_failed_run_is_the_final_run_of_its_stream(scene: Scene) -> None:
    scene.model.will(refusal(401, "Bad key"))

    with scene.runs.stream(thread_id=scene.thread.id, assistant_id=scene.assistant.id) as stream:
        run = stream.get_final_run()

    assert (run.status, run.last_error.code) == ("failed", "server_error")


def test_what_is_refused_is_an_exception_before_any_event(scene: Scene) -> None:
    with (
        pytest.raises(BadRequestError, match="Unknown parameter: 'colour'"),
        scene.runs.stream(
            thread_id=scene.thread.id, assistant_id=scene.assistant.id, extra_body={"colour": "red"}
        ) as stream,
    ):
        stream.until_done()


def test_a_run_goes_on_when_its_reader_leaves(scene: Scene) -> None:
    scene.model.will(text("One two three", hold_before=2))
    with scene.runs.stream(thread_id=scene.thread.id, assistant_id=scene.assistant.id) as stream:
        run = next(iter(stream)).data
    scene.model.wait(held=1)

    scene.model.release()
    done = scene.settled(run)

    assert done.status == "completed"
    assert scene.answer == "One two three"
