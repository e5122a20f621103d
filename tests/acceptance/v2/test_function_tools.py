"""Function tools: the run waits, the client answers, the run goes on."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from openai import BadRequestError

from tests.acceptance.refusals import message_of
from tests.acceptance.scene import POLL_MS, Scene, answers, pending
from tests.acceptance.scripted import call, calls, text


def test_a_run_waits_for_the_outputs_of_a_call(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather", '{"city": "Oslo"}', id="call_w")), text("Sunny"))

    waiting = scene.run()

    assert waiting.status == "requires_action"
    assert waiting.required_action.to_dict() == {
        "type": "submit_tool_outputs",
        "submit_tool_outputs": {
            "tool_calls": [
                {
                    "id": "call_w",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
                }
            ]
        },
    }
    assert waiting.expires_at == waiting.created_at + 600
    assert scene.reload(waiting) == waiting


def test_submitting_queues_the_run_again_and_it_completes(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather")), text("Sunny", hold_before="headers"))
    waiting = scene.run()

    queued = scene.runs.submit_tool_outputs(
        waiting.id, thread_id=scene.thread.id, tool_outputs=answers(waiting, get_weather="sunny")
    )
    scene.model.release()
    done = scene.settled(queued)

    assert (queued.status, queued.required_action) == ("queued", None)
    assert queued.expires_at == waiting.expires_at
    assert done.status == "completed"
    assert scene.answer == "Sunny"


def test_parallel_calls_are_answered_together_in_any_order(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather"), call("get_time"), call("get_weather")), text("All known"))
    waiting = scene.run()
    outputs = [{"tool_call_id": each.id, "output": str(n)} for n, each in enumerate(pending(waiting))]

    done = scene.runs.submit_tool_outputs_and_poll(
        run_id=waiting.id, thread_id=scene.thread.id, tool_outputs=outputs[::-1], poll_interval_ms=POLL_MS
    )

    assert done.status == "completed"
    told = [message["content"] for message in scene.model.requests[1]["messages"] if message["role"] == "tool"]
    assert told == ["0", "1", "2"]


def test_a_run_may_ask_round_after_round(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(
        calls(call("get_weather")), calls(call("get_time")), calls(call("get_weather"), call("get_time")), text("Done")
    )

    first = scene.run()
    second = scene.submit(first, get_weather="sunny")
    third = scene.submit(second, get_time="noon")
    done = scene.submit(third, get_weather="rainy", get_time="dusk")

    assert [run.status for run in (first, second, third, done)] == ["requires_action"] * 3 + ["completed"]
    assert len({each.id for run in (first, second, third) for each in pending(run)}) == 4
    assert [step.type for step in scene.steps(done)] == ["tool_calls"] * 3 + ["message_creation"]


def test_words_before_a_call_become_a_message_of_their_own(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_time"), text="Let me look."), text("Noon"))

    waiting = scene.run()
    before = scene.answer
    done = scene.submit(waiting, get_time="noon")

    assert (before, scene.answer) == ("Let me look.", "Noon")
    assert [step.type for step in scene.steps(done)] == ["message_creation", "tool_calls", "message_creation"]


def test_an_output_may_be_missing_or_empty_but_its_call_is_answered(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather"), call("get_time")), text("Nothing known"))
    waiting = scene.run()
    weather, clock = pending(waiting)

    queued = scene.runs.submit_tool_outputs(
        waiting.id,
        thread_id=scene.thread.id,
        tool_outputs=[{"tool_call_id": weather.id}, {"tool_call_id": clock.id, "output": ""}],
    )

    assert scene.settled(queued).status == "completed"
    assert [message["content"] for message in scene.model.requests[1]["messages"][-2:]] == ["", ""]


def test_outputs_must_be_those_that_are_waited_for(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather", id="call_a"), call("get_time", id="call_b")))
    waiting = scene.run()

    def submit(*ids: str) -> str:
        outputs = [{"tool_call_id": id, "output": "1"} for id in ids]
        with pytest.raises(BadRequestError) as refused:
            scene.runs.submit_tool_outputs(waiting.id, thread_id=scene.thread.id, tool_outputs=outputs)
        assert (refused.value.type, refused.value.param, refused.value.code) == ("invalid_request_error", None, None)
        return message_of(refused)

    expected = "Expected tool outputs for call_ids ['call_a', 'call_b'], got "
    assert submit("call_a") == expected + "['call_a']"
    assert submit("call_a", "call_b", "call_c") == expected + "['call_a', 'call_b', 'call_c']"
    assert submit("call_a", "call_a") == expected + "['call_a', 'call_a']"
    assert submit() == expected + "[]"
    assert scene.reload(waiting) == waiting


def test_outputs_are_taken_once(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather")), text("Sunny"))
    waiting = scene.run()
    done = scene.submit(waiting, get_weather="sunny")

    with pytest.raises(BadRequestError) as refused:
        scene.submit(waiting, get_weather="rainy")

    assert done.status == "completed"
    assert message_of(refused) == 'Runs in status "completed" do not accept tool outputs.'


def test_outputs_for_a_run_at_work_are_refused(scene: Scene) -> None:
    scene.model.will(text("Slow", hold_before="headers"))
    run = scene.start()
    scene.model.wait(held=1)

    with pytest.raises(BadRequestError) as refused:
        scene.runs.submit_tool_outputs(
            run.id, thread_id=scene.thread.id, tool_outputs=[{"tool_call_id": "call_x", "output": "1"}]
        )

    assert message_of(refused) == 'Runs in status "in_progress" do not accept tool outputs.'
    scene.model.release()


def test_a_built_in_tool_that_cannot_run_here_fails_the_run_with_a_reason(scene: Scene) -> None:
    run = scene.run(tools=[{"type": "code_interpreter"}])

    assert (run.status, run.last_error.code) == ("failed", "server_error")
    assert run.last_error.message.startswith("code_interpreter is not available on this server: no working sandbox")
    assert scene.model.calls == []


def test_of_two_answers_at_once_one_is_taken(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather")), text("Done", hold_before="headers"))
    waiting = scene.run()
    outputs = answers(waiting, get_weather="sunny")

    def submit(_: int) -> str:
        try:
            queued = scene.runs.submit_tool_outputs(waiting.id, thread_id=scene.thread.id, tool_outputs=outputs)
        except BadRequestError as refused:
            return refused.message
        return str(queued.status)

    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(submit, range(4)))
    scene.model.release()

    assert outcomes.count("queued") == 1
    assert sum("do not accept tool outputs." in outcome for outcome in outcomes) == 3
    assert scene.settled(waiting).status == "completed"
    assert len(scene.model.requests) == 2


def test_wrong_outputs_are_refused_before_a_stream_begins(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather", id="call_a")))
    waiting = scene.run()

    with pytest.raises(BadRequestError) as refused:
        scene.runs.submit_tool_outputs(waiting.id, thread_id=scene.thread.id, tool_outputs=[], stream=True)

    assert message_of(refused) == "Expected tool outputs for call_ids ['call_a'], got []"
    assert scene.reload(waiting) == waiting
