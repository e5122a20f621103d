"""Function tools over v1: rounds, steps, and what is refused."""

from tests.acceptance.refusals import bad_request, refusal
from tests.acceptance.scene import POLL_MS, answers, pending
from tests.acceptance.scripted import call, calls, text


def test_parallel_calls_and_several_rounds_come_to_an_end(scene_with_tools) -> None:
    scene = scene_with_tools
    scene.model.will(
        calls(call("get_weather", '{"city": "Oslo"}'), call("get_time", '{"zone": "CET"}')),
        calls(call("get_time", '{"zone": "EET"}')),
        text("Done"),
    )

    first = scene.run()
    second = scene.runs.submit_tool_outputs_and_poll(
        run_id=first.id,
        thread_id=scene.thread.id,
        tool_outputs=answers(first, get_weather="sunny", get_time="noon"),
        poll_interval_ms=POLL_MS,
    )
    done = scene.submit(second, get_time="one")

    assert [run.status for run in (first, second, done)] == ["requires_action", "requires_action", "completed"]
    assert [each.function.arguments for each in pending(first)] == ['{"city": "Oslo"}', '{"zone": "CET"}']
    assert scene.answer == "Done"


def test_steps_hold_the_calls_with_their_outputs(scene_with_tools) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_time", '{"zone": "CET"}', id="call_t")), text("Noon"))
    waiting = scene.run()
    [open_step] = scene.steps(waiting)
    done = scene.submit(waiting, get_time="noon")

    [step, message_step] = scene.steps(done)

    assert open_step.step_details.tool_calls[0].function.output is None
    assert (open_step.status, step.status) == ("in_progress", "completed")
    assert step.step_details.model_dump(exclude_unset=True) == {
        "type": "tool_calls",
        "tool_calls": [
            {
                "id": "call_t",
                "type": "function",
                "function": {"name": "get_time", "arguments": '{"zone": "CET"}', "output": "noon"},
            }
        ],
    }
    assert message_step.step_details.message_creation.message_id == scene.messages()[-1].id
    assert scene.runs.steps.retrieve(step.id, run_id=done.id, thread_id=scene.thread.id) == step


def test_wrong_outputs_are_refused_in_the_words_that_clients_match(scene_with_tools) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather", id="call_a"), call("get_time", id="call_b")), text("Done"))
    waiting = scene.run()

    def submit(*ids: str) -> None:
        outputs = [{"tool_call_id": id, "output": "1"} for id in ids]
        scene.runs.submit_tool_outputs(waiting.id, thread_id=scene.thread.id, tool_outputs=outputs)

    assert refusal(submit, "call_a") == bad_request(
        "Expected tool outputs for call_ids ['call_a', 'call_b'], got ['call_a']"
    )
    submit("call_b", "call_a")
    scene.settled(waiting)
    assert refusal(submit, "call_a", "call_b") == bad_request('Runs in status "completed" do not accept tool outputs.')


def test_a_built_in_tool_that_cannot_run_here_fails_the_run_with_a_reason(scene) -> None:
    run = scene.run(tools=[{"type": "code_interpreter"}])

    assert (run.status, run.last_error.code) == ("failed", "server_error")
    assert run.last_error.message.startswith("code_interpreter is not available on this server: no working sandbox")


def test_a_tool_is_forced_once(scene_with_tools) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_time")), text("Noon"))
    choice = {"type": "function", "function": {"name": "get_time"}}

    done = scene.submit(scene.run(tool_choice=choice), get_time="noon")

    assert done.status == "completed"
    assert [body.get("tool_choice") for body in scene.model.requests] == [choice, None]
