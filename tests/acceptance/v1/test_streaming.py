"""Streams over v1: exact sequences, and the first helpers that read them."""

from tests.acceptance.listener import Listener
from tests.acceptance.scene import answers, said
from tests.acceptance.scripted import call, calls, text
from tests.acceptance.transcript import assert_golden


def test_a_plain_answer(scene) -> None:
    scene.model.will(text("Hello there, friend"))

    assert_golden("v1-plain", scene.events(), model=scene.model.name)


def test_a_thread_and_a_run_created_together(scene) -> None:
    scene.model.will(text("Fine"))

    events = scene.client.beta.threads.create_and_run(
        assistant_id=scene.assistant.id,
        thread={"messages": [{"role": "user", "content": "How are you?"}], "metadata": {"from": "here"}},
        stream=True,
    )

    assert_golden("v1-thread-and-run", events, model=scene.model.name)


def test_function_calls_and_what_follows_their_outputs(scene_with_tools) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_time", '{"zone": "CET"}', id="call_time")), text("Noon"))

    def both_streams():
        yield from scene.start(stream=True)
        [waiting] = scene.runs.list(thread_id=scene.thread.id)
        outputs = answers(waiting, get_time="noon")
        yield from scene.runs.submit_tool_outputs(
            waiting.id, thread_id=scene.thread.id, tool_outputs=outputs, stream=True
        )

    assert_golden("v1-function-calls", both_streams(), model=scene.model.name)


def test_a_cancellation_in_the_middle_of_an_answer(scene) -> None:
    scene.model.will(text("Never to be finished", hold_before=2))

    def cancelled():
        for event in scene.start(stream=True):
            yield event
            if event.event == "thread.message.delta":
                [run] = scene.runs.list(thread_id=scene.thread.id)
                scene.runs.cancel(run.id, thread_id=scene.thread.id)

    assert_golden("v1-cancelled", cancelled(), model=scene.model.name)


def test_an_answer_that_met_its_limit_ends_in_an_event_that_v1_knows(scene) -> None:
    scene.model.will(text("As far as it", finish_reason="length"))

    assert_golden("v1-incomplete", scene.events(max_completion_tokens=256), model=scene.model.name)


def test_a_failure_in_the_middle_of_an_answer(scene) -> None:
    half = {"choices": [{"index": 0, "delta": {"content": "Half"}, "finish_reason": None}]}
    scene.model.will({"chunks": [half], "then": "close"})

    assert_golden("v1-failed", scene.events(), model=scene.model.name)


def test_a_model_that_refuses_to_answer_says_so_in_text(scene) -> None:
    scene.model.will({"refusal": "I would rather not."})

    assert_golden("v1-refusal", scene.events(), model=scene.model.name)


def test_a_handler_hears_a_message_grow(scene) -> None:
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


def test_helpers_carry_a_run_through_its_calls(scene_with_tools) -> None:
    scene = scene_with_tools
    scene.model.will(
        calls(call("get_weather", '{"city": "Oslo"}'), call("get_time", '{"zone": "CET"}')), text("Sunny at noon")
    )
    listener = Listener()

    with scene.runs.stream(thread_id=scene.thread.id, assistant_id=scene.assistant.id, event_handler=listener) as first:
        waiting = first.get_final_run()
    with scene.runs.submit_tool_outputs_stream(
        run_id=waiting.id,
        thread_id=scene.thread.id,
        tool_outputs=answers(waiting, get_weather="sunny", get_time="noon"),
    ) as second:
        words = "".join(second.text_deltas)
        done = second.get_final_run()
        [message] = second.get_final_messages()

    assert [value for note, value in listener.notes if note == "call done"] == [
        ("get_weather", '{"city": "Oslo"}'),
        ("get_time", '{"zone": "CET"}'),
    ]
    assert (words, said(message), done.status) == ("Sunny at noon", "Sunny at noon", "completed")
    assert done == scene.reload(done)
    assert message == scene.messages()[-1]


def test_a_thread_and_run_stream_gathers_its_messages(client, model) -> None:
    model.will(text("Fine"))
    assistant = client.beta.assistants.create(model=model.name)

    with client.beta.threads.create_and_run_stream(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hello"}]}
    ) as stream:
        run = stream.get_final_run()
        [message] = stream.get_final_messages()
        [step] = stream.get_final_run_steps()

    assert (run.status, said(message), step.type) == ("completed", "Fine", "message_creation")
