"""Run steps: one for each message and for each turn of tool calls."""

from tests.acceptance.scene import Scene
from tests.acceptance.scripted import call, calls, text


def test_a_message_is_a_step(scene: Scene) -> None:
    scene.model.will(text("Fine", usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}))
    run = scene.run()

    [step] = scene.steps(run)

    [_, message] = scene.messages()
    assert step.id.startswith("step_")
    assert step.to_dict() == {
        "id": step.id,
        "object": "thread.run.step",
        "created_at": step.created_at,
        "assistant_id": scene.assistant.id,
        "thread_id": scene.thread.id,
        "run_id": run.id,
        "type": "message_creation",
        "status": "completed",
        "step_details": {"type": "message_creation", "message_creation": {"message_id": message.id}},
        "last_error": None,
        "expires_at": run.created_at + 600,
        "expired_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": step.completed_at,
        "metadata": {},
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
    assert run.created_at <= step.created_at <= step.completed_at
    assert scene.runs.steps.retrieve(step.id, thread_id=scene.thread.id, run_id=run.id) == step


def test_all_calls_of_a_turn_are_one_step_that_waits_for_their_outputs(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(
        calls(call("get_weather", '{"city": "Oslo"}', id="call_w"), call("get_time", "{}", id="call_t")), text("Fine")
    )
    waiting = scene.run()
    [open_step] = scene.steps(waiting)
    done = scene.submit(waiting, get_weather="sunny", get_time="noon")

    [closed_step, message_step] = scene.steps(done)

    assert (open_step.status, open_step.usage, open_step.completed_at) == ("in_progress", None, None)
    assert [each.function.output for each in open_step.step_details.tool_calls] == [None, None]
    assert (closed_step.id, closed_step.status) == (open_step.id, "completed")
    assert closed_step.step_details.to_dict() == {
        "type": "tool_calls",
        "tool_calls": [
            {
                "id": "call_w",
                "type": "function",
                "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}', "output": "sunny"},
            },
            {
                "id": "call_t",
                "type": "function",
                "function": {"name": "get_time", "arguments": "{}", "output": "noon"},
            },
        ],
    }
    assert (message_step.type, message_step.status) == ("message_creation", "completed")


def test_the_usage_of_a_run_is_the_sum_of_its_model_calls(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(
        calls(call("get_time"), usage={"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}),
        text("Noon", usage={"prompt_tokens": 20, "completion_tokens": 3, "total_tokens": 23}),
    )

    done = scene.submit(scene.run(), get_time="noon")

    assert done.usage.to_dict() == {"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35}
    assert [step.usage.total_tokens for step in scene.steps(done)] == [12, 23]


def test_file_search_results_may_be_asked_for_though_there_are_none(scene: Scene) -> None:
    run = scene.run()
    include = ["step_details.tool_calls[*].file_search.results[*].content"]

    [step] = scene.runs.steps.list(run.id, thread_id=scene.thread.id, include=include)

    assert scene.runs.steps.retrieve(step.id, thread_id=scene.thread.id, run_id=run.id, include=include) == step
