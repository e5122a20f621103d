"""What models and their servers do that they should not: the run gets through, or says why not."""

import pytest

from tests.acceptance.scene import Scene, answers, pending, said
from tests.acceptance.scripted import Json, call, calls, text


def chunk(delta: Json, finish: str | None = None) -> Json:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def test_calls_without_ids_get_ids(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather"), call("get_time"), identified=False), text("Done"))

    waiting = scene.run()

    ids = [each.id for each in pending(waiting)]
    assert all(id.startswith("call_") for id in ids)
    assert len(set(ids)) == 2
    assert scene.submit(waiting, get_weather="sunny", get_time="noon").status == "completed"


def test_an_id_that_was_used_before_is_replaced(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(
        calls(call("get_weather", id="call_1"), call("get_time", id="call_1")),
        calls(call("get_time", id="call_1")),
        text("Done"),
    )

    first = scene.run()
    second = scene.submit(first, get_weather="sunny", get_time="noon")
    done = scene.submit(second, get_time="dusk")

    assert len({each.id for run in (first, second) for each in pending(run)}) == 3
    assert done.status == "completed"


def test_whole_calls_that_all_bear_index_zero_are_kept_apart(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    whole = [
        {"index": 0, "id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for name, arguments in (("get_weather", '{"city": "Oslo"}'), ("get_time", '{"zone": "CET"}'))
    ]
    scene.model.will({"chunks": [*(chunk({"tool_calls": [each]}) for each in whole), chunk({}, "tool_calls")]})

    waiting = scene.run()

    assert [(each.function.name, each.function.arguments) for each in pending(waiting)] == [
        ("get_weather", '{"city": "Oslo"}'),
        ("get_time", '{"zone": "CET"}'),
    ]


def test_calls_without_indexes_are_kept_apart(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather", '{"city": "Oslo"}'), call("get_time", '{"zone": "CET"}'), indexed=False))

    waiting = scene.run()

    assert [each.function.arguments for each in pending(waiting)] == ['{"city": "Oslo"}', '{"zone": "CET"}']


def test_arguments_that_are_an_object_become_a_string(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    function = {"name": "get_weather", "arguments": {"city": "Oslo"}}
    scene.model.will({"chunks": [chunk({"tool_calls": [{"index": 0, "function": function}]}), chunk({}, "stop")]})

    [asked] = pending(scene.run())

    assert asked.function.arguments == '{"city":"Oslo"}'


@pytest.mark.parametrize("arguments", ["", "city=Oslo", '{"city": "Os'])
def test_arguments_that_are_no_json_reach_the_client_as_they_are(scene_with_tools: Scene, arguments: str) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_weather", arguments)), text("Sunny"))

    waiting = scene.run()

    assert pending(waiting)[0].function.arguments == arguments
    assert scene.submit(waiting, get_weather="Error: what city?").status == "completed"


def test_an_unknown_tool_is_answered_with_an_error_that_names_the_known(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_stocks")), text("I have no such tool"))

    run = scene.run()

    assert run.status == "completed"
    told = scene.model.requests[1]["messages"][-1]
    assert told["content"] == "Error: there is no tool named 'get_stocks'. Available tools: get_time, get_weather."
    assert [step.type for step in scene.steps(run)] == ["tool_calls", "message_creation"]


def test_known_calls_beside_an_unknown_one_still_reach_the_client(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_stocks"), call("get_time")), text("Noon"))

    waiting = scene.run()

    assert [each.function.name for each in pending(waiting)] == ["get_time"]
    queued = scene.runs.submit_tool_outputs(
        waiting.id, thread_id=scene.thread.id, tool_outputs=answers(waiting, get_time="noon")
    )
    assert scene.settled(queued).status == "completed"
    assert [each["content"].split(":")[0] for each in scene.model.requests[1]["messages"][-2:]] == ["Error", "noon"]


def test_a_model_that_calls_unknown_tools_for_ever_meets_a_limit(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_stocks")), repeat=True)

    run = scene.run()

    assert (run.status, run.last_error.code) == ("failed", "server_error")
    assert "64" in run.last_error.message
    assert "RUNSTEAD_MAX_MODEL_CALLS" in run.last_error.message
    assert len(scene.model.requests) == 64


def test_an_empty_answer_is_one_empty_text(scene: Scene) -> None:
    scene.model.will(text(""))

    run = scene.run()

    assert run.status == "completed"
    assert said(scene.messages()[-1]) == ""


def test_blank_text_before_calls_is_no_message(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_time"), text="\n\n"), text("Noon"))

    waiting = scene.run()

    assert len(scene.messages()) == 1
    assert [step.type for step in scene.steps(waiting)] == ["tool_calls"]
    assert scene.model.requests[0]["messages"] == [{"role": "user", "content": "Weather and time in Oslo?"}]


def test_blank_text_before_words_is_kept(scene: Scene) -> None:
    scene.model.will({"chunks": [chunk({"content": "\n\n"}), chunk({"content": "Fine"}), chunk({}, "stop")]})

    scene.run()

    assert scene.answer == "\n\nFine"


def test_a_refusal_is_a_part_of_its_own(scene: Scene) -> None:
    scene.model.will({"refusal": "I would rather not."})

    run = scene.run()

    [part] = scene.messages()[-1].content
    assert run.status == "completed"
    assert part.to_dict() == {"type": "refusal", "refusal": "I would rather not."}


def test_an_answer_in_one_piece_is_read_though_a_stream_was_asked_for(scene_with_tools: Scene) -> None:
    scene = scene_with_tools
    scene.model.will(calls(call("get_time", '{"zone": "CET"}'), whole=True), text("Noon", whole=True))

    waiting = scene.run()
    done = scene.submit(waiting, get_time="noon")

    assert pending(waiting)[0].function.arguments == '{"zone": "CET"}'
    assert (done.status, scene.answer) == ("completed", "Noon")


def test_characters_that_nobody_could_store_are_replaced(scene: Scene) -> None:
    scene.model.will(
        {"raw": 'data: {"choices":[{"delta":{"content":"a\\u0000b\\ud800c"},"finish_reason":"stop"}]}\n\n'}
    )

    scene.run()

    assert scene.answer == "a\ufffdb\ufffdc"


def test_missing_usage_is_estimated(scene: Scene) -> None:
    scene.model.will(text("word " * 100, usage=None))
    scene.say("word " * 400)

    usage = scene.run().usage

    assert 50 <= usage.completion_tokens <= 200
    assert 200 <= usage.prompt_tokens <= 800
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


@pytest.mark.parametrize("count", [-7, 2**31, 10**30, 7.5, "many"])
def test_impossible_usage_is_estimated(scene: Scene, count: object) -> None:
    usage = {"prompt_tokens": count, "completion_tokens": count, "total_tokens": count}
    scene.model.will(text("Hello there", usage=usage))

    run = scene.run()

    assert run.status == "completed"
    assert run.usage is not None
    assert 0 < run.usage.completion_tokens < 20
    assert 0 < run.usage.prompt_tokens < 20
    assert run.usage.total_tokens == run.usage.prompt_tokens + run.usage.completion_tokens


def test_text_in_a_list_of_parts_is_read(scene: Scene) -> None:
    said_in_parts = chunk({"content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": " there"}]})
    scene.model.will({"chunks": [said_in_parts, chunk({}, "stop")]})

    assert scene.run().status == "completed"
    assert scene.answer == "Hello there"


def test_usage_on_the_last_chunk_is_read(scene: Scene) -> None:
    scene.model.will(text("Fine", usage_on_finish=True))

    assert scene.run().usage.completion_tokens == 1
