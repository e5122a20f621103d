"""Tool calls and their outputs, told to the model again in later turns and later runs."""

from tests.acceptance.scene import Scene
from tests.acceptance.scripted import call, calls, refusal, text


def test_calls_and_outputs_are_told_in_the_next_turn(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(
        calls(
            call("get_weather", '{"city": "Oslo"}', id="call_w"),
            call("get_time", "{}", id="call_t"),
            text="Let me look.",
        ),
        text("Sunny at noon"),
    )

    scene.submit(scene.run(), get_weather="sunny", get_time="noon")

    assert scene.model.requests[1]["messages"] == [
        {"role": "user", "content": "Weather and time in Oslo?"},
        {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [
                {
                    "id": "call_w",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
                },
                {"id": "call_t", "type": "function", "function": {"name": "get_time", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_w", "content": "sunny"},
        {"role": "tool", "tool_call_id": "call_t", "content": "noon"},
    ]


def test_rounds_of_calls_are_told_in_their_order(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather")), calls(call("get_time")), text("Done"))

    scene.submit(scene.submit(scene.run(), get_weather="sunny"), get_time="noon")

    told = [(each["role"], each["content"]) for each in scene.model.requests[2]["messages"]]
    assert told == [
        ("user", "Weather and time in Oslo?"),
        ("assistant", None),
        ("tool", "sunny"),
        ("assistant", None),
        ("tool", "noon"),
    ]


def test_a_later_run_is_told_what_earlier_runs_called(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather", id="call_w")), text("Sunny"), text("As I said: sunny"))
    scene.submit(scene.run(), get_weather="sunny")
    scene.say("Are you sure?")

    scene.run()

    told = [(each["role"], each["content"], "tool_calls" in each) for each in scene.model.requests[2]["messages"]]
    assert told == [
        ("user", "Weather and time in Oslo?", False),
        ("assistant", None, True),
        ("tool", "sunny", False),
        ("assistant", "Sunny", False),
        ("user", "Are you sure?", False),
    ]


def test_runs_of_two_threads_do_not_hear_of_each_other(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather")), text("Sunny"), text("Fresh"))
    scene.submit(scene.run(), get_weather="sunny")

    other = scene.client.beta.threads.create_and_run_poll(
        assistant_id=scene.assistant.id,
        thread={"messages": [{"role": "user", "content": "New here"}]},
        poll_interval_ms=20,
    )

    assert other.status == "completed"
    assert scene.model.requests[2]["messages"] == [{"role": "user", "content": "New here"}]


def test_calls_of_a_run_that_failed_after_them_are_told_too(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather")), refusal(401, "Bad key"), text("Sunny"))
    failed = scene.submit(scene.run(), get_weather="sunny")

    scene.run()

    assert failed.status == "failed"
    told = [(each["role"], each["content"]) for each in scene.model.requests[2]["messages"]]
    assert told == [("user", "Weather and time in Oslo?"), ("assistant", None), ("tool", "sunny")]
