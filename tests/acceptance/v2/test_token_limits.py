"""Token budgets: a run that meets one is incomplete, and keeps what it has."""

from openai import OpenAI

from tests.acceptance.scene import WEATHER, Scene, said
from tests.acceptance.scripted import Model, call, calls, text


def test_an_answer_cut_by_its_limit_leaves_the_run_incomplete(scene: Scene) -> None:
    scene.model.will(text("As far as it", finish_reason="length"))

    run = scene.run(max_completion_tokens=256)

    [_, message] = scene.messages()
    assert (run.status, run.incomplete_details.reason) == ("incomplete", "max_completion_tokens")
    assert (run.last_error, run.failed_at, run.expires_at) == (None, None, None)
    assert said(message) == "As far as it"
    assert (message.status, message.incomplete_details.reason) == ("incomplete", "max_tokens")
    assert scene.model.request["max_completion_tokens"] == 256
    # The thread is free again.
    scene.say("Go on")


def test_the_limit_counts_all_answers_of_a_run(client: OpenAI, model: Model) -> None:
    scene = Scene.open(client, model, "Weather?", tools=[WEATHER])
    model.will(
        calls(call("get_weather"), usage={"prompt_tokens": 1, "completion_tokens": 100, "total_tokens": 101}),
        calls(call("get_weather"), usage={"prompt_tokens": 1, "completion_tokens": 200, "total_tokens": 201}),
    )

    second = scene.submit(scene.run(max_completion_tokens=300), get_weather="sunny")
    run = scene.submit(second, get_weather="rainy")

    assert [body["max_completion_tokens"] for body in model.requests] == [300, 200]
    assert (run.status, run.incomplete_details.reason) == ("incomplete", "max_completion_tokens")
    assert run.usage.completion_tokens == 300


def test_a_prompt_budget_drops_the_oldest_messages_first(client: OpenAI, model: Model) -> None:
    scene = Scene.open(client, model, *(f"number {n} " + "word " * 100 for n in range(5)))

    run = scene.run(max_prompt_tokens=256)

    assert run.status == "completed"
    assert [body["content"].split(" word")[0] for body in model.request["messages"]] == ["number 3", "number 4"]
    assert len(scene.messages()) == 6


def test_a_message_beyond_the_prompt_budget_leaves_the_run_incomplete(client: OpenAI, model: Model) -> None:
    scene = Scene.open(client, model, "word " * 1000)

    run = scene.run(max_prompt_tokens=256)

    assert (run.status, run.incomplete_details.reason) == ("incomplete", "max_prompt_tokens")
    assert model.calls == []
