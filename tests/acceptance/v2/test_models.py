"""Models: what the model's server lists."""

import pytest
from openai import NotFoundError, OpenAI

from tests.acceptance.refusals import message_of
from tests.acceptance.scripted import Model, text


def test_the_models_of_the_server_behind_are_listed(client: OpenAI, model: Model) -> None:
    model.will(text("Fine"))

    listed = {each.id: each for each in client.models.list()}

    assert model.name in listed
    assert client.models.retrieve(model.name) == listed[model.name]
    assert listed[model.name].object == "model"


def test_an_unknown_model_is_not_found(client: OpenAI) -> None:
    with pytest.raises(NotFoundError) as refused:
        client.models.retrieve("nobody/knows-it")

    assert message_of(refused) == "The model 'nobody/knows-it' does not exist"
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
